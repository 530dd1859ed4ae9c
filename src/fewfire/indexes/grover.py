"""The Grover index: the exhaustive answer, and how often a quantum search for it would ask its oracle."""

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes.base import OpenIndex, Progress, fitting, require_built
from fewfire.indexes.exhaustive import ExhaustiveIndex
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer
from fewfire.quantum.search import draw_reports

DRAWN_AT_ONCE = 2**20  # searches, at the most, where all fire: they take a few dozen bytes each


class GroverIndex(OpenIndex):
    """Counts the queries of a quantum search; finds the pairs as the exhaustive index does. Open.

    Parameters
    ----------
    memory_limit : ignored; the index remembers nothing
    seed : int
        Seed of the measurements that are drawn.

    Attributes
    ----------
    work.oracle_queries : int
        How often Grover searches, one sample at a time, would have asked "does this neuron fire?". All else
        in `work` is what this machine did.
    missed : int
        Firing pairs that these searches would have given up on, since it was built. The fire set holds them
        all the same.

    Notes
    -----
    This is an accounting, and no speed-up on any machine of today: it costs what the exhaustive index costs,
    and the drawing of a few rounds of measurement for each firing pair.

    Source: the quantum version in Song, Yang, Zhang, *Does Preprocessing Help Training Over-parameterized
    Neural Networks?* (NeurIPS 2021). docs/theory/grover.md says what is counted.
    """

    name: ClassVar[str] = "grover"

    def __init__(self, *, memory_limit: int | None = None, seed: int = 0) -> None:
        super().__init__(memory_limit=memory_limit)
        self.seed = seed
        self.missed = 0
        self._exhaustive = ExhaustiveIndex()
        self.work = self._exhaustive.work

    def build(
        self, layer: Layer, inputs: ArrayLike | Inputs | None = None, progress: Progress | None = None
    ) -> None:
        self._exhaustive.build(layer, inputs)
        self._layer, self._random, self.missed = layer, np.random.default_rng(self.seed), 0

    def pairs_above(self, batch: ArrayLike | Inputs, threshold: float) -> FireSet:
        layer = require_built(self._layer, self)
        batch, width = fitting(layer, batch, new=True), layer.width
        fires = self._exhaustive.pairs_above(batch, threshold)
        firing = np.bincount(fires.samples, minlength=len(batch))
        at_once = max(1, DRAWN_AT_ONCE // width)
        for first in range(0, len(batch), at_once):
            queries, missed = draw_reports(width, firing[first : first + at_once], self._random)
            self.work.oracle_queries += int(queries.sum())
            self.missed += int(missed.sum())
        return fires

    def moved(self, step: Step) -> None:
        """Nothing to do: the weights are read anew each time."""

    @property
    def nbytes(self) -> int:
        return 0

    def check_invariants(self) -> None:
        """Holds nothing that could be wrong."""
