"""fewfire: train very wide neural networks while touching only the neurons that fire."""

from fewfire._version import __version__ as __version__
from fewfire.api import predict, train
from fewfire.core import FireSet, Inputs
from fewfire.errors import DataError, FewfireError, MemoryLimitError, TrainingError
from fewfire.halfspace import HalfspaceReporter
from fewfire.networks import TwoLayerNetwork
from fewfire.prepare import Classes, InputScaling
from fewfire.system.machine import set_threads, threads
from fewfire.training import GaussNewton, GradientDescent, Trainer

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
    "predict",
    "set_threads",
    "threads",
    "train",
]
