"""How weights move."""

from fewfire.training.checkpoint import State
from fewfire.training.history import EpochRecord
from fewfire.training.methods.gauss_newton import GaussNewtonRecord, GaussNewtonTrainer
from fewfire.training.methods.schedules import Constant, Cosine, Schedule, StepDecay
from fewfire.training.trainer import Trainer

__all__ = [
    "Constant",
    "Cosine",
    "EpochRecord",
    "GaussNewtonRecord",
    "GaussNewtonTrainer",
    "Schedule",
    "State",
    "StepDecay",
    "Trainer",
]
