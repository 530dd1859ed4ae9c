"""Before training: what was left to fewfire becomes concrete settings."""

from fewfire.plan.candidates import grid
from fewfire.plan.edges import edge_dynamics
from fewfire.plan.hashing import plan_hashing
from fewfire.plan.index import choose_index
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.plan.least_loss import best_rate
from fewfire.plan.limit import Accuracy, Loss, MaxRate, Trial, max_rate
from fewfire.plan.network_trials import NetworkTrials, trials_of
from fewfire.plan.ranking import Ranked, Ranking, rank
from fewfire.plan.rate_law import Foretold, RateLaw
from fewfire.plan.training import plan_trainer
from fewfire.plan.trials import Attempt, Seen, Trials

__all__ = [
    "Accuracy",
    "Attempt",
    "Foretold",
    "Loss",
    "MaxRate",
    "Ranked",
    "Ranking",
    "RateLaw",
    "Seen",
    "Trial",
    "Trials",
    "NetworkTrials",
    "best_rate",
    "choose_index",
    "edge_dynamics",
    "grid",
    "max_rate",
    "plan_hashing",
    "plan_trainer",
    "rank",
    "stable_learning_rate",
    "trials_of",
]
