"""Trainers as most tests want them: settings of method and problem side by side."""

from dataclasses import fields
from typing import Any

from fewfire import train
from fewfire.plan import plan_trainer
from fewfire.training import EpochRecord, GaussNewton, GradientDescent, Method, Trainer


def _split(method: type[Method], settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with those of the method made a method."""
    names = {field.name for field in fields(method)}  # type: ignore[arg-type]
    own = {name: value for name, value in settings.items() if name in names}
    others = {name: value for name, value in settings.items() if name not in names}
    return {"method": method(**own), **others}


def descent_trainer(network, inputs, targets, **settings: Any) -> Trainer:
    return plan_trainer(network, inputs, targets, **_split(GradientDescent, settings))


def gauss_newton_trainer(network, inputs, targets, **settings: Any) -> Trainer:
    return plan_trainer(network, inputs, targets, **_split(GaussNewton, settings))


def descend(network, inputs, targets, **settings: Any) -> list[EpochRecord]:
    return train(network, inputs, targets, **_split(GradientDescent, settings))
