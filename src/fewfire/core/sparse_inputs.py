"""Inputs that are mostly 0: what a layer of a deep network hands to the next."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.view import core_class


@dataclass(frozen=True)
class SparseInputs:
    """Samples by the features that are not 0, in CSR form.

    Attributes
    ----------
    begins : (n + 1,) int64
        The features of sample i are those at begins[i] .. begins[i + 1] - 1.
    ids : (n_pairs,) int32
        Features, ascending for each sample.
    values : (n_pairs,) float32 or float64
    n_features : int
    """

    begins: NDArray[np.int64]
    ids: NDArray[np.int32]
    values: NDArray
    n_features: int

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.begins) - 1

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    def dense(self) -> NDArray:
        """The samples with their zeros, (n, n_features)."""
        samples = np.zeros((len(self), self.n_features), self.dtype)
        samples[np.repeat(np.arange(len(self)), np.diff(self.begins)), self.ids] = self.values
        return samples

    @cached_property
    def core_view(self) -> Any:
        """The samples as the compiled core takes them; no copy."""
        return core_class("SparseInputs", self.dtype)(self.begins, self.ids, self.values)
