"""How weights move."""

from fewfire.training.checkpoint import State
from fewfire.training.epochs import train_epochs
from fewfire.training.history import EpochRecord
from fewfire.training.methods import (
    METHODS,
    Adversarial,
    AdversarialRecord,
    CentredGaussNewton,
    Constant,
    Cosine,
    GaussNewton,
    GaussNewtonRecord,
    GradientDescent,
    Method,
    OutputRidge,
    Robust,
    Schedule,
    StepDecay,
)
from fewfire.training.observer import Observer, Observers
from fewfire.training.problem import Problem
from fewfire.training.trainer import Trainer

__all__ = [
    "METHODS",
    "Adversarial",
    "AdversarialRecord",
    "CentredGaussNewton",
    "Constant",
    "Cosine",
    "EpochRecord",
    "GaussNewton",
    "GaussNewtonRecord",
    "GradientDescent",
    "Method",
    "Observer",
    "Observers",
    "OutputRidge",
    "Problem",
    "Robust",
    "Schedule",
    "State",
    "StepDecay",
    "Trainer",
    "train_epochs",
]
