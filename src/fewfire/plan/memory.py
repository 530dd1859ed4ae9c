"""The one account of the memory that training needs beside the data and the index."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import DTypeLike

from fewfire.core.rows import stride_of
from fewfire.indexes.predict import PREDICT_BATCH

FIRING_PAIR_BYTES = 16  # in a fire set and while it is made
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
    """

    network: int
    velocities: int
    kept: int
    method: int
    structure: int
    batches: int
    fire_sets: int

    @property
    def total(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))


def training_memory(
    *,
    width: int,
    n_samples: int,
    n_features: int,
    n_outputs: int,
    batch_size: int | None,
    fire_rate: float,
    momentum: bool = False,
    decay: bool = False,
    second_order: bool = False,
    ridge: bool = False,
    structured: bool = False,
    threads: int = 1,
    dtype: DTypeLike = np.float32,
) -> TrainingMemory:
    """What training a two-layer network will hold.

    Parameters
    ----------
    batch_size : int or None
        None for all samples.
    fire_rate : float
        Share of pairs that fire.
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
    row = item * stride_of(n_features, dtype)
    weights = width * row
    network = weights + width * item * stride_of(n_outputs, dtype)
    velocities = network if momentum else 0
    method, pulls = 0, 0
    if second_order:
        method = weights
        if ridge and size == n_samples:
            method += 2 * weights
        elif ridge:
            pulls = 8 * n_samples * n_outputs
    return TrainingMemory(
        network=network,
        velocities=velocities + (SINCE_BYTES * width if momentum or decay else 0),
        kept=network + velocities + pulls,
        method=method + pulls,
        structure=width * (STRUCTURE_BYTES + CODE_BYTES * threads) if structured else 0,
        batches=BATCHES * size * row,
        fire_sets=int(FIRING_PAIR_BYTES * fire_rate * width * max(size, PREDICT_BATCH)),
    )
