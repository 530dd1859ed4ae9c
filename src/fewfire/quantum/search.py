"""Grover search for an unknown number of marked items, all of them: its oracle queries, drawn and expected.

Amplitudes of marked items stay equal to each other, and so do those of the others. Two numbers, an angle,
describe the state of any number of items exactly, and a search is simulated by drawing its measurements.

Sources: Grover (STOC 1996). The search for an unknown number of items is that of Boyer, Brassard, Hoyer,
Tapp, *Tight bounds on quantum searching* (1996, arXiv quant-ph/9605034). docs/theory/grover.md derives the
rest.
"""

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

GROWTH = 6 / 5  # of the bound on iterations, from round to round: lambda of the paper
PATIENCE = 25  # rounds at the largest bound that find nothing, before a search gives up: (3/4)^25 < 1 / 1000


class Searches(NamedTuple):
    """The queries that each search takes, and whether, or how likely, it gives up."""

    queries: NDArray
    gives_up: NDArray


def angles(n_items: int, marked: ArrayLike) -> NDArray[np.float64]:
    """theta, with sin^2 theta = marked / n_items: of the uniform state from the plane of unmarked items."""
    marked = np.asarray(marked, np.float64)
    return np.arctan2(np.sqrt(marked), np.sqrt(n_items - marked))


def chances(n_items: int, marked: ArrayLike, iterations: ArrayLike) -> NDArray[np.float64]:
    """Probabilities that a marked item is measured after this many iterations: each turns by 2 theta.

    Examples
    --------
    >>> chances(1024, 1, [0, 10, 25]).round(3).tolist()
    [0.001, 0.372, 0.999]
    """
    return np.sin((2 * np.asarray(iterations) + 1) * angles(n_items, marked)) ** 2


def round_bounds(n_items: int, patience: int = PATIENCE) -> NDArray[np.int64]:
    """The bounds below which each round of a search draws its iterations, until it gives up."""
    growing, bound = [], 1.0
    while bound < sqrt(n_items):
        growing.append(ceil(bound))
        bound *= GROWTH
    return np.array(growing + patience * [ceil(sqrt(n_items))])


def draw_searches(
    n_items: int, marked: NDArray[np.int64], random: np.random.Generator, patience: int = PATIENCE
) -> Searches:
    """Run independent searches for one item each.

    Parameters
    ----------
    n_items : int, >= 1
    marked : (n_searches,) int
        Items that are marked, 0 .. n_items.
    random : Generator
    patience : int, >= 1

    Returns
    -------
    Searches
        Queries (n_searches,) int64: one an iteration, and one a round to check what was measured. Gives up
        (n_searches,) bool: always where nothing is marked.
    """
    queries, searching = np.zeros(len(marked), np.int64), np.arange(len(marked))
    for bound in round_bounds(n_items, patience):
        iterations = random.integers(0, bound, len(searching))
        queries[searching] += iterations + 1
        found = random.random(len(searching)) < chances(n_items, marked[searching], iterations)
        searching = searching[~found]
    gives_up = np.zeros(len(marked), bool)
    gives_up[searching] = True
    return Searches(queries, gives_up)


def draw_reports(
    n_items: int, marked: NDArray[np.int64], random: np.random.Generator, patience: int = PATIENCE
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find all marked items, one search after the other, until one gives up.

    Parameters
    ----------
    n_items : int, >= 1
    marked : (n_reports,) int
        Items that are marked at first; each one that is found is no longer.
    random : Generator
    patience : int, >= 1

    Returns
    -------
    queries, missed : (n_reports,) int64
        The last search included; items that were still marked when it gave up.

    Notes
    -----
    Time and memory are of the order of the marked items.
    """
    searches = marked + 1
    ends = np.cumsum(searches)
    begins = ends - searches
    left = np.repeat(ends, searches) - 1 - np.arange(searches.sum())  # marked, marked - 1, .., 0 for each
    drawn = draw_searches(n_items, left, random, patience)
    missed = np.maximum.reduceat(np.where(drawn.gives_up, left, 0), begins)
    made = left >= np.repeat(missed, searches)  # none is made after one that gave up
    return np.add.reduceat(np.where(made, drawn.queries, 0), begins), missed


def mean_chances(n_items: int, marked: ArrayLike, bound: int) -> NDArray[np.float64]:
    """Probabilities that a round finds a marked item: the mean of `chances` over all iterations < bound."""
    marked = np.asarray(marked)
    some = (marked > 0) & (marked < n_items)
    theta = angles(n_items, np.where(some, marked, 1))
    mean = 0.5 - np.sin(4 * bound * theta) / (4 * bound * np.sin(2 * theta))
    return np.where(some, mean, marked / n_items)  # none and all are certain: the formula's limits


def expected_searches(n_items: int, marked: ArrayLike, patience: int = PATIENCE) -> Searches:
    """What `draw_searches` draws, on average, exactly: a sum over the rounds."""
    marked = np.asarray(marked)
    searching, queries = np.ones(marked.shape), np.zeros(marked.shape)
    for bound in round_bounds(n_items, patience):
        queries += searching * (bound + 1) / 2
        searching = searching * (1 - mean_chances(n_items, marked, int(bound)))
    return Searches(queries, searching)


def expected_report(n_items: int, marked: int, patience: int = PATIENCE) -> tuple[float, float]:
    """(queries, missed) of `draw_reports`, on average, exactly."""
    left = np.arange(marked, -1, -1)
    queries, gives_up = expected_searches(n_items, left, patience)
    reached = np.cumprod(np.append(1, 1 - gives_up[:-1]))  # the probability that each search is made
    return float(reached @ queries), float((reached * gives_up) @ left)
