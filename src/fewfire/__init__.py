"""fewfire: train very wide neural networks while touching only the neurons that fire."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fewfire._version import __version__ as __version__

try:
    from fewfire.system.machine import info, set_threads, threads
except ValueError:  # of a setting in the environment: each name raises it again, and the command tells it
    pass
else:
    from fewfire.api import predict, train
    from fewfire.core import FireSet, Inputs
    from fewfire.errors import DataError, ExactnessError, FewfireError, MemoryLimitError, TrainingError
    from fewfire.halfspace import HalfspaceReporter
    from fewfire.networks import DeepNetwork, TwoLayerNetwork
    from fewfire.prepare import Classes, InputScaling
    from fewfire.training import GaussNewton, GradientDescent, Trainer

if TYPE_CHECKING:
    from fewfire.data import load_dataset
    from fewfire.estimators import WideClassifier, WideRegressor

# Names that are loaded when they are asked for: readers take time, and the estimators scikit-learn.
_LATER = {"load_dataset": "data", "WideClassifier": "estimators", "WideRegressor": "estimators"}

__all__ = [
    "Classes",
    "DataError",
    "DeepNetwork",
    "ExactnessError",
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
    """The names that are loaded when they are asked for."""
    if name in __all__ and name not in _LATER:
        import_module("fewfire.system.machine")  # which raises what it raised at first
    if name not in _LATER:
        raise AttributeError(f"module 'fewfire' has no attribute {name!r}")
    from fewfire.system.later import with_scikit_learn

    return with_scikit_learn(f"fewfire.{_LATER[name]}", name, f"fewfire.{name}")


def __dir__() -> list[str]:
    return [*globals(), *_LATER]
