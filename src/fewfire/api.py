"""The two calls that most programs need: train a network, and predict with it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import open_index
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.training.history import EpochRecord
from fewfire.training.methods.schedules import Schedule, schedule_named
from fewfire.training.trainer import Trainer

PREDICT_BATCH = 1024


def train(
    network: TwoLayerNetwork,
    inputs: ArrayLike | Inputs,
    targets: ArrayLike,
    *,
    epochs: int = 10,
    schedule: str | Schedule = "constant",
    on_epoch: Callable[[EpochRecord], None] | None = None,
    **settings,
) -> list[EpochRecord]:
    """Build the index and train a network in place; see `Trainer` for the settings.

    `GaussNewtonTrainer` does the same by Gauss-Newton steps.

    Parameters
    ----------
    schedule : "constant", "cosine", "step" or a Schedule
        A name is filled in with the number of epochs.

    Returns
    -------
    list of EpochRecord
        One an epoch.

    Examples
    --------
    >>> inputs, targets = [[1.0, 0.0], [0.0, 1.0]], [[1.0], [-1.0]]
    >>> network = TwoLayerNetwork.initialize(width=256, n_features=2, n_outputs=1)
    >>> history = train(network, inputs, targets, epochs=20)
    >>> history[-1].loss < 0.01 * history[0].loss
    True
    >>> predict(network, inputs).round(1).tolist()
    [[1.0], [-1.0]]
    """
    if epochs < 0:
        raise ValueError(f"epochs must be >= 0. Got {epochs}.")
    if isinstance(schedule, str):
        schedule = schedule_named(schedule, epochs)
    trainer = Trainer(network, inputs, targets, schedule=schedule, epochs=epochs, **settings)
    trainer.build()
    for _ in range(epochs):
        record = trainer.epoch()
        if on_epoch is not None:
            on_epoch(record)
    return trainer.history


def predict(network: TwoLayerNetwork, inputs: ArrayLike | Inputs) -> NDArray:
    """Outputs (n, c) for any inputs."""
    inputs = inputs if isinstance(inputs, Inputs) else Inputs.of(inputs, network.dtype)
    index = open_index(network, inputs)
    outputs = np.empty((len(inputs), network.n_outputs), network.dtype)
    for first in range(0, len(inputs), PREDICT_BATCH):
        part = np.arange(first, min(first + PREDICT_BATCH, len(inputs)))
        outputs[part] = network.outputs(index.fire_set(inputs.batch(part)))
    return outputs
