"""The kernel report: when descent reaches which loss, what the kernel remembers, how near the limit is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.diagnose.columns import columns_of
from fewfire.diagnose.foretold import Foretold
from fewfire.errors import DataError
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.machine import one_blas_thread
from fewfire.system.memory import require_free_memory
from fewfire.system.words import require_counts
from fewfire.tangent import DeepOwnKernel, Layers, OwnKernel, own_kernel
from fewfire.tangent.lanczos import Ends, ends, quadrature
from fewfire.tangent.leave_one_out import errors_left_out

Floats = NDArray[np.float64]
Progress = Callable[[float], None]
ALL_UP_TO = 4096  # samples whose kernel is formed, with all eigenvalues
UNIT = 1e-3  # how far from 1 a norm of a unit-norm row may be
DUPLICATE = 1e-6  # a cosine so near 1 or -1 is that of a copy
RIDGES = 10.0 ** np.arange(-8, 1.01, 0.5)  # of the mean of the diagonal
REACHED = 0.05  # share of the first loss that counts as fitted
FORETELLING = 5e10  # multiply-adds that foretelling the loss may take: some seconds
STEPS = (16, 100)  # of Lanczos for it, at least and at most
PROBES = 4  # for sums over a spectrum of which only products are known
FORGOT, FAR = 0.95, 0.2  # error beside the targets' variance; distance from the limit


@dataclass(frozen=True, eq=False)
class KernelReport:
    """What the tangent kernel of a network, or of the limit of great width, says of a training set.

    Attributes
    ----------
    kind : "own" or "limit"
    n_samples, n_looked_at : int
        Of the training set, and of the sample that the kernel is of.
    width : int or None
        Of the narrowest layer; None for the limit.
    layers : Layers
        The limit that the network tends to.
    largest, smallest : float
        Eigenvalues; see `converged`.
    converged : bool
        False where the smallest eigenvalue is only known to be at most this.
    values : (n,) ascending, or None beyond 4,096 samples
        All eigenvalues; those below 0 by rounding are 0.
    aligned : (n,) or None
        The share of the centred targets' square along each eigenvector.
    foretold : Foretold
        The loss by steps of full-batch descent with the squared loss.
    effective_rank : float or None
        (tr H)^2 / tr H^2: as many equal eigenvalues would have as much.
    variance : float
        The mean squared error of the mean, of the targets.
    leave_one_out : float or None
        The mean squared error of kernel regression on a sample left out, at the best ridge.
    ridge : float or None
        That ridge, in the kernel's unit.
    separability : float
        The least 1 - |cosine| of two samples.
    nearest : float
        The median cosine of a sample with its nearest neighbour.
    own_to_limit : float or None
        |H_own - H_limit| / |H_limit|, Frobenius; None of the limit itself, and of rows not of unit norm.
    effective_depth : float or None
        Samples times layers over width (arXiv 2405.16630).
    """

    kind: str
    n_samples: int
    n_looked_at: int
    width: int | None
    layers: Layers
    largest: float
    smallest: float
    converged: bool
    foretold: Foretold
    variance: float
    separability: float
    nearest: float
    values: Floats | None = None
    aligned: Floats | None = None
    effective_rank: float | None = None
    leave_one_out: float | None = None
    ridge: float | None = None
    own_to_limit: float | None = None
    _times: Callable[[Floats], Floats] | None = field(default=None, repr=False)

    @property
    def condition(self) -> float:
        """Largest over smallest eigenvalue; infinite where the smallest is 0 but for rounding."""
        return self.largest / self.smallest if self.smallest > 0 else inf

    @property
    def memory_depth(self) -> float | None:
        """See `Layers.memory_depth`; None for an activation that jumps."""
        return self.layers.memory_depth(self.nearest) if np.isfinite(self.layers.slope) else None

    @property
    def effective_depth(self) -> float | None:
        return None if self.width is None else self.n_samples * self.layers.depth / self.width

    @property
    def gauss_newton_cheaper(self) -> bool:
        """Whether conjugate gradients reach a twentieth of the first loss in fewer passes than descent."""
        return self.products < self.passes()

    @cached_property
    def products(self) -> int:
        """Passes over what fires that one Gauss-Newton step takes to a twentieth of the first loss."""
        return self.foretold.products_to(REACHED)

    def passes(self, batch_size: int | None = None) -> float:
        """Epochs of descent to a twentieth of the first loss, in batches of so many or of all samples.

        They are those of the samples that were looked at; more samples take more.
        """
        return self._steps * (batch_size or self.n_looked_at) / self.n_looked_at

    @cached_property
    def _steps(self) -> float:
        """Of descent to a twentieth of the first loss."""
        return self.foretold.steps_to(REACHED)

    def effective_dimension(self, ridge: float, seed: int = 0) -> tuple[float, float]:
        """tr H (H + ridge)^(-1) on the samples that were looked at, and its standard error.

        The error is 0 where all eigenvalues are known. Else the cost is 120 products with the kernel.
        """
        if not ridge > 0:
            raise ValueError(f"ridge must be above 0. Got {ridge}. Give that of the training.")
        if self.values is not None:
            return float(np.sum(self.values / (self.values + ridge))), 0.0
        assert self._times is not None
        sums = {"dimension": lambda x: np.maximum(x, 0) / (np.maximum(x, 0) + ridge)}
        found = quadrature(self._times, self.n_looked_at, sums, probes=PROBES, seed=seed)["dimension"]
        return found.value, found.standard_error

    def alignment(self, count: int) -> float:
        """The share of the centred targets' square among the first so many eigenvectors.

        Raises
        ------
        ValueError
            The report is of more samples than 4,096, whose eigenvectors are not known.
        """
        if self.aligned is None:
            raise ValueError(
                f"alignment must have all eigenvectors, of {ALL_UP_TO:,} samples at the most. Got a report "
                f"of {self.n_looked_at:,}. Make one with samples={ALL_UP_TO}."
            )
        return float(self.aligned[::-1][:count].sum())

    @property
    def verdicts(self) -> list[str]:
        """What follows for a person, in whole sentences; the most pressing first."""
        said = []
        if self.separability < DUPLICATE:
            said.append(
                "Some samples are copies of each other: the kernel is singular, and a ridge of "
                f"{1e-8 * self.largest:.1e} hides that."
            )
        if self.leave_one_out is not None and self.leave_one_out >= FORGOT * self.variance:
            said.append(
                "The kernel forgot the data: left out, a sample is foretold no better than by the mean. Take "
                "fewer layers, or a lower threshold."
            )
        if self.own_to_limit is not None and self.own_to_limit > FAR:
            said.append(
                f"The network's kernel is {self.own_to_limit:.0%} off its limit: the limit foretells little "
                "here. A wider network, or a lower threshold, is nearer."
            )
        if self.gauss_newton_cheaper:
            said.append(
                f"A Gauss-Newton step needs {self.products:,} passes over what fires to a twentieth of the "
                f"loss, full-batch descent {_count(self.passes())}."
            )
        return said

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, as JSON takes them: what is infinite is None."""
        figures = {
            "kind": self.kind,
            "n_samples": self.n_samples,
            "n_looked_at": self.n_looked_at,
            "width": self.width,
            "depth": self.layers.depth,
            "threshold": self.layers.threshold,
            "activation": self.layers.activation,
            "trained": self.layers.trained,
            "largest": self.largest,
            "smallest": self.smallest,
            "converged": self.converged,
            "condition": self.condition,
            "effective_rank": self.effective_rank,
            "aligned_with_first_10": None if self.aligned is None else self.alignment(10),
            "rate": self.foretold.rate,
            "first_loss": self.foretold.loss_after(0),
            "passes_of_descent": self.passes(),
            "passes_of_descent_batch_256": self.passes(min(256, self.n_looked_at)),
            "passes_of_gauss_newton": self.products,
            "gauss_newton_cheaper": self.gauss_newton_cheaper,
            "variance": self.variance,
            "leave_one_out": self.leave_one_out,
            "ridge": self.ridge,
            "separability": self.separability,
            "nearest": self.nearest,
            "nonlinearity": self.layers.nonlinearity,
            "slope": self.layers.slope,
            "fixed_point": self.layers.fixed_point,
            "memory_depth": self.memory_depth,
            "own_to_limit": self.own_to_limit,
            "effective_depth": self.effective_depth,
            "verdicts": self.verdicts,
        }
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in figures.items()
        }

    def __str__(self) -> str:
        return "\n".join(f"{name:<18} {text}" for name, text in self.lines())

    def lines(self) -> list[tuple[str, str]]:
        """Each figure by name, and what it means."""
        at_most = "" if self.converged else "at least "
        of = (
            f"a network of width {self.width:,}" if self.width else f"the limit of {self.layers.depth} layers"
        )
        lines = [
            ("kernel", f"of {of} at threshold {self.layers.threshold:.3g}, on {self.n_looked_at:,} of "
             f"{self.n_samples:,} samples"),
            ("condition", f"{at_most}{_count(self.condition)}: the slowest direction of descent takes so "
             "many times as long as the fastest"),
        ]  # fmt: skip
        if self.effective_rank is not None:
            lines.append(("effective rank", f"{self.effective_rank:.3g} of {self.n_looked_at:,} directions"))
            lines.append(("alignment", f"{self.alignment(10):.1%} of the targets' variance lies in the first "
                          "10 of them"))  # fmt: skip
        epochs = self.passes(min(256, self.n_looked_at))
        lines.append(("descent", f"{_count(epochs)} epochs in batches of {min(256, self.n_looked_at)} to a "
                      f"twentieth of the loss, {_count(self.passes())} of all samples at once; Gauss-Newton "
                      f"{self.products:,} passes"))  # fmt: skip
        if self.leave_one_out is not None:
            lines.append(("left out", f"{self.leave_one_out:.4g} of a variance of {self.variance:.4g} is not "
                          "foretold of a sample left out"))  # fmt: skip
        if self.memory_depth is not None:
            after = "never" if self.memory_depth == inf else f"after {self.memory_depth:.1f} layers"
            lines.append(("memory", f"nearest neighbours, of cosine {self.nearest:.3f}, look unrelated "
                          f"{after}: each multiplies differences by {self.layers.slope:.2f}"))  # fmt: skip
        if self.own_to_limit is not None:
            lines.append(("to the limit", f"{self.own_to_limit:.1%} off the kernel of infinite width"))
        if self.effective_depth is not None:
            lines.append(("effective depth", f"{self.effective_depth:.3g} samples per neuron and layer "
                          "(Bayesian: small is near a Gaussian process)"))  # fmt: skip
        return lines


def kernel_report(
    model: Network | Layers,
    inputs: ArrayLike | Inputs,
    targets: ArrayLike,
    *,
    samples: int = 1024,
    rate: float | str = "auto",
    trained: str = "hidden",
    max_products: int = 400,
    seed: int = 0,
    progress: Progress | None = None,
) -> KernelReport:
    """Look at the tangent kernel of a network as it is, or of layers of infinite width. Trains nothing.

    Parameters
    ----------
    model : TwoLayerNetwork, DeepNetwork or Layers
    inputs : (n, d) array or Inputs
        Of unit norm for layers, as `fewfire.prepare.InputScaling` makes them.
    targets : (n,) or (n, c)
        As the squared loss takes them: numbers, or one column per class.
    samples : int
        Looked at, drawn at random. Up to 4,096 all eigenvalues are found, beyond only ends and sums.
    rate : float or "auto"
        Learning rate of the foretold descent; "auto": n over the largest eigenvalue.
    trained : "hidden", "all" or "output"
        Which weights of a network train; layers say it themselves.
    max_products : int
        With the kernel, for the ends of the spectrum of more than 4,096 samples.
    seed : int
        Draws the samples.
    progress : callable, optional
        Called with the share that is done.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity; targets do not fit them, or
        do not vary; or the inputs of layers are not of unit norm.
    MemoryLimitError
        The kernel does not fit in memory.
    ValueError
        The inputs have another number of features, or another dtype, than the network; or a number is out
        of its range.

    Notes
    -----
    Cost of a network: one fire set of the samples, then an addition for every two firing pairs of a neuron
    and an eigenvalue problem, 9 n^3; beyond 4,096 samples some 700 products of 2 (d + 1) multiply-adds per
    firing pair at the most. docs/theory/kernels.md has the formulas.

    Examples
    --------
    >>> rows = np.random.default_rng(0).standard_normal((200, 5))
    >>> rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    >>> report = kernel_report(Layers(depth=1, threshold=0.0), rows, rows[:, 0])
    >>> report.gauss_newton_cheaper, round(report.alignment(10), 1)
    (True, 1.0)
    """
    require_counts(samples=samples, max_products=max_products)
    pace = _pace(rate)
    dtype = np.dtype(np.float64) if isinstance(model, Layers) else model.dtype
    inputs = Inputs.of_any(inputs, dtype)
    columns = columns_of(targets, len(inputs))
    ids = np.sort(np.random.default_rng(seed).permutation(len(inputs))[:samples])
    batch, columns = inputs.batch(ids), columns[ids]
    centred = columns - columns.mean(axis=0)
    if not np.square(centred).sum() > 1e-20 * max(1.0, np.square(columns).sum()):
        raise DataError(
            "targets must vary to be aligned with a kernel. Got one value. Give the labels of more classes."
        )
    if len(ids) <= ALL_UP_TO:
        require_free_memory(
            5 * 8 * len(ids) ** 2,
            f"a kernel of {len(ids):,} samples must fit in memory.",
            "Give fewer samples.",
        )
    cosines = _Cosines.of(batch)
    common: dict[str, Any] = {
        "n_samples": len(inputs),
        "n_looked_at": len(ids),
        "variance": float(np.square(centred).mean()),
        "separability": cosines.separability,
        "nearest": cosines.nearest,
    }
    if isinstance(model, Layers):
        matrix = _limit_matrix(model, batch, cosines)
        parts = _of_matrix(matrix, columns, centred, pace)
        return KernelReport(kind="limit", width=None, layers=model, **parts, **common)
    own = own_kernel(model, batch, trained)
    first, width = model.layers[0], min(layer.width for layer in model.layers)
    limit = Layers(len(model.layers), first.threshold, trained=trained)
    common |= {"kind": "own", "width": width, "layers": limit}
    residuals = columns - own.outputs()
    if len(ids) > ALL_UP_TO:
        parts = _of_products(own, max_products, seed, progress)
        return KernelReport(**parts, foretold=_foretold(own, residuals, pace), **common)
    matrix = own.matrix()
    far = None
    if cosines.unit and trained != "all" and _has_limit(model):
        expected = _expected(model, limit, batch)
        far = float(np.linalg.norm(matrix - expected) / np.linalg.norm(expected))
    parts = _of_matrix(matrix, residuals, centred, pace)
    if columns.shape[1] > 1:  # which the signs of their output weights couple
        parts["foretold"] = _foretold(own, residuals, pace)
    return KernelReport(own_to_limit=far, **parts, **common)


def _limit_matrix(layers: Layers, batch: Inputs, cosines: "_Cosines") -> Floats:
    """The kernel of infinite width, where it can be had."""
    if not cosines.unit:
        low, high = float(batch.norms.min()), float(batch.norms.max())
        raise DataError(
            "inputs must have unit norm for a kernel of infinite width. Got norms from "
            f"{low:.3g} to {high:.3g}. Use InputScaling."
        )
    if len(batch) > ALL_UP_TO:
        raise ValueError(
            f"samples must be at most {ALL_UP_TO:,} for a kernel of infinite width. Got {len(batch):,}. "
            "Give fewer."
        )
    return layers.size * layers.kernel(batch.inner_products)


def _has_limit(network: Network) -> bool:
    """Whether `Layers` are what a network tends to: of one threshold, with vectors on the sphere."""
    if isinstance(network, TwoLayerNetwork):
        return True
    on_the_sphere = network.lengths is None and not any(network.constants)
    return on_the_sphere and len(set(network.thresholds)) == 1


def _expected(network: Network, limit: Layers, batch: Inputs) -> Floats:
    """The kernel of a network in the limit of great width."""
    top = network.top if isinstance(network, DeepNetwork) else network
    squares = float(np.square(top.output_weights, dtype=np.float64).mean())
    if limit.trained == "output":
        squares = 1.0
    return squares * top.scale**2 * top.width * limit.size * limit.kernel(batch.inner_products)


def _foretold(own: OwnKernel | DeepOwnKernel, residuals: Floats, pace: float | None) -> Foretold:
    """With as many products as the work allows, of 2 (d + c) multiply-adds per firing pair and pass."""
    steps = int(np.clip(FORETELLING // own.multiply_adds, *STEPS))
    return Foretold.by_products(own.times_outputs, residuals, pace, steps)


def _of_matrix(matrix: Floats, residuals: Floats, centred: Floats, pace: float | None) -> dict[str, Any]:
    """What all eigenvalues say."""
    from scipy.linalg import eigh

    trace, squares, n = float(np.trace(matrix)), float(np.square(matrix).sum()), len(matrix)
    with one_blas_thread():
        values, vectors = eigh(matrix, check_finite=False, overwrite_a=True, driver="evd")
    values = np.maximum(values, 0)
    values[values < n * np.finfo(np.float64).eps * values[-1]] = 0  # which rounding made
    ridges = RIDGES * trace / n
    errors = errors_left_out(values, vectors, centred, ridges, np.ones(n))
    best = int(np.argmin(errors))
    aligned = np.square(vectors.T @ centred).sum(axis=1)
    return {
        "largest": float(values[-1]),
        "smallest": float(values[0]),
        "converged": True,
        "values": values,
        "aligned": aligned / aligned.sum(),
        "foretold": Foretold.of_all(values, vectors, residuals, pace),
        "effective_rank": trace**2 / squares,
        "leave_one_out": float(errors[best]),
        "ridge": float(ridges[best]),
    }


def _of_products(
    own: OwnKernel | DeepOwnKernel, max_products: int, seed: int, progress: Progress | None
) -> dict[str, Any]:
    """What products say of the ends of the spectrum."""
    found: Ends = ends(own.times, len(own), max_products=max_products, seed=seed, progress=progress)
    return {
        "largest": found.largest,
        "smallest": max(0.0, found.smallest),
        "converged": found.converged,
        "_times": own.times,
    }


def _pace(asked: float | str) -> float | None:
    """The rate that was asked for; None for the one that suits the kernel."""
    if asked == "auto":
        return None
    if isinstance(asked, str) or not 0 < asked < inf:
        raise ValueError(f"rate must be a number above 0, or 'auto'. Got {asked!r}. Use 'auto'.")
    return float(asked)


@dataclass(frozen=True)
class _Cosines:
    """How near samples are to each other."""

    unit: bool
    separability: float
    nearest: float

    @classmethod
    def of(cls, batch: Inputs) -> "_Cosines":
        rows = batch.samples.astype(np.float64)
        norms = np.linalg.norm(rows, axis=1)
        unit = bool(np.abs(norms - 1).max() < UNIT)
        rows = rows / np.where(norms > 0, norms, 1)[:, None]
        looked_at = rows[:ALL_UP_TO]
        cosines = looked_at @ looked_at.T
        cosines.flat[:: len(cosines) + 1] = -inf
        nearest = float(np.median(cosines.max(axis=1))) if len(rows) > 1 else 0.0
        cosines.flat[:: len(cosines) + 1] = 0
        return cls(unit, float(max(0.0, 1 - np.abs(cosines).max())), min(1.0, nearest))


def _count(value: float) -> str:
    """A large number for a person."""
    return "no finite number of" if value == inf else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
