"""The two calls that most programs need: train a network, and predict with it."""

from collections.abc import Callable

from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import Index
from fewfire.indexes.approximate import warn_if_approximate
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.deep import Network
from fewfire.networks.losses import Loss
from fewfire.plan.training import plan_trainer
from fewfire.training.epochs import train_epochs
from fewfire.training.history import EpochRecord
from fewfire.training.methods import GradientDescent, Method
from fewfire.training.observer import AfterEpoch
from fewfire.training.trainer import Trainer


def train(
    network: Network,
    inputs: ArrayLike | Inputs,
    targets: ArrayLike,
    *,
    epochs: int = 10,
    method: str | Method = GradientDescent(),  # noqa: B008  frozen
    batch_size: int | None = None,
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
    index: str | Index = "drift",
    seed: int = 0,
    memory_limit: int | None = None,
    on_epoch: Callable[[EpochRecord, Trainer], bool | None] | None = None,
) -> list[EpochRecord]:
    """Train a network in place, touching only the neurons that fire.

    Parameters
    ----------
    network : TwoLayerNetwork or DeepNetwork
        Trained in place.
    inputs : (n, d) array or Inputs
    targets : (n, c) array
        Real values, or one-hot rows; (n, 1) of 0 and 1 for a single logistic output.
    epochs : int >= 0
        Passes over the training set at the most: Gauss-Newton steps may be finished before.
    method : Method, or "sgd" or "gauss-newton"
        How steps are taken: `GradientDescent(learning_rate=0.5, momentum=0.9)`, `GaussNewton(ridge=1e-3)`. A
        name stands for its default settings.
    batch_size : int >= 1, optional
        Samples per step at the most; by default all of them, or as many as memory allows with Gauss-Newton.
    loss : "squared", "softmax", "logistic" or a Loss
    sample_weight : (n,) array, >= 0, optional
        What the loss of each sample counts; by default 1.
    index : str or Index
        Who fires? A name of `fewfire.indexes.INDEXES`, or an index that was not built yet. "auto": the one
        that a short probe of each finds fastest. The weights are the same with every exact index; an
        approximate one ("hashing") warns that they are not.
    seed : int
        Seed for the order of the samples.
    memory_limit : int, optional
        Bytes that the index and the matrices of a method may hold.
    on_epoch : callable, optional
        Called as `on_epoch(record, trainer)` after each epoch; training stops where it returns True.

    Returns
    -------
    list of EpochRecord
        One per epoch.

    Raises
    ------
    DataError
        Inputs, targets or weights are of another shape than they must be, or not finite.
    MemoryLimitError
        The memory limit is less than the index or the method needs.
    TrainingError
        The loss or a weight is not finite. The network holds the weights of the last whole epoch.
    ValueError
        A name or a number is none that the argument takes.

    Notes
    -----
    Cost of a step: what fires, d multiply-adds per firing pair, and what the index takes to find it.
    With every exact index, any number of threads and every instruction set that has fused multiply-add, the
    weights are the same to the last bit.

    Examples
    --------
    >>> from fewfire import TwoLayerNetwork
    >>> inputs, targets = [[1.0, 0.0], [0.0, 1.0]], [[1.0], [-1.0]]
    >>> network = TwoLayerNetwork.initialize(width=256, n_features=2, n_outputs=1)
    >>> history = train(network, inputs, targets, epochs=20)
    >>> history[-1].loss < 0.01 * history[0].loss
    True
    >>> predict(network, inputs).round(1).tolist()
    [[1.0], [-1.0]]
    """
    if epochs < 0:
        raise ValueError(f"epochs must be >= 0. Got {epochs}. Use 0 to build the index alone.")
    trainer = plan_trainer(
        network, inputs, targets, method=method, index=index, loss=loss, batch_size=batch_size,
        sample_weight=sample_weight, seed=seed, memory_limit=memory_limit, epochs=epochs,
    )  # fmt: skip
    warn_if_approximate(trainer.index, stacklevel=2)
    train_epochs(trainer, epochs, None if on_epoch is None else AfterEpoch(on_epoch))
    return trainer.history


def predict(network: Network, inputs: ArrayLike | Inputs) -> NDArray:
    """Outputs (n, c) of a network for any inputs, computed from what fires.

    Parameters
    ----------
    network : TwoLayerNetwork or DeepNetwork
    inputs : (n, d) array or Inputs

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The inputs have another number of features than the network.
    """
    return predicted_outputs(network, Inputs.of_any(inputs, network.dtype))
