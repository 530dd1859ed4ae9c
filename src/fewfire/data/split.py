"""A test part for sources that have none."""

import numpy as np

from fewfire.errors import DataError


def split_ids(
    labels: np.ndarray, test_fraction: float, seed: int, where: str = "the data"
) -> tuple[np.ndarray, np.ndarray]:
    """Row ids of a random training part and test part, each ascending.

    Parameters
    ----------
    labels : array (n,), or (n, k) of several labels or targets
        One row of every class stays in training, so that no test label is unknown there.
    test_fraction : float, in (0, 1)
        Rounded to whole rows; at least one.
    seed : int, >= 0
        The same seed gives the same split.
    where : str
        Names the rows in messages.

    Raises
    ------
    DataError
        The fraction is outside (0, 1), or there are as many classes as rows.
    """
    if not 0 < test_fraction < 1:
        raise DataError(f"test_fraction must lie strictly between 0 and 1. Got {test_fraction}. Use 0.2.")
    if labels.ndim > 1:
        labels = np.zeros(len(labels))  # no classes
    order = np.random.default_rng(seed).permutation(len(labels))
    kept = np.unique(labels[order], return_index=True)[1]
    if len(kept) == len(labels):
        raise DataError(
            f"A source without a test part must have more rows than classes. Got {len(labels)} "
            f"rows, each of its own class, in {where}. Check which column holds the labels, or add samples."
        )
    order = np.concatenate([order[kept], np.delete(order, kept)])
    n_test = min(max(1, round(test_fraction * len(labels))), len(labels) - len(kept))
    return np.sort(order[:-n_test]), np.sort(order[-n_test:])
