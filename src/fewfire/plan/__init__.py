"""Before training: what was left to fewfire becomes concrete settings."""

from fewfire.plan.best_rate import best_rate
from fewfire.plan.hashing import plan_hashing
from fewfire.plan.index import choose_index
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.plan.training import plan_trainer

__all__ = ["best_rate", "choose_index", "plan_hashing", "plan_trainer", "stable_learning_rate"]
