"""Beside dense PyTorch: the same steps from the same state, taken in turn, and how far the weights part."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from statistics import median
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from fewfire.system.machine import threads
from fewfire.torch.rivals import BFLOAT16, DENSE_STEPS, FLOAT32, PRECISIONS, PURE_BFLOAT16, DenseStep
from fewfire.training import Trainer
from fewfire.training.methods.gradient_descent import DescentStepper

TURN = 2  # steps at a turn at the least; the last one counts
TURN_SECONDS = 0.06  # of dense steps at the least: after that the other's threads do not spin any more
TRIALS = 3  # timed steps of each way to write the dense step, after one that is not counted


@dataclass(frozen=True)
class Comparison:
    """Ratios of medians over steps taken in turns, of which the last of each turn counts.

    Attributes
    ----------
    seconds_per_step, dense_seconds_per_step : medians
    speedup : their ratio, dense over fewfire
    dense_step : the fastest of the ways to write the dense step in full precision
    dense_trials : median seconds of each way; None where it cannot run here
    max_weight_difference : the largest difference of any weight from that step's, after all steps
    compared_steps : of each
    bfloat16_step, bfloat16_seconds_per_step, bfloat16_speedup
        The same beside the fastest way of bfloat16 products from float32 weights, as torch.autocast takes
        them; None where the network is float64.
    pure_bfloat16_seconds_per_step, pure_bfloat16_speedup
        And beside weights of bfloat16, which end at other numbers.
    """

    seconds_per_step: float
    dense_seconds_per_step: float
    speedup: float
    dense_step: str
    dense_trials: dict[str, float | None]
    max_weight_difference: float
    compared_steps: int
    bfloat16_step: str | None
    bfloat16_seconds_per_step: float | None
    bfloat16_speedup: float | None
    pure_bfloat16_seconds_per_step: float | None
    pure_bfloat16_speedup: float | None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class Rival:
    """A way to write the dense step, with its own weights, and the seconds of the steps that count."""

    def __init__(self, name: str, trainer: Trainer, ids: NDArray[np.int64]) -> None:
        _timed_step(_dense(name, trainer), trainer, ids)  # warm, on weights of its own
        self.name, self.dense = name, _dense(name, trainer)
        self.seconds: list[float] = []

    @property
    def median(self) -> float:
        return median(self.seconds)

    def take(self, trainer: Trainer, turn: Sequence[NDArray[np.int64]], number: int) -> None:
        """The steps of a turn on these batches, the first of which has this number; the last one counts."""
        taken = []
        for step, ids in enumerate(turn, start=number):
            self.dense.descend_at(trainer.stepper.rate_of(step))
            taken.append(_timed_step(self.dense, trainer, ids))
        self.seconds.append(taken[-1])


def compare_dense(
    trainer: Trainer,
    steps: int,
    on_progress: Callable[[str], None] | None = None,
    *,
    ways: Sequence[str] = tuple(DENSE_STEPS),
) -> Comparison:
    """Take `steps` further steps with a trainer and, from the same state, with dense PyTorch, two per turn,
    or as many short ones as take 60 ms densely.

    PyTorch gets as many threads as fewfire, and the fastest of all ways in `DENSE_STEPS` (or of those named)
    in each precision, tried on the first batch. Moves the trainer's network by those steps.

    Raises
    ------
    ValueError
        `steps` is below 1, or no way in full precision is named.
    """
    trainer.settle()
    if steps < 1:
        raise ValueError(f"steps must be >= 1. Got {steps}. Take 20 for medians that are worth a look.")
    say = on_progress or (lambda message: None)
    batches = trainer.problem.batches(len(trainer.history) + 1)
    batches = [ids for ids in batches if len(ids) == len(batches[0])]  # torch.compile compiles for one size
    torch.set_num_threads(threads())
    torch.compiler.reset()  # which compiles for a few shapes, and then no more
    say("trying ways to write the dense step")
    trials = {name: _trial(name, trainer, batches[0]) for name in ways}
    rivals = {
        precision: Rival(name, trainer, batches[0])
        for precision in PRECISIONS
        if (name := _fastest(trials, precision)) is not None
    }
    if FLOAT32 not in rivals:
        raise ValueError(f"ways must hold one in full precision. Got {list(ways)}. Add 'hand-written'.")
    dense = rivals[FLOAT32]
    turn_steps = max(TURN, ceil(TURN_SECONDS / (trials[dense.name] or np.inf)))

    ours: list[float] = []
    begin = trainer.steps_taken
    for first in range(0, steps, turn_steps):
        # One more than a turn: a step of ours finds who fires in the next one.
        turn = [batches[step % len(batches)] for step in range(first, min(first + turn_steps, steps) + 1)]
        ours.append([_timed(trainer.step, *ids) for ids in zip(turn[:-1], turn[1:], strict=True)][-1])
        for rival in rivals.values():
            rival.take(trainer, turn[:-1], begin + first)
        done = first + len(turn) - 1
        say(f"step {done} of {steps}: {ours[-1] * 1e3:.1f} ms, dense {dense.seconds[-1] * 1e3:.1f} ms")
    trainer.settle()
    beside = {precision: rival.median for precision, rival in rivals.items()}
    speedups = {precision: seconds / median(ours) for precision, seconds in beside.items()}
    rounded = rivals.get(BFLOAT16)
    return Comparison(
        seconds_per_step=median(ours),
        dense_seconds_per_step=dense.median,
        speedup=speedups[FLOAT32],
        dense_step=dense.name,
        dense_trials=trials,
        max_weight_difference=_largest_difference(dense.dense.weights, trainer.network.layer.weights),
        compared_steps=steps,
        bfloat16_step=rounded.name if rounded else None,
        bfloat16_seconds_per_step=beside.get(BFLOAT16),
        bfloat16_speedup=speedups.get(BFLOAT16),
        pure_bfloat16_seconds_per_step=beside.get(PURE_BFLOAT16),
        pure_bfloat16_speedup=speedups.get(PURE_BFLOAT16),
    )


def _fastest(trials: dict[str, float | None], precision: str) -> str | None:
    """The name of the fastest way of a precision that could run here, if there is one."""
    found = {
        name: seconds
        for name, seconds in trials.items()
        if seconds is not None and DENSE_STEPS[name].precision == precision
    }
    return min(found, key=lambda name: found[name], default=None)


def _dense(name: str, trainer: Trainer) -> DenseStep:
    stepper = trainer.stepper
    if not isinstance(stepper, DescentStepper):
        raise ValueError(
            f"dense PyTorch is compared with gradient descent. Got {trainer.method.name}. Train with "
            "GradientDescent, or leave the comparison out."
        )
    return DENSE_STEPS[name](stepper, stepper.rate_of(stepper.steps_taken))


def _timed(step: Callable[..., object], *ids: NDArray[np.int64]) -> float:
    start = perf_counter()
    step(*ids)
    return perf_counter() - start


def _timed_step(dense: DenseStep, trainer: Trainer, ids: NDArray[np.int64]) -> float:
    """Seconds of one dense step, with the gathering of the batch, as a step of ours has it."""
    start = perf_counter()
    dense(
        torch.from_numpy(trainer.problem.inputs.samples[ids]), torch.from_numpy(trainer.problem.targets[ids])
    )
    return perf_counter() - start


def _trial(name: str, trainer: Trainer, ids: NDArray[np.int64]) -> float | None:
    if trainer.network.dtype == np.float64 and not DENSE_STEPS[name].takes_float64:
        return None
    try:
        dense = _dense(name, trainer)
        return median([_timed_step(dense, trainer, ids) for _ in range(TRIALS + 1)][1:])
    except Exception:
        if name != "torch.compile":  # which needs a C++ compiler, and a Python that it knows
            raise
        return None


def _largest_difference(theirs: torch.Tensor, ours: NDArray) -> float:
    """In pieces of rows: no third copy of the weights."""
    theirs_array = theirs.detach().numpy()
    pieces = range(0, len(ours), 4096)
    return max(float(np.abs(theirs_array[i : i + 4096] - ours[i : i + 4096]).max()) for i in pieces)
