"""Robust accuracy: how many samples stay right, whatever an attack tries."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.attack import Attack
from fewfire.adversarial.ball import Ball, as_floats
from fewfire.adversarial.objective import Objective
from fewfire.adversarial.surface import Surface
from fewfire.core.work import Work
from fewfire.indexes import index_named, rules
from fewfire.networks.losses import Loss, SoftmaxLoss
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.scaling import InputScaling

BATCH = 256
SURE = 0.95  # of the interval


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
        Samples on which nothing fires, so that a gradient says nothing about them.
    seconds : float
    work : Work
        Of the index.
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
    name = rules.for_new_inputs(BATCH, network.n_features) if index == "auto" else index
    surface = Surface(network, scaling, index_named(name), mean=mean)
    surface.index.build(network.layer, surface.inputs_at(samples[:BATCH]))
    targets = np.eye(network.n_outputs)[labels]
    objective = Objective(attack.objective, loss or SoftmaxLoss(), targets)

    def right(points: NDArray, ids: NDArray) -> tuple[NDArray[np.bool_], int]:
        seen = surface.at(points)
        silent = len(ids) - len(np.unique(seen.fires.samples))
        return seen.outputs.argmax(axis=1) == labels[ids], silent

    n, examples = len(samples), samples.copy()
    broken, silent = np.zeros(n, bool), 0
    for ids in _batches(np.arange(n)):
        is_right, without = right(samples[ids], ids)
        broken[ids], silent = ~is_right, silent + without
    clean, per_restart = 1 - broken.mean(), []
    for restart in range(attack.restarts):
        batches = _batches(np.flatnonzero(~broken))
        for number, ids in enumerate(batches):
            random = np.random.default_rng([seed, restart, number])
            found, points = _first_wrong(
                surface, attack, samples[ids], labels[ids], objective.part(ids), random
            )
            broken[ids[found]], examples[ids[found]] = True, points[found]
            if on_batch is not None:
                on_batch((restart + (number + 1) / len(batches)) / attack.restarts)
        per_restart.append(float(1 - broken.mean()))
    return Robustness(
        clean=float(clean),
        robust=per_restart[-1],
        interval=wilson(int((~broken).sum()), n),
        per_restart=tuple(per_restart),
        broken=broken,
        examples=examples,
        no_gradient=silent,
        seconds=perf_counter() - start,
        work=surface.index.work.copy(),
    )


def _first_wrong(
    surface: Surface,
    attack: Attack,
    samples: NDArray,
    labels: NDArray,
    objective: Objective,
    random: np.random.Generator,
) -> tuple[NDArray[np.bool_], NDArray]:
    """Which samples one run breaks, and where: each leaves the run at its first wrong point."""
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
        points = attack.step(surface, ball, points, seen, objective)
        if wrong.any():
            kept = np.flatnonzero(~wrong)
            ids, points, ball, objective = ids[kept], points[kept], ball.part(kept), objective.part(kept)
    return found, examples


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `successes` of n were seen (Wilson, 1927)."""
    z = NormalDist().inv_cdf((1 + SURE) / 2)
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def _batches(ids: NDArray) -> list[NDArray]:
    return np.array_split(ids, -(-len(ids) // BATCH)) if len(ids) else []


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
