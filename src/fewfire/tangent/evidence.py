"""The evidence of a kernel for targets with Gaussian noise, for all ridges at once and its best scale."""

import numpy as np
from numpy.typing import NDArray

from fewfire.system.machine import one_blas_thread

Floats = NDArray[np.float64]


def kernel_evidence(kernel: Floats, targets: Floats, ridges: Floats) -> Floats:
    """log N(y; 0, s (H + ridge)) at the scale s that makes it largest, (len(ridges),), in nats.

    With the eigenvalues l of H and the coordinates c of y among its eigenvectors

        s = 1/n sum_i c_i^2 / (l_i + ridge),
        log Z = -n/2 log s - 1/2 sum_i log(l_i + ridge) - n/2 (1 + log 2 pi).

    Parameters
    ----------
    kernel : (n, n)
    targets : (n,) or (n, c)
        Of several outputs each has its own scale, and the sum of all is returned.
    ridges : (k,), > 0

    Returns
    -------
    (k,) array
        Compare by differences only: a nat is a factor of e in probability.

    Raises
    ------
    ValueError
        A ridge is not above 0, or targets are all 0.
    numpy.linalg.LinAlgError
        The kernel holds NaN.

    Notes
    -----
    Cost: one eigenvalue problem, n (c + 1) per ridge.

    Source: Rasmussen and Williams, *Gaussian Processes for Machine Learning* 2006, section 5.4.1.

    Examples
    --------
    >>> kernel_evidence(np.eye(2), np.array([1.0, -1.0]), np.array([1.0])).round(3).tolist()
    [-2.838]
    """
    from scipy.linalg import eigh

    with one_blas_thread():
        values, vectors = eigh(kernel, check_finite=False)
    columns = targets.reshape(len(targets), -1)
    return evidence_of(values, np.square(vectors.T @ columns), ridges)


def evidence_of(values: Floats, squares: Floats, ridges: Floats) -> Floats:
    """The same from eigenvalues (n,) and squares of the targets' coordinates (n, c)."""
    ridges, n = np.asarray(ridges, np.float64), len(values)
    if not (ridges > 0).all() or not squares.any(axis=0).all():
        raise ValueError(
            "ridges must be above 0, and each column of targets not all 0. Got "
            f"ridges from {ridges.min():g}. Give a ridge, and targets that vary."
        )
    damped = np.maximum(values, 0)[:, None] + ridges
    scales = squares.T @ (1 / damped) / n  # (c, k)
    each = -n / 2 * np.log(scales) - np.log(damped).sum(axis=0) / 2 - n / 2 * (1 + np.log(2 * np.pi))
    return each.sum(axis=0)
