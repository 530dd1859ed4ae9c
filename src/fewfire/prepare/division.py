"""Rows divided among networks: each part is cut in two along the direction in which its rows differ most.

A kernel machine costs n^2 kernel values and n^3 for its solution; k parts of n / k rows cost k times less for
the first and k^2 times less for the second, and each part sees its own rows nearer, as all directions are
centred on them. docs/theory/large_tables.md has what was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare.member import Member
from fewfire.prepare.preparation import Preparation
from fewfire.prepare.scaling import directed, undirected
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
        Whose standardized columns (D,) are cut.
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

        Notes
        -----
        Cost: log2(n / most) times n k^2, for k directions.
        """
        rows, weights = preparation.standardized(inputs), preparation.scaling.directions
        directions: list[Floats] = []
        bounds: list[float] = []
        sides: list[list[int]] = []
        n_parts = 0

        def divided(ids: Ids) -> int:
            nonlocal n_parts
            cut = _cut(rows[ids], weights) if len(ids) > most else None
            if cut is None:
                n_parts += 1
                return -n_parts
            number = len(sides)
            direction, bound = cut
            directions.append(direction)
            bounds.append(bound)
            sides.append([0, 0])
            first = _along(rows[ids], direction) <= bound
            sides[number] = [divided(ids[first]), divided(ids[~first])]
            return number

        divided(np.arange(len(rows)))
        known = np.array(directions).reshape(len(sides), rows.shape[1])
        return cls(preparation, known, np.array(bounds), np.array(sides, np.int32).reshape(-1, 2))

    @property
    def n_parts(self) -> int:
        return len(self.sides) + 1

    def places(self, inputs: NDArray) -> Ids:
        """The part (n,) of each row of inputs (n, d); a row's does not depend on the other rows."""
        places = np.full(len(inputs), 0 if len(self.sides) else -1, np.int64)
        with np.errstate(over="ignore", invalid="ignore"):  # a row that is too large is refused in its part
            rows = self.preparation.standardized(inputs)
            for cut, (direction, bound) in enumerate(zip(self.directions, self.bounds, strict=True)):
                here = np.flatnonzero(places == cut)
                first = _along(rows[here], direction) <= bound
                places[here] = np.where(first, *self.sides[cut])
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


def _cut(rows: Floats, weights: Floats | None) -> tuple[Floats, float] | None:
    """The direction (D,) in which weighed rows differ most, and their median; None where they are all alike.

    In terms of the rows themselves, so that it takes no product of matrices to tell a row's side.
    """
    centred = directed(rows - rows.mean(axis=0), weights)
    with one_blas_thread():  # the same cut for any number of threads
        principal = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    direction = undirected(principal, weights)
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
        outputs[ids] = member.outputs(inputs[ids])
    return outputs
