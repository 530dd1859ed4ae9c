"""How weights move."""

from fewfire.training.history import EpochRecord
from fewfire.training.learning_rate import stable_learning_rate
from fewfire.training.loop import Trainer, predict, train

__all__ = ["EpochRecord", "Trainer", "predict", "stable_learning_rate", "train"]
