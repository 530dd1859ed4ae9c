"""Labels as targets: one column per class or label, or one alone for the second of two classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target


@dataclass(frozen=True, eq=False)
class Labels:
    """The classes of training.

    Attributes
    ----------
    classes : (k,)
    several : bool
        Whether a sample may have several of k labels.
    """

    classes: NDArray
    several: bool

    @classmethod
    def of(cls, labels: NDArray) -> "Labels":
        """Those of labels (n,), or (n, k) of 0 and 1.

        Raises
        ------
        ValueError
            They are neither, or of one class.
        """
        check_classification_targets(labels)
        several = type_of_target(labels) == "multilabel-indicator"
        if labels.ndim == 2 and not several:
            raise ValueError(
                f"y must be (n,) labels or (n, k) of 0 and 1. Got shape {labels.shape} with other values. "
                "Fit one classifier a column."
            )
        classes = np.arange(labels.shape[1]) if several else np.unique(labels)
        if len(classes) < 2 and not several:
            raise ValueError(
                f"y must hold at least two classes. Got 1 class: {classes[0]!r}. Add another's samples."
            )
        return cls(classes, several)

    def targets(self, labels: NDArray) -> NDArray[np.float64]:
        """1 for a sample's labels, 0 for others: (n, k), or (n, 1) for the second of two classes.

        Raises
        ------
        ValueError
            There are others than those of training.
        """
        if self.several:
            if labels.ndim != 2 or labels.shape[1] != len(self.classes):
                raise ValueError(
                    f"y must be (n, {len(self.classes)}) of 0 and 1, as at first. Got shape {labels.shape}."
                )
            return labels.astype(np.float64)
        codes = np.minimum(np.searchsorted(self.classes, labels), len(self.classes) - 1)
        unknown = self.classes[codes] != labels
        if unknown.any():
            raise ValueError(
                f"y must hold the classes {self.classes} alone. Got {labels[np.argmax(unknown)]!r} in row "
                f"{np.argmax(unknown)}. Name all classes in the first call."
            )
        one_hot = np.eye(len(self.classes))[codes]
        return one_hot[:, 1:] if len(self.classes) == 2 else one_hot

    def codes(self, targets: NDArray) -> NDArray[np.int64]:
        """The place (n,) of each sample's class; of several labels, whether (n k,) it has each."""
        if self.several:
            return targets.ravel().astype(np.int64)
        return targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0].astype(np.int64)
