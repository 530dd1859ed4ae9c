"""The one account of the memory that training needs beside the data and the index."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import DTypeLike

from fewfire.core.rows import stride_of
from fewfire.indexes.predict import PREDICT_BATCH

FIRING_PAIR_BYTES = 16  # in a fire set and while it is made
HIDDEN_PAIR_BYTES = 40  # by sample, with its place, its gradient and its pull
GRADIENT_GROUPS, LARGEST_SUMS = (
    16,
    1 << 24,
)  # of neurons whose gradients are added up apart (csrc/networks/sums.h)
STRUCTURE_BYTES, CODE_BYTES = 20, 16  # per neuron: signs, scale and place; codes that a thread has in hand
SINCE_BYTES = 4  # per neuron: when a row that coasts was last written
BATCHES = 2  # held at one time: that of this step and of the next


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that training holds at its peak, by what they are for.

    Attributes
    ----------
    network : weights and output weights
    velocities : of both, with momentum, and the time at which each row was last written
    kept : the weights and velocities at the beginning of the epoch, to which failed training returns
    method : copies that a Gauss-Newton step makes, and what its ridge is drawn to
    structure : what structured weights are made of
    batches : the samples of a step and of the next
    fire_sets : who fires on a batch
    hidden : of a deep network, what its layers hand to each other, and the sums of gradients
    """

    network: int
    velocities: int
    kept: int
    method: int
    structure: int
    batches: int
    fire_sets: int
    hidden: int = 0

    @property
    def total(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))


def training_memory(
    *,
    widths: Sequence[int],
    n_samples: int,
    n_features: int,
    n_outputs: int,
    batch_size: int | None,
    fire_rates: Sequence[float],
    momentum: bool = False,
    decay: bool = False,
    second_order: bool = False,
    ridge: bool = False,
    structured: bool = False,
    threads: int = 1,
    dtype: DTypeLike = np.float32,
) -> TrainingMemory:
    """What training a network will hold.

    Parameters
    ----------
    widths : sequence of int
        Neurons of each hidden layer.
    batch_size : int or None
        None for all samples.
    fire_rates : sequence of float
        Share of pairs that fire in each hidden layer.
    momentum, decay : bool
        Whether gradient descent has momentum, or decays the weights.
    second_order, ridge : bool
        Whether steps are Gauss-Newton steps, and whether these have a ridge.
    structured : bool
        Whether the first weights are structured.

    Notes
    -----
    A Gauss-Newton step keeps the weights from which it began, in case that it must be undone. A ridge over
    one batch keeps the initial weights and needs their difference from those of now; over several batches it
    keeps the pulls of each sample. The matrices of a step are counted by `GaussNewton.sized`.
    """
    item = np.dtype(dtype).itemsize
    size = min(batch_size or n_samples, n_samples)
    taken = (n_features, *(width + 1 for width in widths[:-1]))  # with the constant
    weights = sum(
        width * item * stride_of(columns, dtype) for width, columns in zip(widths, taken, strict=True)
    )
    network = weights + widths[-1] * item * stride_of(n_outputs, dtype)
    velocities = network if momentum else 0
    method, pulls = 0, 0
    if second_order:
        method = weights
        if ridge and size == n_samples:
            method += 2 * weights
        elif ridge:
            pulls = 8 * n_samples * n_outputs
    pairs = [rate * width * max(size, PREDICT_BATCH) for width, rate in zip(widths, fire_rates, strict=True)]
    handed_on = sum(pairs[:-1])
    sums = min(GRADIENT_GROUPS * handed_on, LARGEST_SUMS)
    return TrainingMemory(
        network=network,
        velocities=velocities + (SINCE_BYTES * widths[0] if momentum or decay else 0),
        kept=network + velocities + pulls,
        method=method + pulls,
        structure=widths[0] * (STRUCTURE_BYTES + CODE_BYTES * threads) if structured else 0,
        batches=BATCHES * size * item * stride_of(n_features, dtype),
        fire_sets=int(FIRING_PAIR_BYTES * sum(pairs)),
        hidden=int(BATCHES * HIDDEN_PAIR_BYTES * handed_on + item * sums),
    )
