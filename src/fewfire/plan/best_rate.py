"""learning_rate="measured": a few steps at each of some rates, on a copy of the network; the best goes on.

The largest safe rate ("auto") is where the search starts: what trains best in few epochs lies up to eight
times higher where the kernel bounds the rate by its one largest eigenvalue.
docs/decisions/0027-threshold-and-rate.md.
"""

from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.errors import TrainingError
from fewfire.indexes import index_named, rules
from fewfire.networks.threshold import fire_rate_at
from fewfire.training.methods import GradientDescent
from fewfire.training.problem import Problem
from fewfire.training.rates import BestRate
from fewfire.training.trainer import Trainer

STEPS = 100  # of a trial, at least
BATCHES = 50  # of samples at the most: each is met twice
LARGEST_BATCH = 1024  # of a trial; a larger one bears no smaller rate
COUNTED = 1 / 4  # of the steps, the last, whose mean loss judges a trial
LEVEL = 1.02  # times the least loss: as good, and the smaller rate moves neurons less
FURTHEST = 2**10  # times below the safe rate, where not even that trains
BROKEN = 1e3  # times the first loss: the rate is too large


def best_rate(problem: Problem, method: GradientDescent, *, memory_limit: int | None = None) -> BestRate:
    """The learning rate, of powers of two times a safe one, that lowers the training loss most in few steps.

    Each trial takes 100 steps from the present weights on up to 50 batches of samples. The search goes up
    from the safe rate while that helps, and down if it did not. Of rates whose losses lie within 2 % the
    smallest is taken.

    Parameters
    ----------
    problem : Problem
        Not changed, nor is its network.
    method : GradientDescent
        With the safe rate to start from, as a number; its other settings hold in the trials, too.
    memory_limit : int, optional
        Bytes that a trial may hold: its copy of the network, its samples and its index.

    Returns
    -------
    BestRate
        The same whatever the number of threads, for the losses are.

    Raises
    ------
    MemoryLimitError
        The memory limit is less than a trial needs.

    Notes
    -----
    Cost: mostly three to six trials of 100 steps each, of up to 1,024 samples, and an index for each.

    Smith, Cyclical learning rates (WACV 2017), looks at the loss along one ramp of rates. Here each rate has
    a run of its own, so that no rate is judged by the weights that another has left.
    """
    start, safe = perf_counter(), float(method.learning_rate)
    small = _on_few_samples(problem)
    if memory_limit is not None:  # which holds for the copies of a trial, too
        weights = sum(layer.weight_rows.nbytes for layer in problem.network.layers)
        copies = weights * (1 + (method.momentum > 0))
        memory_limit = max(0, memory_limit - copies - small.inputs.rows.nbytes)
    losses: dict[float, float] = {}

    def try_rate(rate: float) -> float:
        losses[rate] = _loss_after(small, method, rate, memory_limit)
        return losses[rate]

    rate, loss = safe, try_rate(safe)
    while (other := try_rate(2 * rate)) < loss:
        rate, loss = 2 * rate, other
    if rate == safe:
        while rate > safe / FURTHEST and ((other := try_rate(rate / 2)) < loss or np.isinf(loss)):
            rate, loss = rate / 2, other
    losses = dict(sorted(losses.items()))
    least = min(losses.values())
    best = next(rate for rate, loss in losses.items() if loss <= LEVEL * least)
    return BestRate(best if np.isfinite(least) else safe, losses, safe, len(small), perf_counter() - start)


def _on_few_samples(problem: Problem) -> Problem:
    batch_size = min(problem.batch_size, LARGEST_BATCH)
    n, count = len(problem), min(len(problem), BATCHES * batch_size)
    ids = np.sort(np.random.default_rng(problem.seed).choice(n, count, replace=False))
    weights = problem.sample_weight
    return replace(
        problem,
        inputs=Inputs.of(problem.inputs.samples[ids], problem.inputs.dtype),
        targets=problem.targets[ids],
        sample_weight=None if weights is None else weights[ids],
        batch_size=batch_size,
    )


def _loss_after(problem: Problem, method: GradientDescent, rate: float, memory_limit: int | None) -> float:
    """The mean loss over the last steps of a trial; infinite where it broke off, or nothing was learned."""
    if not method.rule.is_stable(rate):
        return np.inf
    network = problem.network.copy()
    network.layer.structure = problem.network.layer.structure  # the same weights are written faster with it
    fire_rate = fire_rate_at(network.layer.threshold)
    index = index_named(rules.for_few_steps(fire_rate), memory_limit)
    trainer = Trainer(replace(problem, network=network), replace(method, learning_rate=rate), index)
    trainer.build()
    losses: list[float] = []
    batches = _batches(problem)
    try:
        for ids, following in zip(batches, [*batches[1:], None], strict=True):
            loss, _ = trainer.step(ids, following)
            losses.append(loss)
            if not loss < BROKEN * losses[0]:
                return np.inf
    except TrainingError:
        return np.inf
    loss = float(np.mean(losses[-max(1, int(COUNTED * len(losses))) :]))
    return loss if loss < losses[0] else np.inf


def _batches(problem: Problem) -> list[NDArray[np.int64]]:
    """Of whole epochs, with as many steps as a trial takes at least."""
    epochs = -(-STEPS // problem.steps_per_epoch)
    return [ids for epoch in range(1, epochs + 1) for ids in problem.batches(epoch)]
