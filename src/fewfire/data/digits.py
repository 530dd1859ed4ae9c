"""The small handwritten digits that come with scikit-learn."""

from fewfire.data.dataset import Rows
from fewfire.data.scikit import sklearn_datasets


def read_digits() -> Rows:
    """Read the 1,797 images of 8 x 8 pixels: float64 inputs (1797, 64) in 0..16, labels 0..9.

    Raises
    ------
    DataError
        scikit-learn is not installed.
    """
    inputs, labels = sklearn_datasets("The built-in digits").load_digits(return_X_y=True)
    return Rows(inputs, labels)
