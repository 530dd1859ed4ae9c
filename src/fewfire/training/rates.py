"""Which learning rate was measured to be the best, and beside which others."""

from dataclasses import dataclass

import numpy as np

from fewfire.system.words import seconds_text


@dataclass(frozen=True)
class BestRate:
    """The rate that was best of those tried.

    Attributes
    ----------
    rate : float
    losses : dict of float to float
        Mean training loss at the end of the trial of each rate, by rising rate; infinite where it broke off,
        or taught nothing.
    safe_rate : float
        Where the search began; see `stable_learning_rate`.
    n_samples : int
        That the trials trained on.
    seconds : float
    """

    rate: float
    losses: dict[float, float]
    safe_rate: float
    n_samples: int
    seconds: float

    def __str__(self) -> str:
        tried = ", ".join(
            f"{rate:g}" + ("" if np.isfinite(loss) else " too large") for rate, loss in self.losses.items()
        )
        return (
            f"learning rate measured: {self.rate:g} (tried on {self.n_samples:,} samples: {tried}; "
            f"{self.safe_rate:g} is the largest safe one; measured in {seconds_text(self.seconds)})"
        )
