"""Rows divided among networks: each part is cut in two along the direction in which its rows differ most.

A kernel machine costs n^2 kernel values and n^3 for its solution; k parts of n / k rows cost k times less for
the first and k^2 times less for the second, and each part sees its own rows nearer, as all directions are
centred on them. docs/theory/large_tables.md has what was measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare.member import Member
from fewfire.prepare.preparation import CHUNK_ROWS, Preparation
from fewfire.prepare.scaling import directed, require_finite_norms
from fewfire.system.machine import one_blas_thread

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
DIVISION = "division "  # what the names of its arrays begin with


@dataclass(frozen=True, eq=False)
class Division:
    """A tree of cuts through prepared rows.

    Attributes
    ----------
    preparation : Preparation
        Whose standardized columns (D,) are cut, but for those of weight 0.
    directions : (n_cuts, D)
    bounds : (n_cuts,)
        A row x goes to the first side of a cut if its direction^T x <= its bound, else to the second.
    sides : (n_cuts, 2) int32
        The cut that follows on either side; -1 - k for part k.
    """

    preparation: Preparation
    directions: Floats
    bounds: Floats
    sides: NDArray[np.int32]

    @classmethod
    def of(cls, preparation: Preparation, inputs: NDArray, most: int) -> "Division":
        """Cut at medians along first principal directions of the weighed columns, until parts are small.

        Parameters
        ----------
        preparation : Preparation
        inputs : (n, d)
        most : int, >= 1
            Rows of a part; more only where they are all alike.

        Raises
        ------
        DataError
            A row is not finite or too large.

        Notes
        -----
        Cost: log2(n / most) times n k^2, for k directions. Memory: the columns that are cut, in float64.
        """
        rows = np.concatenate([rows for _, rows in _chunks(preparation, inputs)])
        weights = _weights(preparation)
        cuts: list[tuple[Floats, float]] = []
        sides: list[list[int]] = []
        n_parts = 0

        def divided(ids: Ids) -> int:
            nonlocal n_parts
            cut = _cut(rows[ids], weights) if len(ids) > most else None
            if cut is None:
                n_parts += 1
                return -n_parts
            number = len(cuts)
            cuts.append(cut)
            sides.append([])
            first = _along(rows[ids], cut[0]) <= cut[1]
            sides[number] = [divided(ids[first]), divided(ids[~first])]
            return number

        divided(np.arange(len(rows)))
        directions = np.array([direction for direction, _ in cuts]).reshape(len(cuts), rows.shape[1])
        bounds = np.array([bound for _, bound in cuts])
        return cls(preparation, directions, bounds, np.array(sides, np.int32).reshape(-1, 2))

    @property
    def n_parts(self) -> int:
        return len(self.sides) + 1

    def places(self, inputs: NDArray) -> Ids:
        """The part (n,) of each row of inputs (n, d); a row's does not depend on the other rows.

        Raises
        ------
        DataError
            A row is not finite or too large, or there are other columns than in training.
        """
        places = np.full(len(inputs), 0 if len(self.sides) else -1, np.int64)
        for part, rows in _chunks(self.preparation, inputs):
            for cut, (direction, bound) in enumerate(zip(self.directions, self.bounds, strict=True)):
                here = np.flatnonzero(places[part] == cut)
                first = _along(rows[here], direction) <= bound
                places[part][here] = np.where(first, *self.sides[cut])
        return -1 - places

    def parts(self, inputs: NDArray) -> list[Ids]:
        """The rows of each part."""
        places = self.places(inputs)
        return [np.flatnonzero(places == part) for part in range(self.n_parts)]

    def state(self) -> dict[str, NDArray]:
        """All of it as arrays by name."""
        state = self.preparation.state() | {
            "cut directions": self.directions, "cut bounds": self.bounds, "cut sides": self.sides,
        }  # fmt: skip
        return {DIVISION + name: array for name, array in state.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> "Division | None":
        """The inverse of `state`; None where other names are all there is."""
        own = {name.removeprefix(DIVISION): array for name, array in state.items()
               if name.startswith(DIVISION)}  # fmt: skip
        if not own:
            return None
        sides = own["cut sides"]
        return cls(Preparation.from_state(own), own["cut directions"], own["cut bounds"], sides)


def _weights(preparation: Preparation) -> Floats | None:
    """The directions of a preparation without those columns that count for nothing: (D,), (k, D) or None."""
    directions = preparation.scaling.directions
    return directions if directions is None or directions.ndim == 2 else directions[directions != 0]


def _chunks(preparation: Preparation, inputs: NDArray) -> Iterator[tuple[slice, Floats]]:
    """Standardized columns (rows, D) of some inputs after others: coded columns may take far more room."""
    directions = preparation.scaling.directions
    kept = slice(None) if directions is None or directions.ndim == 2 else directions != 0
    for first in range(0, max(1, len(inputs)), CHUNK_ROWS):
        part = slice(first, first + CHUNK_ROWS)
        with np.errstate(over="ignore", invalid="ignore"):
            rows = preparation.standardized(inputs[part])[:, kept]
            require_finite_norms(np.square(rows).sum(axis=1), first)
        yield part, rows


def _cut(rows: Floats, weights: Floats | None) -> tuple[Floats, float] | None:
    """The direction (D,) in which weighed rows differ most, and their median; None where they are all alike.

    In terms of the rows themselves, so that it takes no product of matrices to tell a row's side.
    """
    centred = directed(rows - rows.mean(axis=0), weights)
    with one_blas_thread():  # the same cut for any number of threads
        direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    if weights is not None:
        direction = weights * direction if weights.ndim == 1 else weights.T @ direction
    along = _along(rows, direction)
    bound = float(np.median(along))
    if bound == along.max():
        bound = float(along[along < bound].max(initial=-np.inf))
    return None if np.isinf(bound) else (direction, bound)


def _along(rows: Floats, direction: Floats) -> Floats:
    """<direction, x> of each row, summed in one order however many rows there are."""
    return (rows * direction).sum(axis=1)


def outputs_of(members: Sequence[Member], division: Division | None, inputs: NDArray) -> Floats:
    """Outputs (n, c) for coded rows (n, d): the mean of the networks, or of each row's own part's."""
    if division is None:
        return np.mean([member.outputs(inputs) for member in members], axis=0)
    outputs = np.empty((len(inputs), members[0].network.n_outputs))
    for member, ids in zip(members, division.parts(inputs), strict=True):
        if len(ids):
            outputs[ids] = member.outputs(inputs[ids])
    return outputs
