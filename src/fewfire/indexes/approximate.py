"""Indexes that may miss pairs that fire, and measure how many."""

import warnings
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes.audit import Audited, on_samples
from fewfire.indexes.base import Index, OpenIndex, fitting, require_built
from fewfire.indexes.exhaustive import ExhaustiveIndex

AUDITED_SAMPLES = 32  # of a batch: few enough for the exhaustive index to be the fastest exact one


class ApproximateIndex(OpenIndex):
    """An index whose fire sets are a part of the exact ones: pairs may be missing, none is wrong.

    The shared dot kernel decides what is proposed, so the pairs that are found have the same pre-activations
    as through every other index. On some batches the exhaustive index is asked about 32 samples, too; what
    that says of the recall is in `audited`, and changes no fire set.

    Parameters
    ----------
    audit : float, 0 .. 1
        Share of the batches on which the recall is measured, the first one among them.
    seed : int
        Seed for what is drawn.
    memory_limit : int, optional
        Bytes that the index may hold.

    Raises
    ------
    ValueError
        The share of audited batches is not from 0 to 1.
    """

    is_exact: ClassVar[bool] = False

    def __init__(self, *, audit: float = 0.02, seed: int = 0, memory_limit: int | None = None) -> None:
        super().__init__(memory_limit=memory_limit)
        if not 0 <= audit <= 1:
            raise ValueError(
                f"audit must be a share of the batches, from 0 to 1. Got {audit}. Use 0.02 to measure the "
                "recall on every 50th, or 0 on none."
            )
        self.audit, self.seed = audit, seed
        self._batches = 0  # that were asked about

    @property
    @abstractmethod
    def terms(self) -> dict[str, Any]:
        """The settings on which the fire sets depend."""

    def fire_set(self, batch: ArrayLike | Inputs) -> FireSet:
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        fires = super().fire_set(batch)
        if self.audit and len(batch) and self._batches % round(1 / self.audit) == 0:
            self._compare(batch, fires)
        self._batches += 1
        return fires

    def _random(self, purpose: str, number: int = 0) -> np.random.Generator:
        """A stream of its own for each purpose: weights and data may come from the same seed."""
        return np.random.default_rng([self.seed, number, *purpose.encode()])

    def _compare(self, batch: Inputs, fires: FireSet) -> None:
        """With what the exhaustive index finds on some of the samples."""
        layer = require_built(self._layer, self)
        random = self._random("audit", self._batches)
        count = min(AUDITED_SAMPLES, len(batch))
        positions = np.sort(random.choice(len(batch), count, replace=False))
        exhaustive = ExhaustiveIndex()
        exhaustive.build(layer)
        everything = exhaustive.fire_set(batch.batch(positions))
        self.work.multiplied += exhaustive.work.multiplied
        self.audited += Audited.of(everything, on_samples(fires, positions), layer.threshold)


def warn_if_approximate(index: Index | type[Index], stacklevel: int) -> None:
    """Say once, to the caller so many frames up, that weights will not be those of exact indexes."""
    if not index.is_exact:
        warnings.warn(approximate_text(index), UserWarning, stacklevel + 1)


def approximate_text(index: Index | type[Index]) -> str:
    """What a person should know who trains through an approximate index."""
    return (
        f"the {index.name} index is approximate: it misses pairs that fire, so the weights are not those of "
        "exact indexes. See recall in the history for how many it finds, or use the drift index."
    )
