"""The lazy regime by experiment: how far training carries networks of growing width from their start."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.errors import DataError
from fewfire.networks.threshold import fire_rate_at, threshold_of
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.plan import plan_trainer
from fewfire.system.words import require_counts
from fewfire.tangent import OwnKernel, condition_of
from fewfire.training import GradientDescent

Floats = NDArray[np.float64]
WIDTHS = (1_000, 10_000, 100_000)
MOST_SAMPLES = 4096
DENSE = 0.05  # fire rate from which exhaustive search is no slower than an index


@dataclass(frozen=True, eq=False)
class LazyPoint:
    """What training made of a network of one width.

    Attributes
    ----------
    width : int
    steps : int
    loss : float
        The mean of 1/2 |f - y|^2 at the end, over that at first.
    moved, moved_max : float
        The mean and the largest distance of a neuron from its start, in standard deviations of a
        pre-activation.
    moved_relative : float
        |W - W_0| / |W_0|, Frobenius.
    flipped : float
        Pairs of a neuron and a sample of which one state, firing or not, became the other, over those that
        fired at first.
    kernel_change : float
        |H - H_0| / |H_0| of the tangent kernel, Frobenius.
    first_condition, condition : float or None
        Largest over smallest eigenvalue at first and at the end; None where H is singular.
    seconds : float
    first_spectrum, spectrum : (n,) descending
        Eigenvalues over n.
    losses : (steps + 1,)
        Before each step, and at the end.
    """

    width: int
    steps: int
    loss: float
    moved: float
    moved_max: float
    moved_relative: float
    flipped: float
    kernel_change: float
    first_condition: float | None
    condition: float | None
    seconds: float
    first_spectrum: Floats
    spectrum: Floats
    losses: Floats

    def figures(self) -> dict[str, float | int | None]:
        """Those that are single numbers, by name."""
        return {name: value for name, value in asdict(self).items() if name not in CURVES}


CURVES = ("first_spectrum", "spectrum", "losses")
FITTED = ("moved", "moved_relative", "flipped", "kernel_change")


@dataclass(frozen=True, eq=False)
class Lazy:
    """Points of growing width, and how fast each figure falls with it."""

    points: tuple[LazyPoint, ...]
    n_samples: int
    threshold: tuple[float, ...]

    @property
    def exponents(self) -> dict[str, float | None]:
        """The slope of each figure over the width, in logarithms; None of less than two widths.

        In the limit of great width the theory has -1/2 for each, at one threshold for all widths. Where it
        grows with the width, as the paper's does, fewer neurons share the work, and all fall more slowly.
        """
        widths = np.log([point.width for point in self.points])
        found: dict[str, float | None] = {}
        for name in FITTED:
            values = np.array([getattr(point, name) for point in self.points])
            known = values > 0
            several = len(set(widths[known])) > 1
            slope = np.polyfit(widths[known], np.log(values[known]), 1)[0] if several else None
            found[name] = None if slope is None else float(slope)
        return found

    def table(self) -> str:
        """The figures as CSV, a line per width."""
        names = [one.name for one in fields(LazyPoint) if one.name not in CURVES]
        text = StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(point.figures() for point in self.points)
        return text.getvalue()


def lazy(
    inputs: ArrayLike | Inputs,
    targets: ArrayLike,
    *,
    widths: Sequence[int] = WIDTHS,
    threshold: float | str = "paper",
    loss: float = 0.05,
    steps: int = 500,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
    on_point: Callable[[Lazy], None] | None = None,
) -> Lazy:
    """Train networks of several widths by full-batch descent, and say how far each is from its start.

    Each network begins with outputs of 0, as every neuron stands there twice with opposite signs, and
    descends the squared loss at the largest safe rate.

    Parameters
    ----------
    inputs : (n, d) array or Inputs
        At most 4,096 samples.
    targets : (n,) or (n, c)
    widths : sequence of int, >= 2
        An odd one is raised by one.
    threshold : float >= 0, or "paper"
        Of all widths; "paper" for sqrt(0.4 ln m) of each. 0 makes plain ReLUs of them, half of whose pairs
        fire: at width 100,000 a step on 500 pictures takes seconds.
    loss : float in (0, 1)
        Training ends at this share of the first loss,
    steps : int
        or after so many steps.
    seed : int
    progress : callable, optional
        Called with the width and the share of its steps that is done.
    on_point : callable, optional
        Called with what is known so far, after each width.

    Raises
    ------
    DataError
        Inputs or targets are not finite, or do not fit each other.
    TrainingError
        The loss or a weight is not finite.
    ValueError
        A width, a share or the number of samples is out of its range.

    Notes
    -----
    Cost: per width a training of full-batch steps, two kernels and their eigenvalues. Memory: two copies of
    the widest network and two fire sets of all samples.
    """
    require_counts(steps=steps)
    widths = [int(width) for width in widths]
    if not widths or min(widths) < 2 or not 0 < loss < 1:
        raise ValueError(
            f"widths must be at least 2, and loss a share between 0 and 1. Got widths={widths} and "
            f"loss={loss}. Give others."
        )
    inputs = Inputs.of_any(inputs, np.dtype(np.float32))
    if len(inputs) > MOST_SAMPLES:
        raise ValueError(
            f"a study of the lazy regime must have at most {MOST_SAMPLES:,} samples. Got {len(inputs):,}. "
            "Give some of them."
        )
    columns = np.asarray(targets, np.float32).reshape(len(inputs), -1)
    if not columns.any():
        raise DataError("targets must not all be 0, which is where networks begin. Got zeros. Give others.")
    thresholds = tuple(threshold_of(threshold, width) for width in widths)
    points = []
    for width, b in zip(widths, thresholds, strict=True):
        share = None if progress is None else _shares(progress, width)
        points.append(_point(inputs, columns, width + width % 2, b, loss, steps, seed, share))
        if on_point is not None:
            on_point(Lazy(tuple(points), len(inputs), thresholds[: len(points)]))
    return Lazy(tuple(points), len(inputs), thresholds)


def _shares(progress: Callable[[int, float], None], width: int) -> Callable[[float], None]:
    return lambda share: progress(width, share)


def _point(
    inputs: Inputs,
    targets: NDArray[np.float32],
    width: int,
    threshold: float,
    loss: float,
    steps: int,
    seed: int,
    progress: Callable[[float], None] | None,
) -> LazyPoint:
    begin = perf_counter()
    network = TwoLayerNetwork.initialize(
        width, inputs.n_features, targets.shape[1], threshold=threshold, mirrored=True, seed=seed
    )
    rows = network.weights.copy()
    before = OwnKernel.of(network, inputs)
    first = before.matrix()
    index = "exhaustive" if fire_rate_at(threshold) > DENSE else "drift"
    trainer = plan_trainer(
        network, inputs, targets, method=GradientDescent(), index=index, batch_size=len(inputs), seed=seed
    )
    trainer.build()
    losses: list[float] = []
    while len(trainer.history) < steps:
        losses.append(trainer.epoch().loss)  # before its step
        if progress is not None:
            progress(max(len(losses) / steps, min(1.0, np.log(losses[-1] / losses[0]) / np.log(loss))))
        if losses[-1] <= loss * losses[0]:
            break
    trainer.settle()
    after = OwnKernel.of(network, inputs)
    last = after.matrix()
    outputs = network.outputs(after.fires)
    losses.append(float(np.square(outputs - targets, dtype=np.float64).sum(axis=1).mean() / 2))
    distances = np.linalg.norm((network.weights - rows).astype(np.float64), axis=1)
    spectra = [np.maximum(np.linalg.eigvalsh(one)[::-1], 0) / len(inputs) for one in (first, last)]
    return LazyPoint(
        width=width,
        steps=len(trainer.history),
        loss=losses[-1] / losses[0],
        moved=float(distances.mean()),
        moved_max=float(distances.max()),
        moved_relative=float(np.linalg.norm(distances) / np.linalg.norm(rows)),
        flipped=_flipped(before, after),
        kernel_change=float(np.linalg.norm(last - first) / np.linalg.norm(first)),
        first_condition=condition_of(spectra[0][::-1]),
        condition=condition_of(spectra[1][::-1]),
        seconds=perf_counter() - begin,
        first_spectrum=spectra[0],
        spectrum=spectra[1],
        losses=np.array(losses),
    )


def _flipped(before: OwnKernel, after: OwnKernel) -> float:
    """Pairs in one of two fire sets, over those in the first."""
    keys = [one.fires.neurons() * one.fires.n_samples + one.fires.samples for one in (before, after)]
    common = np.intersect1d(*keys, assume_unique=True).size
    return (keys[0].size + keys[1].size - 2 * common) / max(1, keys[0].size)
