"""Which index was chosen for a run, and why."""

from dataclasses import dataclass

from fewfire.system.words import seconds_text


@dataclass(frozen=True)
class Prediction:
    """What a whole run through an index would take, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why.

    Attributes
    ----------
    predictions : of all indexes that were probed, the best first
    unprobed : names of those for which there was no time
    probe_seconds : float
    """

    predictions: tuple[Prediction, ...]
    unprobed: tuple[str, ...]
    probe_seconds: float

    @property
    def name(self) -> str:
        return self.predictions[0].name

    def __str__(self) -> str:
        best, *others = self.predictions
        rivals = "".join(f"; {other.name} {seconds_text(other.seconds)}" for other in others)
        untried = f"; no time to try {', '.join(self.unprobed)}" if self.unprobed else ""
        return (
            f"index auto: {best.name} (predicted {seconds_text(best.seconds)}{rivals}{untried}; "
            f"probed in {seconds_text(self.probe_seconds)})"
        )
