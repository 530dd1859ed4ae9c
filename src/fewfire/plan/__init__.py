"""Before training: what was left to fewfire becomes concrete settings."""

from fewfire.plan.index import Choice, choose_index
from fewfire.plan.learning_rate import stable_learning_rate

__all__ = ["Choice", "choose_index", "stable_learning_rate"]
