"""What plans ask of anything that is trained: fresh networks of one shape, each for a while at one rate.

Networks of ours, and any PyTorch module (`fewfire.torch.trials_of`), answer to the same few questions, so
that a rate, a law and a ranking are found in one way for all of them.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

from numpy.typing import NDArray


class Seen(NamedTuple):
    """What a step saw of its batch, before it moved anything.

    Attributes
    ----------
    loss : float
        Mean over the batch.
    right : int or None
        Samples whose class the outputs name; None where targets are no classes.
    size : int
        Samples of the batch.
    """

    loss: float
    right: int | None
    size: int


class Attempt(ABC):
    """One network on its way: what a trial has trained so far."""

    @abstractmethod
    def step(self) -> Seen:
        """The next step of an endless run, epoch after epoch.

        Raises
        ------
        TrainingError
            The loss or a weight is not finite.
        """

    @property
    def layers(self) -> list[tuple[NDArray, NDArray]]:
        """Weights (n_out, n_in) and biases of the layers of a plain ReLU network; none of any other."""
        return []

    @abstractmethod
    def outputs(self, inputs: NDArray) -> NDArray:
        """Outputs (n, c) of the network as it is now, for inputs as those that it is trained on."""


class Trials(ABC):
    """Networks of one shape on one training set, each from a seed of its own.

    Attributes
    ----------
    width, depth : int or None
        Neurons of a hidden layer and number of hidden layers, for a law over shapes.
    n_samples, steps_per_epoch, n_parameters : int
    rate : float
        Where a search begins, and what a ranking trains at.
    sharpness : float or None
        The largest eigenvalue of the Gauss-Newton matrix at the start, if it is known.
    has_classes : bool
        Whether targets are classes.
    loss_name : str
    batch_size : int
    """

    width: int | None
    depth: int | None
    n_samples: int
    batch_size: int
    n_parameters: int
    rate: float
    sharpness: float | None
    has_classes: bool
    loss_name: str

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.n_samples // self.batch_size)

    @abstractmethod
    def begin(self, rate: float, seed: int) -> Attempt:
        """A fresh network, which plain gradient descent will train at this rate.

        Parameters
        ----------
        seed : int
            Seed for the weights and for the order of the samples: the same attempt, bit for bit.

        Raises
        ------
        TrainingError
            No network can be trained at this rate.
        """
