"""The two-layer network f(x) = m^(-1/2) sum_r a_r max(<w_r, x> - b, 0): its parameters."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded, require_float, stride_of
from fewfire.networks.initial import first_rows, require_init, sign_rows
from fewfire.networks.layer import Layer
from fewfire.networks.silent import redraw_silent
from fewfire.networks.threshold import threshold_of
from fewfire.system.tensors import holding, read_tensors, write_tensors
from fewfire.system.words import require_counts

KIND = "fewfire network"  # of a file
FORWARD_PAIRS = 1 << 24  # pre-activations that the dense forward pass holds at one time


class TwoLayerNetwork:
    """Parameters of a two-layer network with a shifted ReLU.

    Parameters
    ----------
    weights : (m, d)
        One row w_r per neuron.
    output_weights : (m, c)
        One row a_r per neuron; random signs at initialization.
    threshold : float, >= 0
        b: a neuron fires where <w_r, x> > b, strictly.
    dtype : float32 or float64
    scale : float, optional
        What the sum over the neurons is multiplied by; m^(-1/2) by default.

    Attributes
    ----------
    layer : Layer
        The hidden layer, which indexes are asked about.
    weights, output_weights : views that may be written to (tell the index what `moved`)
    output_rows : (m, stride)
        The output weights, padded, as the compiled core wants them.

    Raises
    ------
    ValueError
        Weights and output weights do not have one row per neuron each, are empty or not finite in `dtype`;
        `dtype` is another; or the threshold is negative or not finite.

    Notes
    -----
    Source: Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622), with outputs of any number.

    Examples
    --------
    >>> network = TwoLayerNetwork(weights=[[4.0, 0.0]], output_weights=[[1.0]], threshold=1.0)
    >>> network.forward([[1.0, 0.0], [0.25, 1.0]]).tolist()  # of the second the product is 1, and not above
    [[3.0], [0.0]]
    """

    def __init__(
        self,
        weights: ArrayLike,
        output_weights: ArrayLike,
        threshold: float,
        dtype: DTypeLike = np.float32,
        *,
        scale: float | None = None,
    ) -> None:
        require_float(dtype)
        weights, output_weights = np.asarray(weights), np.asarray(output_weights)
        if weights.ndim != 2 or output_weights.ndim != 2 or len(weights) != len(output_weights):
            raise ValueError(
                "weights must be (m, d) and output_weights (m, c) with the same m. Got shapes "
                f"{weights.shape} and {output_weights.shape}. Give one row per neuron in both."
            )
        if 0 in weights.shape or 0 in output_weights.shape:
            raise ValueError(
                "a network needs at least one neuron, one feature and one output. Got shapes "
                f"{weights.shape} and {output_weights.shape}."
            )
        weight_rows, output_rows = padded(weights, dtype), padded(output_weights, dtype)
        if not (np.isfinite(weight_rows).all() and np.isfinite(output_rows).all()):
            raise ValueError(
                f"weights must be finite in {np.dtype(dtype)}. Got NaN, infinity or numbers beyond it. "
                "Remove or rescale them."
            )
        whole = float(len(weights) ** -0.5)
        layer = Layer(weight_rows, weights.shape[1], threshold, whole if scale is None else scale)
        self._set(layer, output_rows, output_weights.shape[1])

    def _set(self, layer: Layer, output_rows: NDArray, n_outputs: int) -> None:
        self.layer, self.output_rows, self.n_outputs = layer, output_rows, n_outputs

    @classmethod
    def of_rows(cls, layer: Layer, output_rows: NDArray, n_outputs: int) -> "TwoLayerNetwork":
        """A network of this very layer and these padded output weights (m, stride), not copies of them."""
        network = cls.__new__(cls)
        network._set(layer, output_rows, n_outputs)
        return network

    @classmethod
    def initialize(
        cls,
        width: int,
        n_features: int,
        n_outputs: int,
        *,
        threshold: float | str = "paper",
        fire_rate: float | None = None,
        init: str = "gaussian",
        mirrored: bool = False,
        alive_on: Inputs | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> "TwoLayerNetwork":
        """A random network: w_r ~ N(0, I), or nearly; a_r of uniformly random signs.

        Parameters
        ----------
        width, n_features, n_outputs : int, >= 1
        threshold : float >= 0, "paper" for sqrt(0.4 ln m), or "auto" for the threshold of `fewfire train`
        fire_rate : float in (0, 0.5], optional
            Choose the threshold at which this share of pairs fires on unit-norm inputs, instead.
        init : "gaussian" or "structured"
            "structured": `StructuredWeights`, for which the drift index is built several times faster.
        mirrored : bool
            Each neuron twice, with opposite output weights: the outputs begin at 0, up to rounding, and what
            training adds is all there is. Needs an even width, and Gaussian weights.
        alive_on : Inputs, optional
            Draw neurons until all fire on some sample of this training set, up to 100 times each. On it that
            is a network of as many neurons as were drawn, without the silent ones, which never move
            (docs/theory/silent_neurons.md). Gaussian weights only.
        seed : int
        dtype : float32 or float64

        Raises
        ------
        ValueError
            A size is no whole number >= 1, a name or a number is none that the argument takes, or both a
            threshold and a fire rate are given; or `alive_on`
            has other features or another dtype, or goes with structured weights.
        """
        require_counts(width=width, n_features=n_features, n_outputs=n_outputs)
        threshold = threshold_of(threshold, width, fire_rate=fire_rate)
        require_init(init)
        random = np.random.default_rng(seed)
        require_float(dtype)
        drawn = width
        if alive_on is not None:
            _require_alive_on(alive_on, n_features, np.dtype(dtype), init)
        weight_rows, structure = first_rows(init, width, n_features, random, dtype)
        if alive_on is not None:
            each = 2 if mirrored else 1
            drawn += each * redraw_silent(weight_rows[::each], alive_on, threshold, random)
        output_rows = sign_rows(width, n_outputs, random, dtype)
        if mirrored:
            if width % 2 or init != "gaussian":
                raise ValueError(
                    "a mirrored network must have an even width and Gaussian weights. Got width="
                    f"{width} and init={init!r}. Use width={width + width % 2} and init='gaussian'."
                )
            weight_rows[1::2] = weight_rows[::2]
            output_rows[1::2] = -output_rows[::2]
        layer = Layer(weight_rows, n_features, threshold, drawn**-0.5)
        layer.structure = structure
        return cls.of_rows(layer, output_rows, n_outputs)

    @property
    def weights(self) -> NDArray:
        return self.layer.weights

    @property
    def layers(self) -> list[Layer]:
        """All hidden layers: one."""
        return [self.layer]

    @property
    def output_weights(self) -> NDArray:
        return self.output_rows[:, : self.n_outputs]

    @property
    def width(self) -> int:
        return self.layer.width

    @property
    def n_features(self) -> int:
        return self.layer.n_features

    @property
    def dtype(self) -> np.dtype:
        return self.layer.dtype

    @property
    def threshold(self) -> float:
        """b."""
        return self.layer.threshold

    @property
    def scale(self) -> float:
        """m^(-1/2), unless another was given."""
        return self.layer.scale

    def __repr__(self) -> str:
        return (
            f"TwoLayerNetwork(width={self.width}, n_features={self.n_features}, "
            f"n_outputs={self.n_outputs}, threshold={self.threshold:.4g}, dtype={self.dtype})"
        )

    def __reduce__(self) -> tuple:
        """Pickled as made: the rows are aligned anew, and may be written to."""
        make = partial(TwoLayerNetwork, scale=self.scale)
        weights, output_weights = np.array(self.weights), np.array(self.output_weights)
        return make, (weights, output_weights, self.threshold, self.dtype.name)

    def copy(self) -> "TwoLayerNetwork":
        return self.part(slice(None))

    def part(self, neurons: NDArray[np.int64] | slice) -> "TwoLayerNetwork":
        """A network of copies of these neurons, with the scale of the whole.

        In a step for the same residuals a neuron moves as far as it would among all the others.
        """
        layer = self.layer.part(neurons)
        return TwoLayerNetwork.of_rows(
            layer, padded(self.output_weights[neurons], self.dtype), self.n_outputs
        )

    def at_threshold(self, threshold: float) -> "TwoLayerNetwork":
        """The same neurons with another threshold; copies nothing, unless they coast."""
        return TwoLayerNetwork.of_rows(self.layer.at_threshold(threshold), self.output_rows, self.n_outputs)

    def arrange(self, order: NDArray[np.int32]) -> None:
        """Put neuron order[r] in the place of neuron r, for all r: the same function."""
        self.layer.arrange(order)
        self.output_rows[:] = self.output_rows[order]

    def outputs(self, fires: FireSet, threshold: float | None = None) -> NDArray:
        """Outputs (n, c) from a fire set: c multiply-adds per firing pair.

        With another threshold than the network's: m^(-1/2) sum_r a_r (value - threshold) over the same pairs.
        """
        rows = np.empty((fires.n_samples, stride_of(self.n_outputs, self.dtype)), self.dtype)
        _core.forward(fires.core_view, self.output_rows,
                      self.threshold if threshold is None else threshold, self.scale, rows)  # fmt: skip
        return rows[:, : self.n_outputs]

    def outputs_of_all(self, inputs: Inputs) -> NDArray:
        """The outputs (n, c) that `outputs` has from the fire set of these inputs, bit for bit, without one.

        Costs m n (d + c) multiply-adds, whatever fires: for a threshold at which much does.
        """
        rows = np.empty((len(inputs), stride_of(self.n_outputs, self.dtype)), self.dtype)
        weight_rows = self.layer.weight_rows if self.layer.settled else self.layer.present_rows()
        _core.forward_of_all(weight_rows, inputs.core_view, self.threshold, self.scale,
                             self.output_rows, self.n_outputs, rows)  # fmt: skip
        return rows[:, : self.n_outputs]

    def forward(self, samples: ArrayLike) -> NDArray:
        """Outputs (n, c) for samples (n, d), densely with NumPy: m n d multiply-adds.

        The plain formula, for checks; `predict` computes only with what fires.
        """
        samples = np.asarray(samples, dtype=self.dtype)
        outputs = np.empty((len(samples), self.n_outputs), self.dtype)
        step = max(1, FORWARD_PAIRS // self.width)
        for first in range(0, len(samples), step):
            pre_activations = samples[first : first + step] @ self.weights.T
            activations = np.maximum(pre_activations - self.dtype.type(self.threshold), 0)
            outputs[first : first + step] = activations @ self.output_weights
        return outputs * self.dtype.type(self.scale)

    def save(self, path: str | Path) -> None:
        """Write the parameters to a safetensors file, atomically, with a checksum.

        Raises
        ------
        OSError
            The file cannot be written; one that was there is as it was.
        """
        write_tensors(path, KIND, self.state())

    def state(self) -> dict[str, NDArray]:
        """The parameters as arrays by name."""
        return {
            "weights": np.ascontiguousarray(self.weights),
            "output_weights": np.ascontiguousarray(self.output_weights),
            "threshold": np.array(self.threshold, dtype=np.float64),
            "scale": np.array(self.scale, dtype=np.float64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> "TwoLayerNetwork":
        """The inverse of `state`; other names in the mapping are ignored."""
        weights, scale = state["weights"], state["scale"].item() if "scale" in state else None
        return cls(weights, state["output_weights"], state["threshold"].item(), weights.dtype, scale=scale)

    @classmethod
    def load(cls, path: str | Path) -> "TwoLayerNetwork":
        """Read the parameters back, bit for bit; of a file of several networks, those of the first.

        Raises
        ------
        ValueError
            The file is not one that `save` wrote, or it was cut off or changed.
        OSError
            The file cannot be read.
        MemoryLimitError
            The file and its arrays do not fit in memory.
        """
        with holding(path, "weights, output_weights and threshold", "Give a model that fewfire saved."):
            return cls.from_state(read_tensors(path, KIND)[0])


def _require_alive_on(inputs: Inputs, n_features: int, dtype: np.dtype, init: str) -> None:
    if (inputs.n_features, inputs.dtype, init) != (n_features, dtype, "gaussian"):
        raise ValueError(
            f"alive_on must have the network's {n_features} features in {dtype}, and Gaussian weights. Got "
            f"{inputs.n_features} features in {inputs.dtype} and init={init!r}. Prepare the samples as for "
            "training."
        )
