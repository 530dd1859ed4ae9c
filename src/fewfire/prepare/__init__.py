"""The way into a network and out of it: columns, categories, scaling; classes, targets and scores."""

from fewfire.prepare.classes import Classes
from fewfire.prepare.columns import Features
from fewfire.prepare.scaling import InputScaling
from fewfire.prepare.targets import TargetScaling

__all__ = ["Classes", "Features", "InputScaling", "TargetScaling"]
