"""Lazy training or features? Where the components of a decomposition ended, beside where they began."""

from dataclasses import dataclass

import numpy as np

from fewfire.errors import DataError
from fewfire.lab.overparameterized_cp import ALIKE, OverparameterizedCP
from fewfire.lab.symmetric_tensor import Floats, SymmetricTensor

LAZY, FEATURES = 0.1, 0.2  # turned: up to, and from which on


@dataclass(frozen=True, eq=False)
class TensorRegime:
    """How training went.

    Attributes
    ----------
    moved, turned : float
        See `OverparameterizedCP`.
    aligned : float
        The share of the components, each as heavy as it ended, that have a cosine above 0.99 with a factor.
    worst : float
        The cosine of the factor that is found least well with the component nearest to it.
    to_start, to_target : (m,)
        The cosine of each component with its start, and with the factor nearest to it.
    weights : (m,)
        |u_i|^2 as they ended, over their sum.
    """

    moved: float
    turned: float
    aligned: float
    worst: float
    to_start: Floats
    to_target: Floats
    weights: Floats

    @property
    def name(self) -> str:
        """Either "lazy", up to a turn of 0.1; "features", from 0.2 on; or "between"."""
        if self.turned < LAZY:
            return "lazy"
        return "features" if self.turned >= FEATURES else "between"


def regime(model: OverparameterizedCP, tensor: SymmetricTensor) -> TensorRegime:
    """How far the components of a fitted model turned, and whether they found the tensor's own.

    Raises
    ------
    DataError
        The tensor is an array, whose components are not known.
    """
    if tensor.array is not None:
        raise DataError(
            "the regime must be of a tensor whose factors are known. Got an array. Use from_factors, or look "
            "at turned_ of the model alone."
        )
    ended, began, factors = map(_units, (model.vectors_, model.start_, tensor.vectors))
    cosines = np.abs(ended @ factors.T)
    weights = np.square(model.vectors_).sum(axis=1)
    weights /= weights.sum()
    to_target = cosines.max(axis=1)
    return TensorRegime(
        model.moved_, model.turned_, float(weights @ (to_target > ALIKE)), float(cosines.max(axis=0).min()),
        np.einsum("id,id->i", ended, began), to_target, weights,
    )  # fmt: skip


def _units(rows: Floats) -> Floats:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
