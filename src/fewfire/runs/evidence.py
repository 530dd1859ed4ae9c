"""A table of evidence of a regression: kernels of great width, and deep, weakly nonlinear networks."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.diagnose import Evidence, FiniteWidth, evidence, finite_width
from fewfire.errors import DataError
from fewfire.prepare import InputScaling, TargetScaling
from fewfire.prepare.targets import REGRESSION
from fewfire.runs.options import TrainOptions
from fewfire.runs.prepare import load
from fewfire.tangent import Layers, kernel_evidence
from fewfire.tangent.leave_one_out import leave_one_out

Floats = NDArray[np.float64]
THRESHOLDS = (0.0, 1.0)
RIDGES = 10.0 ** np.arange(-5, 1.01, 0.25)  # of a kernel that is 1 for a sample with itself
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the variance of the targets
TOLD_APART = 1.0  # nat: less is no difference
MOST = 500  # samples of the deep networks: half a second for each


@dataclass(frozen=True)
class EvidenceAsked:
    """How many samples, and which deep networks."""

    samples: int
    depths: Sequence[int]
    psis: Sequence[float]


@dataclass(frozen=True)
class OfKernel:
    """Evidence and error of a kernel at its best ridges."""

    trained: str
    depth: int
    threshold: float
    log: float
    ridge: float
    left_out: float


@dataclass(frozen=True)
class OfNetwork:
    """Evidence of a deep network at its best noise."""

    depth: int
    psi: float
    noise: float
    log: float
    leading: float
    effective_depth: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class EvidenceTable:
    """What `evidence_of_data` found: the largest evidence first in both lists.

    Attributes
    ----------
    name : str
    n_samples, n_features, width : int
    kernels : list of OfKernel
    networks : list of OfNetwork
    finite : FiniteWidth
        Of one layer of plain ReLUs.
    """

    name: str
    n_samples: int
    n_features: int
    width: int
    kernels: list[OfKernel]
    networks: list[OfNetwork]
    finite: FiniteWidth

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self) | {"kernel_width": self.finite.kernel_width}


def evidence_of_data(
    options: TrainOptions, asked: EvidenceAsked, *, say: Callable[[str], None] = lambda _: None
) -> EvidenceTable:
    """Compare kernels, and deep networks of this width, on some of the training rows.

    Raises
    ------
    DataError
        The data cannot be read, are no regression, or their inputs are not finite.
    ValueError
        A psi is too large for the rows.
    """
    say("reading the data")
    dataset = load(options)
    if dataset.task != REGRESSION:
        raise DataError(
            "evidence must be of a regression, as it takes noise to be Gaussian. Got classes. Give numbers "
            "as targets, or leave --evidence out."
        )
    count = min(asked.samples, MOST)
    ids = np.random.default_rng(options.seed).permutation(len(dataset.inputs))[:count]
    rows, labels = dataset.inputs[ids], dataset.labels[ids]
    targets = TargetScaling.fit(labels).transform(labels).astype(np.float64)
    targets -= targets.mean(axis=0)
    units = InputScaling.fit(rows, standardize=dataset.tabular).transform(rows).astype(np.float64)
    batch, kernels = Inputs.of(units, np.float64), []
    for trained in ("hidden", "output"):
        for depth in (1, 2, 3):
            for threshold in THRESHOLDS:
                say(f"the kernel of {depth} layers at threshold {threshold:g}")
                layers = Layers(depth, threshold, trained=trained)
                kernels.append(_of_kernel(layers, batch.inner_products, targets))
    deviations = rows.astype(np.float64).std(axis=0)
    standard = (rows - rows.mean(axis=0)) / np.where(deviations > 0, deviations, 1)
    width, networks = min(options.widths), []
    for depth in asked.depths:
        for psi in asked.psis:
            say(f"networks of {depth} layers, psi {psi:g}")
            found = [
                evidence(standard, targets, width=width, depth=depth, psi=psi, noise=noise)
                for noise in NOISES
            ]
            networks.append(_of_network(max(found, key=lambda one: one.log)))
    finite = finite_width(Layers(), batch, targets, seed=options.seed)
    return EvidenceTable(
        dataset.name, count, standard.shape[1], width, sorted(kernels, key=lambda one: -one.log),
        sorted(networks, key=lambda one: -one.log), finite,
    )  # fmt: skip


def _of_kernel(layers: Layers, inner_products: Floats, targets: Floats) -> OfKernel:
    kernel = layers.kernel(inner_products)
    logs, errors = kernel_evidence(kernel, targets, RIDGES), leave_one_out(kernel, targets, RIDGES)
    best = int(np.argmax(logs))
    return OfKernel(
        layers.trained, layers.depth, layers.threshold, float(logs[best]), float(RIDGES[best]),
        float(errors.min() ** 0.5),
    )  # fmt: skip


def _of_network(found: Evidence) -> OfNetwork:
    return OfNetwork(
        found.depth, found.psi, found.noise, found.log, found.leading, found.effective_depth, found.warnings
    )
