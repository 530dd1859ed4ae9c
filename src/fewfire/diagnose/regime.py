"""Which regime a training was in: how far neurons moved, how much the kernel changed, what width counts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.diagnose.fluctuations import FiniteWidth, finite_width_of
from fewfire.networks.deep import Network
from fewfire.networks.layer import Layer
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.machine import one_blas_thread
from fewfire.tangent import OwnKernel, condition_of, own_kernel
from fewfire.training import Method, OutputRidge, Trainer

Floats = NDArray[np.float64]
NEURONS, SAMPLES = 8192, 128  # that are looked at: some ten milliseconds
KERNEL, FEATURES = 0.1, 0.5  # changes of the kernel up to which it foretells training, and from which not


@dataclass(frozen=True)
class Regime:
    """Figures of a training, on up to 128 of its samples and 8,192 of each layer's neurons.

    Attributes
    ----------
    moved : float
        The mean distance of a neuron from where it began, in standard deviations of a pre-activation on a
        unit-norm sample.
    kernel_change : float
        |H - H_0| / |H_0| of the tangent kernel, Frobenius.
    condition : float or None
        Largest over smallest eigenvalue of H; None where H is singular.
    effective_depth : float
        Samples times layers over neurons of the narrowest.
    kernel_width : float or None
        The width at which the log evidence of the samples that were looked at is one nat from that of the
        limit; see `finite_width`. None of several layers, and where targets do not vary or nothing fires.
    kernel_width_error : float or None
        Its standard error.
    width, n_samples, n_looked_at : int
    """

    moved: float
    kernel_change: float
    condition: float | None
    effective_depth: float
    kernel_width: float | None
    kernel_width_error: float | None
    width: int
    n_samples: int
    n_looked_at: int

    @property
    def name(self) -> str:
        """Either "kernel", up to a change of 10 %; "features", from 50 % on; or "between"."""
        if self.kernel_change < KERNEL:
            return "kernel"
        return "features" if self.kernel_change >= FEATURES else "between"

    @property
    def explained(self) -> list[tuple[str, str, str]]:
        """(figure, value, what it means) for a person."""
        change = {
            "kernel": "little: training was that of the first kernel, and `fewfire diagnose` foretells it",
            "between": "noticeably: the first kernel foretells the order of size, and no more",
            "features": "a lot: neurons learned features, which no kernel foretells",
        }[self.name]
        lines = [
            ("neurons moved", f"{self.moved:.2g}", "from their start, on average, where 1 is the standard "
             "deviation of a pre-activation"),
            ("kernel changed", f"{self.kernel_change:.1%}", change),
            ("condition", "singular" if self.condition is None else f"{self.condition:,.0f}",
             f"of the kernel on {self.n_looked_at} samples: the slowest direction of descent takes so many "
             "times as long as the fastest"),
            ("effective depth", f"{self.effective_depth:.2g}", f"{self.n_samples:,} samples for "
             f"{self.width:,} neurons, times the layers; of random networks, small is near a Gaussian "
             "process"),
        ]  # fmt: skip
        if self.kernel_width is not None:
            uncertain = "" if self.kernel_width_error is None else f" ± {self.kernel_width_error:,.0f}"
            lines.append(("kernel width", f"{self.kernel_width:,.0f}{uncertain}", "neurons at which the "
                          f"width counts a factor of e in the evidence of {self.n_looked_at} samples; far "
                          "more are as good as infinitely many"))  # fmt: skip
        return lines

    def __str__(self) -> str:
        condition = "singular kernel" if self.condition is None else f"condition {self.condition:,.0f}"
        wide = "" if self.kernel_width is None else f", kernel width {self.kernel_width:,.0f}"
        return (
            f"neurons moved {self.moved:.2g}, kernel changed {self.kernel_change:.1%}; {condition}, "
            f"effective depth {self.effective_depth:.2g}{wide}"
        )


@dataclass(frozen=True, eq=False)
class Start:
    """What must be kept of the start of a training, so that its end can be compared with it.

    Attributes
    ----------
    neurons, rows : tuples of (k,) and (k, d)
        Some neurons of each layer, and their weights.
    batch : Inputs
        Samples that are looked at.
    kernel : (s, s)
        The tangent kernel at the start: of these neurons, or of all of a deep network.
    trained : str
        See `OwnKernel`.
    width, depth, n_samples : int
        The width is that of the narrowest layer.
    finite : FiniteWidth or None
    """

    neurons: tuple[NDArray[np.int64], ...]
    rows: tuple[NDArray, ...]
    batch: Inputs
    kernel: Floats
    trained: str
    width: int
    depth: int
    n_samples: int
    finite: FiniteWidth | None

    @classmethod
    def of(cls, trainer: Trainer) -> "Start":
        """Of a trainer that has taken no step yet. Changes nothing of it, not even its counters."""
        network, problem, random = trainer.network, trainer.problem, np.random.default_rng(0)
        layers = network.layers
        neurons = tuple(np.sort(random.permutation(layer.width)[:NEURONS]) for layer in layers)
        ids = np.sort(random.permutation(len(problem))[:SAMPLES])
        batch, trained = problem.inputs.batch(ids), trained_by(trainer.method)
        own = own_kernel(_part(network, neurons), batch, trained)
        finite = None
        if isinstance(own, OwnKernel):
            finite = _finite(own, np.asarray(problem.targets[ids], np.float64), layers[0].width)
        return cls(
            neurons,
            tuple(_rows(layer, some) for layer, some in zip(layers, neurons, strict=True)),
            batch,
            own.matrix(),
            trained,
            min(layer.width for layer in layers),
            len(layers),
            len(problem),
            finite,
        )

    def regime(self, network: Network) -> Regime:
        """How it ended, with the network as it is now."""
        kernel = own_kernel(_part(network, self.neurons), self.batch, self.trained).matrix()
        moves = [
            np.linalg.norm(_rows(layer, some).astype(np.float64) - rows, axis=1)
            for layer, some, rows in zip(network.layers, self.neurons, self.rows, strict=True)
        ]
        first = float(np.linalg.norm(self.kernel))
        change = float(np.linalg.norm(kernel - self.kernel)) / first if first else 0.0
        with one_blas_thread():
            values = np.linalg.eigvalsh(kernel)
        return Regime(
            moved=float(np.concatenate(moves).mean()),
            kernel_change=change,
            condition=condition_of(values),
            effective_depth=self.n_samples * self.depth / self.width,
            kernel_width=None if self.finite is None else self.finite.kernel_width,
            kernel_width_error=None if self.finite is None else self.finite.standard_error,
            width=self.width,
            n_samples=self.n_samples,
            n_looked_at=len(self.batch),
        )


def _rows(layer: Layer, neurons: NDArray[np.int64]) -> NDArray:
    return layer.part(neurons).weights


def _part(network: Network, neurons: tuple[NDArray[np.int64], ...]) -> Network:
    """These neurons of a network of one hidden layer; a deep one as it is."""
    return network.part(neurons[0]) if isinstance(network, TwoLayerNetwork) else network


def _finite(own: OwnKernel, targets: Floats, width: int) -> FiniteWidth | None:
    """What the width counts for these samples; None where targets do not vary or nothing fires."""
    centred = targets - targets.mean(axis=0)
    centred = centred[:, np.ptp(centred, axis=0) > 1e-9]
    return finite_width_of(own, centred, width=width) if len(own.fires) and centred.size else None


def trained_by(method: Method) -> str:
    """Which weights a method trains, as `OwnKernel` takes it."""
    if isinstance(method, OutputRidge):
        return "output"
    every: Any = getattr(method, "train_output_weights", False)
    return "all" if every else "hidden"
