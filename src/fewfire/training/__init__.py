"""How weights move."""

from fewfire.training.checkpoint import State
from fewfire.training.choose import Choice, choose_index
from fewfire.training.gauss_newton import GaussNewtonRecord, GaussNewtonTrainer
from fewfire.training.history import EpochRecord
from fewfire.training.learning_rate import stable_learning_rate
from fewfire.training.loop import Trainer, predict, train
from fewfire.training.schedule import Constant, Cosine, Schedule, StepDecay

__all__ = [
    "Choice",
    "Constant",
    "Cosine",
    "EpochRecord",
    "GaussNewtonRecord",
    "GaussNewtonTrainer",
    "Schedule",
    "State",
    "StepDecay",
    "Trainer",
    "choose_index",
    "predict",
    "stable_learning_rate",
    "train",
]
