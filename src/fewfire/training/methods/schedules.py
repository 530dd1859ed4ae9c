"""How the learning rate changes from step to step: schedules, each a share of the base rate."""

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import ClassVar

from fewfire.system.words import require_one_of


@dataclass(frozen=True)
class Schedule(ABC):
    """What share of the base learning rate a step takes."""

    name: ClassVar[str]

    @abstractmethod
    def share(self, step: int, steps_per_epoch: int) -> float:
        """The rate of a step, counted from 0, over the base rate."""

    def as_dict(self) -> dict[str, str | float]:
        return {"name": self.name} | asdict(self)


@dataclass(frozen=True)
class Constant(Schedule):
    """The base rate at every step: PyTorch without a scheduler."""

    name: ClassVar[str] = "constant"

    def share(self, step: int, steps_per_epoch: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a period of a cosine, from the base rate down to a final share of it, over all steps of a run.

    That of `torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * steps_per_epoch,
    eta_min=final * rate)`, stepped after each batch. As there, the step after the last would be the first at
    the final rate. Steps beyond the run keep the rate of its last step, so that none is lost on a rate of 0.

    Parameters
    ----------
    epochs : int >= 1
        Epochs of the whole run.
    final : float in [0, 1]
    """

    name: ClassVar[str] = "cosine"
    epochs: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _require_epochs("epochs", self.epochs)
        if not 0 <= self.final <= 1:
            raise ValueError(f"final must be in [0, 1]. Got {self.final}. Use 0 to end at no rate at all.")

    def share(self, step: int, steps_per_epoch: int) -> float:
        steps = self.epochs * steps_per_epoch
        way = min(step, steps - 1) / steps
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * way)) / 2


@dataclass(frozen=True)
class StepDecay(Schedule):
    """The base rate times gamma^(e // every) in epoch e, counted from 0.

    That of `torch.optim.lr_scheduler.StepLR(optimizer, step_size=every, gamma=gamma)`, stepped after each
    epoch.

    Parameters
    ----------
    every : int >= 1
        Epochs from one decay to the next.
    gamma : float in (0, 1]
    """

    name: ClassVar[str] = "step"
    every: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _require_epochs("every", self.every)
        if not 0 < self.gamma <= 1:
            raise ValueError(
                f"the gamma of a decay must be in (0, 1]. Got {self.gamma}. Use 0.1 for a tenth each time."
            )

    def share(self, step: int, steps_per_epoch: int) -> float:
        return self.gamma ** (step // steps_per_epoch // self.every)


SCHEDULES = tuple(schedule.name for schedule in (Constant, Cosine, StepDecay))


def schedule_named(
    name: str, epochs: int, *, every: int | None = None, gamma: float | None = None
) -> Schedule:
    """The schedule of this name for a run of so many epochs: constant, cosine or step.

    Parameters
    ----------
    every, gamma : optional, for "step" alone
        The defaults are a third of the epochs, and 0.1.

    Raises
    ------
    ValueError
        No schedule has this name, or it takes no `every` or `gamma`.
    """
    require_one_of(name, SCHEDULES, "the schedule")
    if name == "step":
        third = max(1, math.ceil(epochs / 3))
        return StepDecay(third if every is None else every, 0.1 if gamma is None else gamma)
    if every is not None or gamma is not None:
        raise ValueError(
            "a decay every few epochs, or its gamma, belongs to the schedule 'step'. Got the schedule "
            f"{name!r}. Leave them out, or choose 'step'."
        )
    return Constant() if name == "constant" else Cosine(max(1, epochs))


def _require_epochs(name: str, value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number of epochs >= 1. Got {value}. Use 1 for each.")
