"""What the finite width of two layers adds to the evidence: an average over single neurons.

For Gaussian output weights the outputs' covariance is a mean over neurons, which fluctuates with them. To
first order the logarithm of the evidence changes by v / N, and |v| is the *kernel width*: that at which the
width counts one nat. docs/theory/evidence.md derives it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.diagnose.columns import columns_of
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.machine import one_blas_thread
from fewfire.system.words import require_counts
from fewfire.tangent import Layers, OwnKernel
from fewfire.tangent.evidence import evidence_of

Floats = NDArray[np.float64]
AT_ONCE = 2048  # neurons
BLOCK = 16  # neurons next to each other, that may be copies, count as one draw for the standard error
RIDGES = 10.0 ** np.arange(-6, 1.01, 0.25)  # of the mean of the diagonal, to choose the noise from


@dataclass(frozen=True)
class FiniteWidth:
    """What `finite_width` found.

    Attributes
    ----------
    first_order : float
        v: the logarithm of the evidence is that of great width and v / N, in nats.
    standard_error : float
        Of v, from the neurons that were looked at.
    width : int or None
        N of the network; None of the limit.
    n_samples : int
        It grows with them.
    noise : float
        The variance of the noise, in the unit of the kernel.
    scale : float
        The variance of output weights that the targets speak for; 1 where the noise was given.
    """

    first_order: float
    standard_error: float
    width: int | None
    n_samples: int
    noise: float
    scale: float

    @property
    def kernel_width(self) -> float:
        """The width at which the log evidence is one nat from that of the limit."""
        return abs(self.first_order)

    @property
    def correction(self) -> float | None:
        """v / N."""
        return None if self.width is None else self.first_order / self.width

    @property
    def uncertain(self) -> bool:
        """Whether the standard error is more than half of the value, which is no more than a hint then."""
        return self.standard_error > self.kernel_width / 2

    def __str__(self) -> str:
        about = "about " if self.uncertain else ""
        return f"kernel width {about}{self.kernel_width:,.0f} +- {self.standard_error:,.0f}"


def finite_width(
    model: TwoLayerNetwork | Layers,
    inputs: ArrayLike | Inputs,
    targets: ArrayLike,
    noise: float | str = "auto",
    *,
    neurons: int = 100_000,
    width: int | None = None,
    seed: int = 0,
) -> FiniteWidth:
    """How much the width of two layers with Gaussian output weights changes the evidence, to first order.

    Parameters
    ----------
    model : TwoLayerNetwork or Layers
        A network, whose own neurons are averaged over; or one layer of infinite width, of which as many
        `neurons` are drawn.
    inputs : (n, d) array or Inputs
    targets : (n,) or (n, c)
        Centred.
    noise : float > 0, or "auto"
        Variance of the noise. "auto": the noise, and the scale of the output weights, at which the evidence
        of the limit is largest.
    neurons : int
        Drawn, of layers.
    width : int, optional
        Of the whole, where the network is a part of it.
    seed : int
        Draws the neurons.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity; or targets do not fit them.
    ValueError
        The layers are more than one, or not ReLUs; or the noise is not above 0.

    Notes
    -----
    Cost of a network: its fire set, and n multiply-adds per firing pair. Of layers: neurons times n (n + d).
    Above a threshold of about 2 single neurons are heavy-tailed: look at the standard error.

    Examples
    --------
    >>> rows = np.random.default_rng(0).standard_normal((10, 20))
    >>> rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    >>> found = finite_width(Layers(), rows, rows[:, 0], noise=0.1)
    >>> found.kernel_width < 100, found.uncertain
    (True, False)
    """
    dtype = model.dtype if isinstance(model, TwoLayerNetwork) else np.dtype(np.float64)
    batch = Inputs.of_any(inputs, dtype)
    columns = columns_of(targets, len(batch))
    if not isinstance(noise, str) and not 0 < noise < np.inf:
        raise ValueError(f"noise must be a variance above 0, or 'auto'. Got {noise}. Use 'auto'.")
    require_counts(neurons=neurons)
    if isinstance(model, TwoLayerNetwork):
        return finite_width_of(OwnKernel.of(model, batch), columns, noise, width=width)
    if (model.depth, model.activation) != (1, "relu"):
        raise ValueError(
            f"layers must be one layer of ReLUs. Got depth={model.depth} and "
            f"activation={model.activation!r}. Give Layers(threshold=...), or a network."
        )
    output = Layers(1, model.threshold, trained="output")
    mean = output.size * output.kernel(batch.inner_products)
    parts = _drawn(batch.samples, model.threshold, neurons, np.random.default_rng(seed))
    return _found(mean, parts, columns, noise, None)


def finite_width_of(
    own: OwnKernel, columns: Floats, noise: float | str = "auto", *, width: int | None = None
) -> FiniteWidth:
    """The same of a network whose kernel on the samples is known already, for centred columns (n, c)."""
    network, active = own.network, own.activations
    whole = width or network.width
    size = network.scale**2 * whole  # 1, unless another scale was given
    mean = size / network.width * (active.T @ active).toarray()
    return _found(mean, _slices(own, size**0.5), columns, noise, whole)


def _found(
    mean: Floats, parts: Iterator, columns: Floats, noise: float | str, width: int | None
) -> FiniteWidth:
    with one_blas_thread():
        ridge, scale = _most_evident(mean, columns) if isinstance(noise, str) else (float(noise), 1.0)
        value, error = _first_order(mean, columns / scale**0.5, ridge, parts)
    return FiniteWidth(value, error, width, len(columns), ridge, scale)


def _slices(own: OwnKernel, factor: float) -> Iterator:
    """What neurons of a network make of the samples, sparse, some at a time."""
    active = own.activations
    for first in range(0, own.network.width, AT_ONCE):
        yield factor * active[first : first + AT_ONCE]


def _drawn(samples: Floats, threshold: float, count: int, random: np.random.Generator) -> Iterator[Floats]:
    """The same of neurons of the limit."""
    for first in range(0, count, AT_ONCE):
        weights = random.standard_normal((min(AT_ONCE, count - first), samples.shape[1]))
        yield np.maximum(weights @ samples.T - threshold, 0)


def _most_evident(mean: Floats, targets: Floats) -> tuple[float, float]:
    """The noise and the scale of the kernel at which the evidence is largest."""
    values, vectors = np.linalg.eigh(mean)
    values, squares = np.maximum(values, 0), np.square(vectors.T @ targets)
    ridges = RIDGES * values.mean()
    ridge = float(ridges[np.argmax(evidence_of(values, squares, ridges))])
    return ridge, float(np.mean(squares / (values + ridge)[:, None]))


def _first_order(mean: Floats, targets: Floats, noise: float, parts: Iterator) -> tuple[float, float]:
    """v and its standard error."""
    outputs = targets.shape[1]
    inverse = np.linalg.inv(mean + noise * np.eye(len(mean)))
    alpha = inverse @ targets
    ratio = inverse @ mean
    fit = float(np.sum(alpha * (mean @ alpha)))
    whole = (fit - outputs * np.trace(ratio)) ** 2 / 4
    whole += outputs * np.sum(ratio * ratio.T) / 2 - float(
        np.sum((mean @ alpha) * (inverse @ (mean @ alpha)))
    )
    each = []
    for part in parts:
        along = np.square(part @ alpha).sum(axis=1)
        image = part @ inverse
        across = np.asarray((part * image).sum(axis=1)).ravel()
        each.append((along - outputs * across) ** 2 / 4 - along * across + outputs * across**2 / 2)
    single = np.concatenate(each)
    blocks = [block.mean() for block in np.array_split(single, max(1, len(single) // BLOCK))]
    error = float(np.std(blocks, ddof=1) / len(blocks) ** 0.5) if len(blocks) > 1 else np.inf
    return (float(single.mean()) - float(whole)) / 2, error / 2
