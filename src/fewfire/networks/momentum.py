"""The optimizer: gradient descent with momentum and weight decay, as torch.optim.SGD defines them."""

from dataclasses import dataclass
from math import isfinite

from fewfire.networks.velocities import Flow


@dataclass(frozen=True)
class Momentum:
    """One step at the rate eta down a gradient g, with the velocity v (0 at first):

        g' = g + decay w,   v <- momentum v - g',   w <- w + eta v
        Nesterov:                                   w <- w + eta (momentum v - g')

    The velocity has the opposite sign of the buffer in torch.optim.SGD (dampening 0), else all is the same.

    Parameters
    ----------
    momentum : float in [0, 1)
    nesterov : bool
        Only with momentum.
    weight_decay : float >= 0

    Notes
    -----
    Sources: Polyak 1964 (heavy ball); Nesterov 1983 in the form of Sutskever, Martens, Dahl, Hinton, ICML
    2013.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise ValueError(
                f"momentum must be at least 0 and less than 1. Got {self.momentum}. Use 0.9, or 0 for none."
            )
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs momentum. Got momentum=0. Use momentum=0.9, or leave it out.")
        if not (self.weight_decay >= 0 and isfinite(self.weight_decay)):
            raise ValueError(
                f"weight_decay must be a finite number >= 0. Got {self.weight_decay}. Use 0 for none."
            )

    @property
    def coasts(self) -> bool:
        """Whether a neuron moves that does not fire."""
        return self.momentum > 0 or self.weight_decay > 0

    def is_stable(self, rate: float) -> bool:
        """Whether decay alone does not turn weights around."""
        return rate * self.weight_decay < 1

    def require_stable(self, rate: float) -> None:
        """Raise ValueError where it does."""
        if not self.is_stable(rate):
            raise ValueError(
                "learning_rate * weight_decay must be less than 1. Got "
                f"{rate:g} * {self.weight_decay:g}. Use less of either."
            )

    def flow(self, rate: float) -> Flow:
        """Where a step takes (w, v) without a gradient, as (p, q, r, s): w <- p w + q v, v <- r w + s v."""
        ahead = 1 + self.momentum if self.nesterov else 1.0
        pull = self.momentum**2 if self.nesterov else self.momentum
        p = 1 - rate * self.weight_decay * ahead
        return (p, rate * pull, -self.weight_decay, self.momentum) if self.momentum else (p, 0.0, 0.0, 0.0)

    def gain(self, rate: float) -> float:
        """How far w moves for a gradient that adds 1 to v."""
        return rate * (1 + self.momentum) if self.nesterov else rate
