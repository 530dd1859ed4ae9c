"""From labels to targets, and from predictions to scores."""

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare.classes import Classes
from fewfire.prepare.targets import TargetScaling, is_given

MOST_CLASSES = 100


def scores(predicted: NDArray, labels: NDArray) -> dict[str, float]:
    """How good predictions are.

    "accuracy"; or "precision at k" for the best five of several labels; or "R2" and "RMSE" of real values.

    Parameters
    ----------
    predicted : (n,), or (n, 5) columns of labels, or (n, c) real values
        What `Model.labels` gives.
    labels : (n,), compared as texts: one that training never saw is predicted wrongly; or (n, k) booleans, or
        (n, c) real values. Rows without a label ("" or NaN) do not count.

    Notes
    -----
    Precision at k is the share of the first k predictions that are labels of their row, over all rows. R2 and
    RMSE of several targets are means over them, as those of scikit-learn; R2 is left out where a target has
    one value alone.
    """
    given = is_given(labels)
    predicted, labels = predicted[given], labels[given]
    if predicted.dtype.kind == "f":
        errors, spreads = (
            _root_mean_square(predicted - labels),
            _root_mean_square(labels - labels.mean(axis=0)),
        )
        figures = {"RMSE": float(errors.mean())}
        if (spreads == 0).any():
            return figures
        return {"R2": float(np.mean(1 - np.square(errors / spreads)))} | figures
    if predicted.ndim == 1:
        return {"accuracy": float(np.mean(labels.astype(str) == predicted.astype(str)))}
    right = np.take_along_axis(labels, predicted, axis=1)
    return {f"precision at {k}": float(right[:, :k].mean()) for k in (1, 3, 5) if k <= right.shape[1]}


def baseline_accuracy(labels: NDArray, test_labels: NDArray) -> float | None:
    """The accuracy of always the largest class of training; None where a row has no single class."""
    if labels.ndim > 1 or labels.dtype.kind == "f":
        return None
    values, counts = np.unique(labels, return_counts=True)
    return float(np.mean(test_labels.astype(str) == str(values[counts.argmax()])))


def confusion(
    coding: Classes | TargetScaling, predicted: NDArray, labels: NDArray
) -> dict[str, list[int]] | None:
    """For each class its rows, counted by the class that was predicted; None where there are no such classes.

    Beyond 100 classes no person would read it: None, too.
    """
    if isinstance(coding, TargetScaling) or coding.several or len(coding) > MOST_CLASSES:
        return None
    counts = np.zeros((len(coding), len(coding)), np.int64)
    np.add.at(counts, (coding.encode(labels), coding.encode(predicted)), 1)
    return {str(name): row.tolist() for name, row in zip(coding.values, counts, strict=True)}


def score_text(name: str, score: float) -> str:
    """A score for a person: an error has units of its own, all others are shares."""
    return f"{score:.4g}" if "RMSE" in name else f"{score:.4f}"


def _root_mean_square(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each column, (c,); no square overflows or vanishes."""
    largest = np.abs(values).max(axis=0)
    largest[largest == 0] = 1
    return largest * np.sqrt(np.square(values / largest).mean(axis=0))


def targets_of(coding: Classes | TargetScaling, labels: NDArray, loss: str) -> NDArray[np.float32]:
    """What a network learns: one-hot targets of labels, or standardized real values (n, c).

    Two classes are a single column of 0 and 1 with the logistic loss; labels of booleans (n, k) become 0 and
    1 each.

    Raises
    ------
    DataError
        A label is none of the classes.
    """
    if isinstance(coding, TargetScaling):
        return coding.transform(labels).astype(np.float32)
    if coding.several:
        return labels.astype(np.float32)
    codes = coding.encode(labels)
    if loss == "logistic" and len(coding) == 2:
        return codes[:, None].astype(np.float32)
    return coding.one_hot(codes, np.float32)
