"""From labels to targets, and from predictions to scores."""

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare.classes import Classes


def scores(predicted: NDArray, labels: NDArray) -> dict[str, float]:
    """How good predictions are: "accuracy", or "precision at k" for the best five of several labels.

    Parameters
    ----------
    predicted : (n,), or (n, 5) columns of labels
        What `Model.labels` gives.
    labels : (n,), compared as texts: one that training never saw is predicted wrongly; or (n, k) booleans

    Notes
    -----
    Precision at k is the share of the first k predictions that are labels of their row, over all rows.
    """
    if predicted.ndim == 1:
        return {"accuracy": float(np.mean(labels.astype(str) == predicted.astype(str)))}
    right = np.take_along_axis(labels, predicted, axis=1)
    return {f"precision at {k}": float(right[:, :k].mean()) for k in (1, 3, 5) if k <= right.shape[1]}


def targets_of(classes: Classes, labels: NDArray, loss: str) -> NDArray[np.float32]:
    """One-hot targets of labels; a single column of 0 and 1 for two classes with the logistic loss.

    Labels of booleans (n, k) become 0 and 1 each.

    Raises
    ------
    DataError
        A label is none of the classes.
    """
    if classes.several:
        return labels.astype(np.float32)
    codes = classes.encode(labels)
    if loss == "logistic" and len(classes) == 2:
        return codes[:, None].astype(np.float32)
    return classes.one_hot(codes, np.float32)
