"""Gradient descent on attacked samples: a batch is moved against the network, which then learns from it."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.attack import Attack
from fewfire.prepare.scaling import InputScaling
from fewfire.system.tensors import sha256
from fewfire.system.words import require_one_of
from fewfire.training.asking import Asking
from fewfire.training.history import EpochRecord
from fewfire.training.methods.attacked import Adversary, AttackedStepper
from fewfire.training.methods.certified import CertifiedStepper, Robust
from fewfire.training.methods.fast import FastStepper
from fewfire.training.methods.free import FreeStepper
from fewfire.training.methods.gradient_descent import GradientDescent
from fewfire.training.methods.trades import TradesStepper
from fewfire.training.problem import Problem

SCHEMES = ("pgd", "fast", "free", "trades", "certified")
SEARCHES = ("exact", "candidates")


@dataclass(frozen=True, kw_only=True)
class AdversarialRecord(EpochRecord):
    """Figures of an epoch of adversarial training; loss and accuracy are those of the attacked samples.

    With "trades" accuracy is that of the samples as they are, and the loss holds what weighs their change.

    Attributes
    ----------
    seconds_attack : of the attacks, beside the other parts
    attack_work_share : multiply-adds of the attacks over those of dense ones; 0 with "free", whose attacks
        ask nothing that the steps do not ask
    step_share, watched_accuracy : with "fast", else None: what is left of the first step of the attack, and
        the share of the watched training samples that stay right
    attack_loss, exact_attack_loss : with the search "candidates", else None: what the attack drove up, its
        mean over the first batch of the epoch; and the same of an attack that searches all neurons
    clean_accuracy, robust_accuracy : in a run, on test samples: as they are, and whatever an attack tries;
        None where nothing was tested
    """

    seconds_attack: float
    attack_work_share: float
    step_share: float | None = None
    watched_accuracy: float | None = None
    attack_loss: float | None = None
    exact_attack_loss: float | None = None
    clean_accuracy: float | None = None
    robust_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversarial(GradientDescent):
    """Adversarial training: steps down the gradient at points that an attack has found.

    Parameters
    ----------
    attack : Attack
        Of one run; its restarts are for evaluation.
    samples : (n, p) float array, optional
        The training samples in the user's units, in which radius and box are given; by default the network's
        inputs themselves.
    scaling : InputScaling, optional
        The way from those units to the network's inputs.
    scheme : "pgd", "fast", "free", "trades" or "certified"
        "pgd": each batch is attacked by all steps of the attack, then learned.

        "fast": the attack has one step, by default of 1.25 radius, from a random start. After each epoch 256
        training samples are attacked by 10 steps; where the share that stays right lies 0.2 below its best,
        the step is halved.

        "free": `attack.steps` replays of each batch. Each replay is a step of the weights *and* one of the
        attack, by default of the whole radius, from one fire set. The moves are carried to the next batch.

        "trades": the loss of the samples as they are, and `beta` times how far the attack can carry the
        outputs from what they are there.

        "certified": no attack. The loss of the samples as they are, and that of the worst outputs that lines
        around each neuron leave possible within the radius; for the softmax loss.
    beta : float >= 0
        The weight of "trades".
    search : "exact" or "candidates"
        With "candidates" an attack looks only at neurons near firing on the samples as they are. What the
        network learns from the attacked samples stays exact.
    robust : Robust
        With "certified": how much the worst outputs count, and from when.

    And the settings of `GradientDescent`.

    Raises
    ------
    ValueError
        A setting is out of its range, or does not go with the scheme; samples are given without their
        scaling, or the other way round; or the learning rate is "measured", which tries rates on samples that
        are not attacked.

    Notes
    -----
    All inputs are new, so the index must be an open one ("screened" or "exhaustive"). Cost of a step on a
    batch: with "pgd" `steps` fire sets and gradients by the inputs, then a fire set and a step of descent;
    with "trades" that over twice the samples, and one more fire set; with "fast" two fire sets, and ten on
    256 samples per epoch. With the search "candidates" an attack takes one search of all neurons, at a lower
    threshold, whatever its steps.

    An epoch is a pass over the training set. With "free" it takes `attack.steps` steps on each batch, so that
    ten epochs of eight replays cost what 80 plain ones cost; `steps` of a record counts them.

    Random starts come from the seed and the number of the step: a run that goes on after a break has the bits
    of one without. Moves that are carried on, and what the watch saw, are part of a checkpoint.

    Sources: Madry et al., arXiv 1706.06083; Wong, Rice, Kolter, arXiv 2001.03994 (fast); Shafahi et al.,
    arXiv 1904.12843 (free); Zhang et al., arXiv 1901.08573 (TRADES); Gowal et al., arXiv 1810.12715 (the loss
    of "certified", with intervals); Gao, Qin, Song, Wang, arXiv 2208.05395, where the adversary may be any
    and its cost is left out: "pgd" is their algorithm.
    """

    name: ClassVar[str] = "adversarial"
    record_type: ClassVar[type[EpochRecord]] = AdversarialRecord
    attack: Attack = field(default_factory=Attack)
    samples: NDArray | None = None
    scaling: InputScaling | None = None
    scheme: str = "pgd"
    beta: float = 6.0
    search: str = "exact"
    robust: Robust = field(default_factory=Robust)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of(self.scheme, SCHEMES, "the scheme of adversarial training")
        require_one_of(self.search, SEARCHES, "the search of an attack in training")
        self._require_scheme()
        if self.learning_rate == "measured":
            raise ValueError(
                "the learning rate of adversarial training must be a number or 'auto'. Got 'measured', which "
                "tries rates without an attack. Use 'auto'."
            )
        if (self.samples is None) != (self.scaling is None):
            raise ValueError(
                "samples in the user's units and their scaling must be given together. Got one without the "
                "other. Give both, or neither to attack the network's own inputs."
            )

    def _require_scheme(self) -> None:
        """The attack, the weight and the search must go with the scheme."""
        attack = self.attack
        if not (np.isfinite(self.beta) and self.beta >= 0):
            raise ValueError(f"beta must be a finite number >= 0. Got {self.beta}. Use 6 for a start.")
        if self.scheme == "trades" and not (attack.random_start and attack.objective == "loss"):
            raise ValueError(
                "TRADES must have an attack with a random start and the objective 'loss': at the sample its "
                f"distance has no gradient. Got random_start={attack.random_start} and "
                f"{attack.objective!r}. Leave both out."
            )
        if self.scheme == "fast" and not (attack.random_start and attack.steps == 1):
            raise ValueError(
                "fast adversarial training must have an attack of one step from a random start. Got "
                f"steps={attack.steps} and random_start={attack.random_start}. Use Attack(steps=1), or the "
                "scheme 'pgd'."
            )
        if self.scheme == "certified" and (self.rule.coasts or self.train_output_weights):
            raise ValueError(
                "certified training must take plain steps of the hidden weights. Got momentum, weight decay "
                "or output weights that train. Leave them out."
            )
        if self.search == "candidates" and self.scheme not in ("pgd", "trades"):
            raise ValueError(
                "the search 'candidates' must go with the scheme 'pgd' or 'trades', whose attacks have "
                f"several steps. Got {self.scheme!r}, where it would save nothing. Use 'exact'."
            )

    @property
    def terms(self) -> dict[str, Any]:
        attack = self.attack
        own = {
            "attack": f"{attack.norm}, {attack.steps} steps, {attack.objective}",
            "radius": np.asarray(attack.radius).tolist(),
            "step_size": None if attack.step_size is None else attack.size.tolist(),
            "random_start": attack.random_start,
            "box": [
                None if part is None else np.asarray(part).tolist() for part in vars(attack.box).values()
            ],
            "scheme": self.scheme,
            "beta": self.beta,
            "search": self.search,
        }
        if self.scheme == "certified":
            own |= {"share": self.robust.share, "ramp": list(self.robust.ramp)}
        data = None if self.samples is None else sha256(np.ascontiguousarray(self.samples).data)[:16]
        return super().terms | own | {"attacked_samples": data}

    def stepper(self, problem: Problem, asking: Asking) -> AttackedStepper:
        adversary = Adversary(self.attack, self.samples, self.scaling, self.search)
        if self.scheme == "trades":
            return TradesStepper(self, adversary, problem, asking, self.beta)
        if self.scheme == "certified":
            return CertifiedStepper(self, adversary, problem, asking, self.robust)
        kinds = {"pgd": AttackedStepper, "fast": FastStepper, "free": FreeStepper}
        return kinds[self.scheme](self, adversary, problem, asking)
