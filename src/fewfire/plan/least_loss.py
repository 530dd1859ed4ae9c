"""The rate that trains best in a few steps, on fresh copies; the weights that are there stay as they are.

The largest safe rate ("auto") is where the search starts: what trains best in few epochs lies up to eight
times higher where the kernel bounds the rate by its one largest eigenvalue.
docs/decisions/0027-threshold-and-rate.md.
"""

from collections.abc import Callable
from time import perf_counter

import numpy as np

from fewfire.errors import TrainingError
from fewfire.plan.trials import Trials
from fewfire.training.rates import BestRate

STEPS = 100  # of a trial
COUNTED = 1 / 4  # of the steps, the last, whose mean loss judges a trial
LEVEL = 1.02  # times the least loss: as good, and the smaller rate moves neurons less
FURTHEST = 2**10  # times below the first rate, where not even that trains
BROKEN = 1e3  # times the first loss: the rate is too large


def best_rate(
    trials: Trials,
    *,
    steps: int = STEPS,
    seed: int = 0,
    on_trial: Callable[[float, float], None] | None = None,
) -> BestRate:
    """The learning rate, of powers of two times the first one, that lowers the training loss most.

    The search goes up from `trials.rate` while that helps, and down if it did not. Of rates whose losses lie
    within 2 % the smallest is taken.

    Parameters
    ----------
    trials : Trials
        Of `trials_of`, or of `fewfire.torch.trials_of`.
    steps : int
        Of each trial.
    seed : int
        Seed for the weights and the order of the samples, the same in all trials.
    on_trial : callable, optional
        Called as `on_trial(rate, loss)` after each trial.

    Returns
    -------
    BestRate
        The same whatever the number of threads, for the losses are.

    Raises
    ------
    MemoryLimitError
        The memory limit of the trials is less than one needs.

    Notes
    -----
    Cost: mostly three to six trials, and an index for each.

    Smith, Cyclical learning rates (WACV 2017), looks at the loss along one ramp of rates. Here each rate has
    a run of its own, so that no rate is judged by the weights that another has left.
    """
    start, first = perf_counter(), trials.rate
    losses: dict[float, float] = {}

    def try_rate(rate: float) -> float:
        losses[rate] = _loss_after(trials, rate, seed, steps)
        if on_trial is not None:
            on_trial(rate, losses[rate])
        return losses[rate]

    rate, loss = first, try_rate(first)
    while (other := try_rate(2 * rate)) < loss:
        rate, loss = 2 * rate, other
    if rate == first:
        while rate > first / FURTHEST and ((other := try_rate(rate / 2)) < loss or np.isinf(loss)):
            rate, loss = rate / 2, other
    losses = dict(sorted(losses.items()))
    least = min(losses.values())
    best = next(rate for rate, loss in losses.items() if loss <= LEVEL * least)
    rate = best if np.isfinite(least) else first
    return BestRate(rate, losses, first, trials.n_samples, perf_counter() - start)


def _loss_after(trials: Trials, rate: float, seed: int, steps: int) -> float:
    """The mean loss over the last steps of a trial; infinite where it broke off, or nothing was learned."""
    losses: list[float] = []
    try:
        attempt = trials.begin(rate, seed)
        for _ in range(steps):
            losses.append(attempt.step().loss)
            if not losses[-1] < BROKEN * losses[0]:
                return np.inf
    except TrainingError:
        return np.inf
    loss = float(np.mean(losses[-max(1, int(COUNTED * len(losses))) :]))
    return loss if loss < losses[0] else np.inf
