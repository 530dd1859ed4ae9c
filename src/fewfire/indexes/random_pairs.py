"""The control of the hashing index: as many pairs, drawn at random."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, bits_of
from fewfire.indexes.approximate import ApproximateIndex
from fewfire.indexes.base import Progress, fitting, require_built
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer

LEVELS = 2**16  # in which shares are drawn


class RandomIndex(ApproximateIndex):
    """Looks at each pair with the same probability. Approximate: its recall is that share; open.

    What an index finds beyond that is what its search is worth; training through it is dropout of neurons.

    Parameters
    ----------
    share : float, 0 .. 1
        Of the pairs that are looked at; rounded to a multiple of 2^-16.
    audit, seed, memory_limit
        See `ApproximateIndex`; the index holds nothing.

    Raises
    ------
    ValueError
        A share is not from 0 to 1.

    Notes
    -----
    The pairs are drawn anew after each step; where a trainer resumes, from the first draw on. The index takes
    two bytes per pair while they are drawn, and d multiply-adds for each that is.
    """

    name: ClassVar[str] = "random"

    def __init__(
        self, share: float, *, audit: float = 0.02, seed: int = 0, memory_limit: int | None = None
    ) -> None:
        super().__init__(audit=audit, seed=seed, memory_limit=memory_limit)
        if not 0 <= share <= 1:
            raise ValueError(
                f"share must be from 0 to 1. Got {share}. Use 0.1 to look at a tenth of the pairs."
            )
        self.share = share
        self._steps = 0

    @property
    def terms(self) -> dict[str, Any]:
        return {"name": self.name, "share": self.share, "seed": self.seed}

    def build(
        self, layer: Layer, inputs: ArrayLike | Inputs | None = None, progress: Progress | None = None
    ) -> None:
        if inputs is not None:
            fitting(layer, inputs)
        self._layer = layer

    def pairs_above(self, batch: ArrayLike | Inputs, threshold: float) -> FireSet:
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        random = self._random("pairs", self._steps)
        shape = len(batch), -(-layer.width // BLOCK) * BLOCK
        drawn = random.integers(0, LEVELS, shape, np.uint16) < round(self.share * LEVELS)
        found = _core.proposed_fire_set(bits_of(drawn), layer.core_view, batch.core_view, threshold)
        return self._pairs_of(found, len(batch))

    def moved(self, step: Step) -> None:
        require_built(self._layer, self)
        self._steps += 1

    @property
    def nbytes(self) -> int:
        return 0

    def check_invariants(self) -> None:
        """Holds nothing that could be wrong."""
