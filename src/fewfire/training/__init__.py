"""How weights move."""

from fewfire.training.history import EpochRecord
from fewfire.training.learning_rate import stable_learning_rate
from fewfire.training.loop import Trainer, predict, train
from fewfire.training.schedule import Constant, Cosine, Schedule, StepDecay

__all__ = [
    "Constant",
    "Cosine",
    "EpochRecord",
    "Schedule",
    "StepDecay",
    "Trainer",
    "predict",
    "stable_learning_rate",
    "train",
]
