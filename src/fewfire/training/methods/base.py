"""The interface of all methods: settings that say how steps are taken, and what takes them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.core.work import Work
from fewfire.errors import TrainingError
from fewfire.networks.deep import Network
from fewfire.training.asking import Asking
from fewfire.training.history import EpochRecord
from fewfire.training.problem import Problem

Taken = tuple[float, NDArray | float]  # loss and tally of a step


class Stepper(ABC):
    """Takes the steps of a method on one problem, and holds all that they depend on beside the weights.

    It begins with the network at rest: velocities that an earlier stepper left are settled and dropped.

    Attributes
    ----------
    problem : Problem
    asking : Asking
    steps_taken : int
    finished : bool
        Whether no step is left to be taken.
    seconds : dict
        Where time went: find, forward, move.
    replays : int
        Steps on each batch of a pass over the training set.
    """

    replays = 1

    def __init__(self, problem: Problem, asking: Asking) -> None:
        layer = problem.network.layer
        if layer.velocities is not None:  # of a stepper before this one
            layer.velocities.settle()
            layer.velocities = None
        self.problem, self.asking = problem, asking
        self.steps_taken = 0
        self.finished = False
        self.seconds: dict[str, float] = dict.fromkeys(("find", "forward", "move"), 0.0)

    @abstractmethod
    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """One step on these samples.

        Parameters
        ----------
        ids : sample ids of the batch
        next_ids : optional
            Sample ids of the next step. Who fires on them may be found in the same pass over the weights.

        Returns
        -------
        (loss, tally)
            Mean loss of the batch, and how good its outputs were; see `Problem.tally`.

        Raises
        ------
        TrainingError
            The loss is not finite. The weights were not moved by this step.
        """

    @abstractmethod
    def rate_of(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""

    @property
    @abstractmethod
    def description(self) -> str:
        """How steps are taken, in a few words for a person."""

    @property
    @abstractmethod
    def remedy(self) -> str:
        """How a message ends that says a number is not finite: what to do."""

    def require_finite(self, what: str, value: float) -> None:
        """Raise TrainingError where a number is infinite or NaN."""
        if not np.isfinite(value):
            raise TrainingError(f"{what} must stay finite. Got {value}{self.remedy}")

    def settle(self) -> None:
        """Bring the weights of the network up to date, where they coast."""
        self.asking.settle()

    def begin_epoch(self) -> None:  # noqa: B027  most have nothing to do
        """A pass over the training set begins."""

    def end_epoch(self) -> None:  # noqa: B027
        """All steps of the pass were taken."""

    def figures(self) -> dict[str, Any]:
        """Figures of the pass that only records of this method have."""
        return {}

    # What it takes to go on after a break

    @property
    def layer_rows(self) -> dict[str, NDArray]:
        """The weights of each layer, the first one first."""
        layers = self.problem.network.layers
        return {f"weights {number}" if number > 1 else "weights": layer.weight_rows
                for number, layer in enumerate(layers, 1)}  # fmt: skip

    @property
    def moving_rows(self) -> dict[str, NDArray]:
        """All rows that steps move."""
        return self.layer_rows | {"output_weights": self.problem.network.output_rows}

    @property
    def works(self) -> list[Work]:
        """The work counted for each layer, the first one first."""
        return [self.asking.index.work]

    @property
    def dead_samples(self) -> list[int]:
        """Of a deep network: on how many samples of this epoch no neuron of each layer fired."""
        return []

    @property
    def fixed_rows(self) -> dict[str, NDArray]:
        """Rows that steps depend on and do not move."""
        return {}

    @property
    def numbers(self) -> dict[str, Any]:
        """How far training has come."""
        return {"steps_taken": self.steps_taken, "finished": self.finished}

    def go_on_from(self, numbers: Mapping[str, Any]) -> None:
        """The moving rows were replaced by those of a state with these numbers."""
        vars(self).update(numbers)
        self.asking.forget()


class SolvingStepper(Stepper):
    """Steps that a linear system decides: no rate stands before them."""

    @property
    def remedy(self) -> str:
        return ". Rescale the targets."

    def rate_of(self, step: int) -> float:
        return 1.0


class Method(ABC):
    """How steps are taken: settings alone, checked when they are made.

    Attributes
    ----------
    name : str
        Its name in `METHODS`, in checkpoints and in the command's `--optimizer`.
    record_type : type
        Class of the record of an epoch.
    """

    name: ClassVar[str]
    record_type: ClassVar[type[EpochRecord]] = EpochRecord

    def sized(
        self, network: Network, n_samples: int, batch_size: int | None, memory_limit: int | None
    ) -> tuple["Method", int | None, int]:
        """The method, batch size and bytes of work arrays for a problem of this size.

        Raises
        ------
        MemoryLimitError
            Its work arrays need more than the limit.
        """
        return self, batch_size, 0

    @abstractmethod
    def stepper(self, problem: Problem, asking: Asking) -> Stepper:
        """What takes steps on a problem, from the network as it is."""

    @property
    @abstractmethod
    def terms(self) -> dict[str, Any]:
        """The settings on which the bits of the weights depend."""
