"""fewfire: train very wide neural networks while touching only the neurons that fire."""

from typing import TYPE_CHECKING, Any

from fewfire._version import __version__ as __version__
from fewfire.api import predict, train
from fewfire.core import FireSet, Inputs
from fewfire.data import load_dataset
from fewfire.errors import DataError, FewfireError, MemoryLimitError, TrainingError
from fewfire.halfspace import HalfspaceReporter
from fewfire.networks import TwoLayerNetwork
from fewfire.prepare import Classes, InputScaling
from fewfire.system.machine import info, set_threads, threads
from fewfire.training import GaussNewton, GradientDescent, Trainer

if TYPE_CHECKING:
    from fewfire.estimators import WideClassifier, WideRegressor

__all__ = [
    "Classes",
    "DataError",
    "FewfireError",
    "FireSet",
    "GaussNewton",
    "GradientDescent",
    "HalfspaceReporter",
    "InputScaling",
    "Inputs",
    "MemoryLimitError",
    "Trainer",
    "TrainingError",
    "TwoLayerNetwork",
    "WideClassifier",
    "WideRegressor",
    "info",
    "load_dataset",
    "predict",
    "set_threads",
    "threads",
    "train",
]


def __getattr__(name: str) -> Any:
    """The estimators, which need scikit-learn, when they are asked for."""
    if name not in ("WideClassifier", "WideRegressor"):
        raise AttributeError(f"module 'fewfire' has no attribute {name!r}")
    try:
        from fewfire import estimators
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "sklearn":
            raise
        raise ImportError(
            f"fewfire.{name} must have scikit-learn 1.6 or newer. Got none installed. "
            "Run pip install 'fewfire[sklearn]'."
        ) from error
    return getattr(estimators, name)


def __dir__() -> list[str]:
    return [*globals(), "WideClassifier", "WideRegressor"]
