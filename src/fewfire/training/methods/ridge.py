"""What a ridge draws the weights to, ridge/2 |w - anchor|^2, as a Gauss-Newton step sees it.

A step with pulls g moves the weights by -J^T g. With one batch the anchor is where training began, w_0. With
several batches a step over one of them that drew the weights back to w_0 would undo what the others have
done. There the anchor is the weights without this batch's own part,

    w + J^T alpha,    alpha the sum of all pulls that its samples have given,

so that each step solves for its own alpha and leaves those of the others: block coordinate ascent of the dual
problem, which converges to the solution over all samples (docs/theory/gauss_newton.md).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fewfire.core.rows import ROWS_AT_A_TIME
from fewfire.networks.layer import Layer
from fewfire.tangent.deep_gram import DeepGram
from fewfire.tangent.gram import FiringGram, Floats

Gram = FiringGram | DeepGram


class Ridge:
    """The distance D = w - anchor of a step's weights: none, where there is no ridge.

    Attributes
    ----------
    moves_all : bool
        Whether `draw` moves neurons that do not fire, too.
    """

    moves_all: bool = False

    @property
    def moving_rows(self) -> dict[str, NDArray]:
        """What `keep` changes."""
        return {}

    @property
    def fixed_rows(self) -> dict[str, NDArray]:
        """What the distance depends on, beside that and the weights."""
        return {}

    def go_on_after(self, steps: int) -> None:
        """The fixed and moving rows are now as they were after so many steps."""

    def response(self, gram: Gram, ids: NDArray[np.int64]) -> Floats | None:
        """J D, (n, c), for a batch of these samples; None for a D of 0."""
        return None

    def distance(self) -> float:
        """|D|^2."""
        return 0.0

    def draw(self, pulls: Floats, share: float) -> Floats:
        """Move by -share D, or by pulls that do so: then they are added to these."""
        return pulls

    def undo(self) -> None:
        """Forget `draw`: the weights are as they were before it."""

    def keep(self) -> None:
        """The step is taken."""


class ToStart(Ridge):
    """To where training began: all neurons move."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._rows = [layer.weight_rows for layer in layers]
        self._initial = [rows.copy() for rows in self._rows]

    @property
    def fixed_rows(self) -> dict[str, NDArray]:
        return {f"initial_weights {number}" if number > 1 else "initial_weights": rows
                for number, rows in enumerate(self._initial, 1)}  # fmt: skip

    def go_on_after(self, steps: int) -> None:
        self.moves_all = steps > 0

    def _away(self) -> list[NDArray]:
        """D, for each layer."""
        return [rows - initial for rows, initial in zip(self._rows, self._initial, strict=True)]

    def response(self, gram: Gram, ids: NDArray[np.int64]) -> Floats | None:
        return gram.response(self._away()) if self.moves_all else None

    def distance(self) -> float:
        return sum(float(np.einsum("rf,rf->", away, away, dtype=np.float64)) for away in self._away())

    def draw(self, pulls: Floats, share: float) -> Floats:
        if not self.moves_all:
            return pulls
        for rows, initial in zip(self._rows, self._initial, strict=True):
            for first in range(0, len(rows), ROWS_AT_A_TIME):
                part = slice(first, first + ROWS_AT_A_TIME)
                rows[part] -= rows.dtype.type(share) * (rows[part] - initial[part])
        return pulls

    def keep(self) -> None:
        self.moves_all = True  # from now on they are not where they began


class OfOwnPart(Ridge):
    """To the weights without what the batch's own samples have moved them by.

    Parameters
    ----------
    n_samples, n_outputs : int
        Size of the training set. Memory: 8 bytes per sample and output.
    """

    def __init__(self, n_samples: int, n_outputs: int) -> None:
        self._pulls = np.zeros((n_samples, n_outputs))

    @property
    def moving_rows(self) -> dict[str, NDArray]:
        return {"pulls": self._pulls}

    def response(self, gram: Gram, ids: NDArray[np.int64]) -> Floats:
        self._gram, self._ids = gram, ids
        self._before = self._own = self._pulls[ids]
        self._image = gram.times(self._own)
        return -self._image

    def distance(self) -> float:
        return float(np.vdot(self._own, self._image))

    def draw(self, pulls: Floats, share: float) -> Floats:
        pulls = pulls - share * self._before
        self._own = self._before + pulls
        self._image = self._gram.times(self._own)
        return pulls

    def undo(self) -> None:
        self._own = self._before

    def keep(self) -> None:
        self._pulls[self._ids] = self._own
