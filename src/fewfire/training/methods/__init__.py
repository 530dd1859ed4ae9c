"""How a step is taken: one file a method."""

from fewfire.system.words import require_one_of
from fewfire.training.methods.adversarial import Adversarial, AdversarialRecord
from fewfire.training.methods.base import Method, Stepper
from fewfire.training.methods.centred import CentredGaussNewton
from fewfire.training.methods.certified import Robust
from fewfire.training.methods.gauss_newton import GaussNewton, GaussNewtonRecord
from fewfire.training.methods.gradient_descent import GradientDescent
from fewfire.training.methods.output_ridge import OutputRidge
from fewfire.training.methods.schedules import Constant, Cosine, Schedule, StepDecay

METHODS: dict[str, type[Method]] = {method.name: method for method in (GradientDescent, GaussNewton)}


def method_named(name: str) -> Method:
    """The method of this name with its default settings, one of METHODS.

    Raises
    ------
    ValueError
        There is none.
    """
    require_one_of(name, METHODS, "the method")
    return METHODS[name]()


__all__ = [
    "Adversarial",
    "AdversarialRecord",
    "METHODS",
    "CentredGaussNewton",
    "Constant",
    "Cosine",
    "GaussNewton",
    "GaussNewtonRecord",
    "GradientDescent",
    "Method",
    "OutputRidge",
    "Robust",
    "Schedule",
    "StepDecay",
    "Stepper",
    "method_named",
]
