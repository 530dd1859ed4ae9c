"""fewfire: train very wide neural networks while touching only the neurons that fire."""

from fewfire.errors import DataError, FewfireError, MemoryLimitError, TrainingError
from fewfire.fire_set import FireSet
from fewfire.halfspace import HalfspaceReporter
from fewfire.indexes import (
    CorrelationTreeByNeuron,
    CorrelationTreeBySample,
    DataTreeIndex,
    DriftIndex,
    ExhaustiveIndex,
    GroverIndex,
    Index,
    ScreenedIndex,
    WeightTreeIndex,
    arrange,
)
from fewfire.inputs import Inputs
from fewfire.machine import (
    available_instruction_sets,
    instruction_set,
    set_threads,
    threads,
    use_instruction_set,
)
from fewfire.network import TwoLayerNetwork
from fewfire.training import EpochRecord, GaussNewtonRecord, GaussNewtonTrainer, Trainer, predict, train

__version__ = "0.1.0"

__all__ = [
    "CorrelationTreeByNeuron",
    "CorrelationTreeBySample",
    "DataError",
    "DataTreeIndex",
    "DriftIndex",
    "EpochRecord",
    "ExhaustiveIndex",
    "FewfireError",
    "FireSet",
    "GaussNewtonRecord",
    "GaussNewtonTrainer",
    "GroverIndex",
    "HalfspaceReporter",
    "Index",
    "Inputs",
    "MemoryLimitError",
    "ScreenedIndex",
    "Trainer",
    "TrainingError",
    "TwoLayerNetwork",
    "WeightTreeIndex",
    "arrange",
    "available_instruction_sets",
    "instruction_set",
    "predict",
    "set_threads",
    "threads",
    "train",
    "use_instruction_set",
]
