"""From arrays and names to a trainer: what was left to fewfire is filled in here, and only here."""

import logging
from dataclasses import replace

from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import INDEXES, Index, index_named
from fewfire.networks.deep import Network
from fewfire.networks.losses import Loss
from fewfire.plan.index import choose_index
from fewfire.plan.least_loss import best_rate
from fewfire.plan.network_trials import NetworkTrials, with_safe_rate
from fewfire.system.words import require_one_of
from fewfire.training.methods import GradientDescent, Method, method_named
from fewfire.training.problem import Problem
from fewfire.training.rates import BestRate
from fewfire.training.trainer import Trainer

log = logging.getLogger("fewfire")


def plan_trainer(
    network: Network,
    inputs: ArrayLike | Inputs,
    targets: ArrayLike,
    *,
    method: str | Method = GradientDescent(),  # noqa: B008  frozen
    index: str | Index = "drift",
    loss: str | Loss = "squared",
    batch_size: int | None = None,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
    memory_limit: int | None = None,
    epochs: int = 10,
    units: NDArray | None = None,
) -> Trainer:
    """A trainer of a network, not built yet; see `fewfire.train` for the arguments.

    Parameters
    ----------
    epochs : int
        How many are planned; only the choice of index="auto" depends on it.
    units : (c,) array, optional
        What 1 of each target is for a person; see `Problem`.

    Raises
    ------
    DataError
        Inputs, targets or weights are of another shape than they must be, or not finite.
    MemoryLimitError
        The method's work arrays need more than the memory limit.
    ValueError
        There is no method, index or loss of that name, or a number is out of its range.
    """
    method = method_named(method) if isinstance(method, str) else method
    if isinstance(index, str):
        require_one_of(index, [*INDEXES, "auto"], "the index")
    inputs = Inputs.of_any(inputs, network.dtype)
    method, batch_size, work_bytes = method.sized(network, len(inputs), batch_size, memory_limit)
    index_limit = None if memory_limit is None else memory_limit - work_bytes
    problem = Problem.of(
        network, inputs, targets, loss=loss, batch_size=batch_size, sample_weight=sample_weight, seed=seed,
        units=units,
    )  # fmt: skip
    measured = None
    if isinstance(method, GradientDescent):
        method, measured = with_learning_rate(method, problem, memory_limit=index_limit)
    choice = None
    if index == "auto":
        if len(network.layers) > 1:
            raise ValueError(
                "the first of several hidden layers must have a named index: 'auto' times one layer. "
                f"Got {len(network.layers)} layers. Use 'drift'."
            )
        if not isinstance(method, GradientDescent):
            raise ValueError(
                "Gauss-Newton steps need a named index: 'auto' times gradient steps, which says nothing "
                "about them. Use 'drift'."
            )
        choice = choose_index(problem, method, epochs, memory_limit=index_limit)
        log.info("%s", choice)
        index = choice.name
    if isinstance(index, str):
        index = index_named(index, index_limit)
    return Trainer(problem, method, index, choice=choice, best_rate=measured)


def with_learning_rate(
    method: GradientDescent, problem: Problem, *, memory_limit: int | None = None
) -> tuple[GradientDescent, BestRate | None]:
    """The same method with a number for its learning rate, and how that was measured, if it was.

    Raises
    ------
    MemoryLimitError
        The memory limit is less than the index of a trial needs.
    ValueError
        At that rate decay alone would turn weights around.
    """
    asked = method.learning_rate
    if not isinstance(asked, str):
        return method, None
    method = with_safe_rate(method, problem)
    if asked == "auto":
        return method, None
    trials = NetworkTrials.from_here(problem, method, memory_limit=memory_limit)
    measured = best_rate(trials, seed=problem.seed)
    log.info("%s", measured)
    return replace(method, learning_rate=measured.rate), measured
