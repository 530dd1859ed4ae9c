"""The way into a network and out of it: columns, categories, scaling; classes and scores."""

from fewfire.prepare.classes import Classes
from fewfire.prepare.columns import Features
from fewfire.prepare.scaling import InputScaling

__all__ = ["Classes", "Features", "InputScaling"]
