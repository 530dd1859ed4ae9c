"""Which index was chosen for a run, and why."""

from dataclasses import dataclass


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
        rivals = "".join(f"; {other.name} {_written(other.seconds)}" for other in others)
        untried = f"; no time to try {', '.join(self.unprobed)}" if self.unprobed else ""
        return (
            f"index auto: {best.name} (predicted {_written(best.seconds)}{rivals}{untried}; "
            f"probed in {_written(self.probe_seconds)})"
        )


def _written(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1e3 * seconds:.2g} ms"
