"""Names whose modules need what a plain installation lacks."""

from importlib import import_module
from typing import Any


def with_scikit_learn(module: str, name: str, public: str) -> Any:
    """A name of a module that imports scikit-learn.

    Parameters
    ----------
    public : str
        Where users find it.

    Raises
    ------
    ImportError
        Scikit-learn is not installed.
    """
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "sklearn":
            raise
        raise ImportError(
            f"{public} must have scikit-learn 1.6 or newer. Got none installed. "
            "Run pip install 'fewfire[sklearn]'."
        ) from error
