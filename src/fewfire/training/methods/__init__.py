"""How a step is taken: one file a method."""

from fewfire.training.methods.base import Method, Stepper
from fewfire.training.methods.gauss_newton import GaussNewton, GaussNewtonRecord
from fewfire.training.methods.gradient_descent import GradientDescent
from fewfire.training.methods.schedules import Constant, Cosine, Schedule, StepDecay

METHODS: dict[str, type[Method]] = {method.name: method for method in (GradientDescent, GaussNewton)}


def method_named(name: str) -> Method:
    """The method of this name with its default settings, one of METHODS.

    Raises
    ------
    ValueError
        There is none.
    """
    if name not in METHODS:
        raise ValueError(f"the method must be one of {', '.join(METHODS)}. Got {name!r}. Choose one of them.")
    return METHODS[name]()


__all__ = [
    "METHODS",
    "Constant",
    "Cosine",
    "GaussNewton",
    "GaussNewtonRecord",
    "GradientDescent",
    "Method",
    "Schedule",
    "StepDecay",
    "Stepper",
    "method_named",
]
