"""How much of what fires an approximate index finds, by asking an exact one about some of the samples."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.system.intervals import Z, wilson


@dataclass(frozen=True)
class Audited:
    """What an approximate index found on samples on which an exact one was asked, too; sums over the samples.

    Attributes
    ----------
    samples : on which something fires
    fired, found : pairs that fire, and those of them that the index found
    mass, found_mass : sums over these pairs of the pre-activation less the threshold
    fired_fired, fired_found, found_found : sums of products of a sample's two counts
    """

    samples: int = 0
    fired: int = 0
    found: int = 0
    mass: float = 0.0
    found_mass: float = 0.0
    fired_fired: int = 0
    fired_found: int = 0
    found_found: int = 0

    @classmethod
    def of(cls, all_that_fire: FireSet, found: FireSet, threshold: float) -> "Audited":
        """From the fire sets of an exact index and of another on the same samples."""
        fired = np.bincount(all_that_fire.samples, minlength=found.n_samples)
        own = np.bincount(found.samples, minlength=found.n_samples)
        return cls(
            samples=int(np.count_nonzero(fired)),
            fired=len(all_that_fire),
            found=len(found),
            mass=_mass(all_that_fire.values, threshold),
            found_mass=_mass(found.values, threshold),
            fired_fired=int(fired @ fired),
            fired_found=int(fired @ own),
            found_found=int(own @ own),
        )

    def __add__(self, other: "Audited") -> "Audited":
        return Audited(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def __sub__(self, earlier: "Audited") -> "Audited":
        return Audited(**{f.name: getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)})

    @property
    def recall(self) -> float | None:
        """Share of the firing pairs that the index found; None where nothing fired."""
        return self.found / self.fired if self.fired else None

    @property
    def missed_mass(self) -> float | None:
        """Share of the sum of pre-activations less threshold that it missed; None where nothing fired."""
        return 1 - self.found_mass / self.mass if 0 < self.mass < np.inf else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the recall on samples of this kind; None where nothing fired.

        Pairs of one sample are found together more often than others, for they share its buckets. So the
        interval is Wilson's for as many independent pairs as the spread between the samples tells of.
        """
        recall = self.recall
        if recall is None:
            return None
        n = self._independent_pairs(recall)
        return wilson(recall * n, n)

    def _independent_pairs(self, recall: float) -> float:
        """So many would estimate the recall as well; as many as samples where their spread is not known."""
        squares = self.found_found - 2 * recall * self.fired_found + recall**2 * self.fired_fired
        if self.samples < 2 or squares <= 1e-12 * self.fired_fired:
            return self.samples
        variance = squares * self.samples / (self.samples - 1) / self.fired**2
        # Student's quantile beside the normal one, to first order: the spread, too, is of a few samples.
        wider = 1 + (Z**2 + 1) / (4 * (self.samples - 1))
        return min(recall * (1 - recall) / variance / wider**2, self.fired)


def on_samples(fires: FireSet, positions: NDArray[np.int64]) -> FireSet:
    """The part of a fire set on the samples at these positions, ascending and each once."""
    places = np.full(fires.n_samples, -1, np.int32)
    places[positions] = np.arange(len(positions), dtype=np.int32)
    kept = places[fires.samples] >= 0
    begins = np.concatenate(([0], np.cumsum(kept)))[fires.begins]
    return FireSet(begins, places[fires.samples[kept]], fires.values[kept], len(positions))


def _mass(values: NDArray, threshold: float) -> float:
    with np.errstate(over="ignore"):
        return float((values.astype(np.float64) - threshold).sum())
