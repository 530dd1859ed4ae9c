"""Attacks on a network's inputs, and how it stands them."""

from fewfire.adversarial.attack import Attack
from fewfire.adversarial.ball import Ball, Box
from fewfire.adversarial.objective import Objective
from fewfire.adversarial.robustness import AttackInterrupted, Robustness, robust_accuracy
from fewfire.adversarial.surface import Surface

__all__ = [
    "Attack",
    "AttackInterrupted",
    "Ball",
    "Box",
    "Objective",
    "Robustness",
    "Surface",
    "robust_accuracy",
]
