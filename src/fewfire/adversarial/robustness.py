"""Robust accuracy: how many samples stay right, whatever an attack tries."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.attack import Attack
from fewfire.adversarial.ball import Ball, as_floats
from fewfire.adversarial.objective import Objective
from fewfire.adversarial.surface import Surface
from fewfire.core.work import Work
from fewfire.indexes import index_for_batches
from fewfire.indexes.rules import NEW_BATCH
from fewfire.networks.losses import Loss, SoftmaxLoss
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.scaling import InputScaling
from fewfire.system.intervals import wilson

LOWERED = 0.75  # of the threshold, where nothing fires: of 0 .. 0.97 it broke most samples of small networks


@dataclass(frozen=True, eq=False)
class Robustness:
    """How a classifier stands an attack.

    Attributes
    ----------
    clean : float
        Accuracy on the samples as they are.
    robust : float
        Share of samples that are right as they are and at each point that the attack tried.
    interval : (float, float)
        95 % interval of the robust accuracy on samples of this kind (Wilson).
    per_restart : tuple of float
        Robust accuracy after each run, which never rises.
    broken : (n,) bool
    examples : (n, p)
        For each broken sample the first wrong point found (the sample itself where that was wrong), for each
        other the sample.
    no_gradient : int
        Samples on which nothing fires, so that no gradient says where to go. Before the first run each of
        them that is right is attacked once by the gradients of the margin at a lower threshold.
    seconds : float
    work : Work
        Of the index, that of the lowered threshold included.
    gradient_pairs : int
        Firing pairs that gradients by the inputs were summed over, each c + d multiply-adds.
    """

    clean: float
    robust: float
    interval: tuple[float, float]
    per_restart: tuple[float, ...]
    broken: NDArray[np.bool_]
    examples: NDArray
    no_gradient: int
    seconds: float
    work: Work
    gradient_pairs: int


class AttackInterrupted(KeyboardInterrupt):
    """Ctrl-C in `robust_accuracy`.

    Attributes
    ----------
    found : Robustness
        What was found until then: `per_restart` holds the runs that are whole, and `robust` and all else
        count the one that is not, too.
    """

    def __init__(self, found: Robustness) -> None:
        super().__init__()
        self.found = found


def robust_accuracy(
    network: TwoLayerNetwork,
    samples: NDArray,
    labels: NDArray[np.int64],
    attack: Attack,
    *,
    scaling: InputScaling | None = None,
    mean: NDArray | None = None,
    index: str = "auto",
    loss: Loss | None = None,
    seed: int = 0,
    on_batch: Callable[[float], None] | None = None,
) -> Robustness:
    """Attack a classifier, and count what stays right in the worst case over all runs and steps.

    Parameters
    ----------
    network : TwoLayerNetwork
        Of at least two outputs, one per class.
    samples : (n, p) float array
        In the units of the user, in which radius and box are given.
    labels : (n,) int
        The number of each sample's class.
    attack : Attack
    scaling : InputScaling, optional
        The way from these units to the network.
    mean : (c,), optional
        Added to the outputs.
    index : str
        An open exact index; "auto" for the one that suits new inputs. The result is the same.
    loss : Loss, optional
        Whose rise the objective "loss" means; by default the softmax loss, whatever trained the network.
    seed : int
        Seed for the starts.
    on_batch : callable, optional
        Called with the share that is done.

    Raises
    ------
    AttackInterrupted
        Ctrl-C, once the samples were seen as they are: a KeyboardInterrupt that holds what was found.
    ValueError
        The network has one output, the labels are none of its classes, or the index answers for its training
        samples alone.

    Notes
    -----
    A sample that is broken is not attacked again. The bound is an upper one: another attack may find more.
    """
    start = perf_counter()
    samples, labels = as_floats(samples), np.asarray(labels)
    _require_classes(network, samples, labels)
    surface = Surface(network, scaling, index_for_batches(index, network.n_features), mean=mean)
    surface.index.build(network.layer, surface.inputs_at(samples[:NEW_BATCH]))
    objective = Objective(attack.objective, loss or SoftmaxLoss(), np.eye(network.n_outputs)[labels])
    search = _Search(surface, attack, samples, labels, objective, seed)
    try:
        search.run(on_batch or (lambda share: None))
    except KeyboardInterrupt:
        raise AttackInterrupted(search.found(perf_counter() - start)) from None
    return search.found(perf_counter() - start)


class _Search:
    """What is known of each sample while one run follows the other."""

    def __init__(
        self,
        surface: Surface,
        attack: Attack,
        samples: NDArray,
        labels: NDArray,
        objective: Objective,
        seed: int,
    ) -> None:
        self._surface, self._attack, self._objective, self._seed = surface, attack, objective, seed
        self._samples, self._labels = samples, labels
        self._broken, self._silent = np.zeros((2, len(samples)), bool)
        for ids in _batches(np.arange(len(samples))):
            seen = surface.at(samples[ids])
            self._broken[ids] = seen.outputs.argmax(axis=1) != labels[ids]
            self._silent[ids] = np.bincount(seen.fires.samples, minlength=len(ids)) == 0
        self._clean, self._examples = float(1 - self._broken.mean()), samples.copy()
        self._per_restart: list[float] = []
        self._guides = [surface]

    def run(self, on_batch: Callable[[float], None]) -> None:
        """All runs of the attack, and before them the one that finds a way out of silence."""
        restarts = self._attack.restarts
        if (self._silent & ~self._broken).any():
            guide = self._surface.at_threshold(LOWERED * self._surface.network.threshold)
            self._guides.append(guide)
            objective = replace(self._objective, name="margin")
            self._run(self._silent & ~self._broken, guide, objective, restarts, lambda share: None)
        for restart in range(restarts):
            self._run(~self._broken, self._surface, self._objective, restart,
                      lambda share, before=restart: on_batch((before + share) / restarts))  # fmt: skip
            self._per_restart.append(float(1 - self._broken.mean()))

    def _run(
        self,
        tried: NDArray[np.bool_],
        guide: Surface,
        objective: Objective,
        number: int,
        on_batch: Callable[[float], None],
    ) -> None:
        """One run against some of the samples, by the gradients of a guide."""
        batches = _batches(np.flatnonzero(tried))
        for batch, ids in enumerate(batches):
            random = np.random.default_rng([self._seed, number, batch])
            wrong, points = _first_wrong(
                self._surface, guide, self._attack, self._samples[ids], self._labels[ids],
                objective.part(ids), random,
            )  # fmt: skip
            self._examples[ids[wrong]] = points[wrong]
            self._broken[ids[wrong]] = True  # last: an interrupt in between counts none of them
            on_batch((batch + 1) / len(batches))

    def found(self, seconds: float) -> Robustness:
        n_right = int(np.count_nonzero(~self._broken))
        return Robustness(
            clean=self._clean,
            robust=float(1 - self._broken.mean()),
            interval=wilson(n_right, len(self._samples)),
            per_restart=tuple(self._per_restart),
            broken=self._broken,
            examples=np.where(self._broken[:, None], self._examples, self._samples),
            no_gradient=int(np.count_nonzero(self._silent)),
            seconds=seconds,
            work=sum((guide.index.work for guide in self._guides), Work()),
            gradient_pairs=sum(guide.gradient_pairs for guide in self._guides),
        )


def _first_wrong(
    surface: Surface,
    guide: Surface,
    attack: Attack,
    samples: NDArray,
    labels: NDArray,
    objective: Objective,
    random: np.random.Generator,
) -> tuple[NDArray[np.bool_], NDArray]:
    """Which samples one run breaks, and where: each leaves the run at its first wrong point.

    The surface says what is wrong, and the gradients of the guide where to go.
    """
    ball = Ball(samples, attack.norm, attack.radius, attack.box)
    points = ball.random_points(random) if attack.random_start else samples
    found, examples, ids = np.zeros(len(samples), bool), samples.copy(), np.arange(len(samples))
    for step in range(attack.steps + 1):
        here = ball.rounded(points)
        seen = surface.at(here)
        wrong = seen.outputs.argmax(axis=1) != labels[ids]
        found[ids[wrong]], examples[ids[wrong]] = True, here[wrong]
        if step == attack.steps or wrong.all():
            break
        guiding = seen if guide is surface else guide.at(here)
        points = attack.step(guide, ball, points, guiding, objective)
        if wrong.any():
            kept = np.flatnonzero(~wrong)
            ids, points, ball, objective = ids[kept], points[kept], ball.part(kept), objective.part(kept)
    return found, examples


def _batches(ids: NDArray) -> list[NDArray]:
    return np.array_split(ids, -(-len(ids) // NEW_BATCH)) if len(ids) else []


def _require_classes(network: TwoLayerNetwork, samples: NDArray, labels: NDArray) -> None:
    if network.n_outputs < 2:
        raise ValueError(
            "robust accuracy needs one output per class, two at least. Got a network of one output. Train it "
            "with one-hot targets."
        )
    if samples.ndim != 2 or labels.shape != (len(samples),) or len(samples) == 0:
        raise ValueError(
            f"samples must be (n, p) with n labels, n >= 1. Got shapes {samples.shape} and {labels.shape}. "
            "Give one row and one label per sample."
        )
    if not ((labels >= 0) & (labels < network.n_outputs)).all():
        raise ValueError(
            f"labels must be numbers of classes, 0 .. {network.n_outputs - 1}. Got {labels.min()} .. "
            f"{labels.max()}. Encode them as in training."
        )
