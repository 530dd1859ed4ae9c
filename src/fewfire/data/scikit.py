"""The one door to scikit-learn, opened only when a reader needs it."""

from types import ModuleType

from fewfire.errors import DataError


def sklearn_datasets(purpose: str) -> ModuleType:
    """Import `sklearn.datasets`; `purpose` begins the message of the DataError if it is absent."""
    try:
        import sklearn.datasets
    except ImportError as error:
        raise DataError(
            f"{purpose} needs scikit-learn. Got: {error}. Run pip install 'fewfire[sklearn]'."
        ) from error
    return sklearn.datasets
