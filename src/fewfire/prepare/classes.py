"""Labels as the user wrote them <-> the codes 0 .. k-1 that a network learns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fewfire.errors import DataError


@dataclass(frozen=True, eq=False)
class Classes:
    """The different labels of a training set, in sorted order; code c stands for `values[c]`.

    Attributes
    ----------
    values : array (k,), integers or strings
        Sorted, without repetition.
    several : bool
        Whether a row may have several of them, or none: labels are booleans (n, k) then, and have no codes.

    Examples
    --------
    >>> classes = Classes.of(np.array(["wine", "beer", "wine"]))
    >>> classes.encode(np.array(["wine", "beer"])).tolist()
    [1, 0]
    >>> classes.decode(np.array([0])).tolist()
    ['beer']
    """

    values: np.ndarray
    several: bool = False

    @classmethod
    def of(cls, labels: np.ndarray) -> "Classes":
        """The classes that occur in labels (n,), or the numbers 0 .. k-1 of the columns of labels (n, k)."""
        return cls(np.unique(labels)) if labels.ndim == 1 else cls(np.arange(labels.shape[1]), several=True)

    def __len__(self) -> int:
        return len(self.values)

    def encode(self, labels: np.ndarray) -> npt.NDArray[np.int64]:
        """Codes (n,) of labels (n,), compared by their text: 1 and "1" are the same class.

        Raises
        ------
        DataError
            A label is none of the classes.
        """
        code_of = {str(value): code for code, value in enumerate(self.values.tolist())}
        distinct, inverse = np.unique(labels, return_inverse=True)
        unknown = [label for label in distinct.tolist() if str(label) not in code_of]
        if unknown:
            known = ", ".join(list(code_of)[:10]) + (", ..." if len(self) > 10 else "")
            raise DataError(
                f"Every label must be one of the {len(self)} classes of training ({known}). "
                f"Got {unknown[0]!r}. Remove its rows, or train with samples of it."
            )
        codes = np.array([code_of[str(label)] for label in distinct.tolist()], np.int64)
        return codes[inverse]

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Labels (n,) of codes (n,), integers in 0 .. k-1; the dtype is that of `values`."""
        return self.values[codes]

    def one_hot(self, codes: np.ndarray, dtype: npt.DTypeLike = np.float32) -> np.ndarray:
        """Targets (n, k): 1 at the code of each row, 0 elsewhere."""
        targets = np.zeros((len(codes), len(self)), dtype)
        targets[np.arange(len(codes)), codes] = 1
        return targets

    def state(self) -> list[Any]:
        """The values as a list that JSON can hold."""
        return self.values.tolist()

    @classmethod
    def from_state(cls, state: Sequence[Any], *, several: bool = False) -> "Classes":
        """The inverse of `state`."""
        return cls(np.array(state), several)
