"""Networks of several hidden layers, each of whose outputs goes to the unit sphere: their parameters.

    h_0 = x
    z_l = W_l h_(l-1),   a_l = max(z_l - b_l, 0)                          l = 1..L
    h_l = a_l / |a_l|, or 0 where nothing fires                           l < L
    f   = m_L^(-1/2) A^T a_L

With a constant k > 0 the next layer takes (h_l, k) / sqrt(1 + k^2). docs/theory/deep.md says why.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.rows import ROWS_AT_A_TIME, padded, require_float
from fewfire.networks.hidden import Hidden, Normalization
from fewfire.networks.initial import first_rows, gaussian_rows, require_init, sign_rows
from fewfire.networks.layer import Layer
from fewfire.networks.threshold import map_slope, mean_square_activation, threshold_of
from fewfire.networks.two_layer import KIND, TwoLayerNetwork
from fewfire.system.tensors import holding, read_tensors, write_tensors
from fewfire.system.words import require_counts, require_one_of

NORMALIZATIONS = ("sphere", "scale")
CONSTANT_FROM = 3  # layers: in fewer it costs accuracy (docs/theory/deep.md)


class DeepNetwork:
    """Parameters of a network of L hidden layers with shifted ReLUs.

    Parameters
    ----------
    weights : sequence of (m_l, d_l)
        One row per neuron, for each layer. d_l is m_(l-1), and one more where there is a constant.
    output_weights : (m_L, c)
    thresholds : sequence of float, >= 0
        b_l of each layer: a neuron fires where its pre-activation is above it, strictly.
    dtype : float32 or float64
    constants : sequence of float >= 0, optional
        k for each layer but the last; 0, and by default, for none.
    lengths : sequence of float > 0, optional
        What each hidden vector is divided by, for each layer but the last; by default its own length.

    Attributes
    ----------
    layers : list of Layer
    layer : Layer
        The first: the one that has an index.
    constants : tuple of float
    lengths : tuple of float, or None
    output_weights : a view that may be written to
    output_rows : (m_L, stride)
        The output weights, padded, as the compiled core wants them.

    Raises
    ------
    ValueError
        The layers do not fit each other, are empty or not finite in `dtype`; `dtype` is another; or a
        threshold, constant or length is out of its range.

    Notes
    -----
    With one layer it is a `TwoLayerNetwork`, with the same bits.

    Source: Song, Zhang, Zhang, arXiv 2112.07628, whose hidden vectors are scaled but not normalized.

    Examples
    --------
    >>> network = DeepNetwork([[[3.0], [4.0]], [[1.0, 1.0]]], [[1.0]], thresholds=[0.0, 0.4])
    >>> network.forward([[1.0], [-1.0]]).round(2).tolist()  # h = (0.6, 0.8), and nothing fires on the second
    [[1.0], [0.0]]
    """

    def __init__(
        self,
        weights: Sequence[ArrayLike],
        output_weights: ArrayLike,
        thresholds: Sequence[float],
        dtype: DTypeLike = np.float32,
        *,
        constants: Sequence[float] | None = None,
        lengths: Sequence[float] | None = None,
    ) -> None:
        require_float(dtype)
        arrays = [np.asarray(one) for one in weights]
        constants = tuple(constants or (0.0,) * (len(arrays) - 1))
        _require_fitting(arrays, np.asarray(output_weights), thresholds, constants, lengths)
        rows = [padded(one, dtype) for one in arrays]
        output_rows = padded(np.asarray(output_weights), dtype)
        if not all(np.isfinite(one).all() for one in (*rows, output_rows)):
            raise ValueError(
                f"weights must be finite in {np.dtype(dtype)}. Got NaN, infinity or numbers beyond it. "
                "Remove or rescale them."
            )
        layers = [
            Layer(one, array.shape[1], float(b), 1.0)
            for one, array, b in zip(rows, arrays, thresholds, strict=True)
        ]
        layers[-1].scale = float(layers[-1].width ** -0.5)
        self._set(layers, output_rows, np.shape(output_weights)[1], constants, lengths)

    def _set(
        self,
        layers: list[Layer],
        output_rows: NDArray,
        n_outputs: int,
        constants: Sequence[float],
        lengths: Sequence[float] | None,
    ) -> None:
        self.layers, self.output_rows, self.n_outputs = layers, output_rows, n_outputs
        self.constants = tuple(map(float, constants))
        self.lengths = None if lengths is None else tuple(map(float, lengths))

    @classmethod
    def initialize(
        cls,
        widths: Sequence[int],
        n_features: int,
        n_outputs: int,
        *,
        threshold: float | str | Sequence[float] = "paper",
        fire_rate: float | Sequence[float] | None = None,
        normalize: str = "sphere",
        constant: float | str = "auto",
        init: str = "gaussian",
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> "DeepNetwork":
        """A random network: all entries of the W_l from N(0, 1), output weights of uniformly random signs.

        Parameters
        ----------
        widths : sequence of int, >= 1
            Neurons of each hidden layer. The most useful shape is a wide first layer and narrower ones above.
        n_features, n_outputs : int, >= 1
        threshold : float >= 0, "paper" or "auto", or one for each layer
            The names as for `TwoLayerNetwork.initialize`, by the width of each layer.
        fire_rate : float in (0, 0.5], or one for each layer, optional
            Choose the thresholds at which this share of pairs fires on unit-norm inputs, instead.
        normalize : "sphere" or "scale"
            Whether each hidden vector is divided by its own length, or all of a layer by the length that is
            expected of them. The second is there to show what becomes of it: at the thresholds that pay,
            samples die out in the third layer.
        constant : float >= 0 or "auto"
            k of all layers but the last. "auto": none up to two layers, and else that at which neither small
            differences nor cosines grow from layer to layer.
        init : "gaussian" or "structured"
            Of the first layer; see `TwoLayerNetwork.initialize`.
        seed : int
        dtype : float32 or float64

        Raises
        ------
        ValueError
            A size is no whole number >= 1, or another argument is none that it takes.
        """
        widths = list(widths)
        require_counts(n_features=n_features, n_outputs=n_outputs)
        for width in widths:
            require_counts(width=width)
        if not widths:
            raise ValueError("widths must name at least one layer. Got none. Give the neurons of each.")
        require_float(dtype)
        require_init(init)
        require_one_of(normalize, NORMALIZATIONS, "normalize")
        thresholds = thresholds_of(widths, threshold, fire_rate)
        constants = _constants_of(thresholds, constant)
        random = np.random.default_rng(seed)
        rows, structure = first_rows(init, widths[0], n_features, random, dtype)
        layers = [Layer(rows, n_features, thresholds[0], 1.0)]
        layers[0].structure = structure
        for width, below, b, k in zip(widths[1:], widths, thresholds[1:], constants, strict=False):
            taken = below + (k > 0)
            layers.append(Layer(gaussian_rows(width, taken, random, dtype), taken, b, 1.0))
        layers[-1].scale = float(widths[-1] ** -0.5)
        lengths = None
        if normalize == "scale":
            lengths = [sqrt(m * mean_square_activation(b)) for m, b in
                       zip(widths[:-1], thresholds, strict=False)]  # fmt: skip
        network = cls.__new__(cls)
        output_rows = sign_rows(widths[-1], n_outputs, random, dtype)
        network._set(layers, output_rows, n_outputs, constants, lengths)
        return network

    @property
    def layer(self) -> Layer:
        return self.layers[0]

    @property
    def top(self) -> TwoLayerNetwork:
        """The last layer and the output weights, as a network of what the layer takes: views, not copies."""
        return TwoLayerNetwork.of_rows(self.layers[-1], self.output_rows, self.n_outputs)

    @property
    def depth(self) -> int:
        """L: how many hidden layers there are."""
        return len(self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(layer.width for layer in self.layers)

    @property
    def thresholds(self) -> tuple[float, ...]:
        return tuple(layer.threshold for layer in self.layers)

    @property
    def output_weights(self) -> NDArray:
        return self.output_rows[:, : self.n_outputs]

    @property
    def n_features(self) -> int:
        return self.layers[0].n_features

    @property
    def dtype(self) -> np.dtype:
        return self.layers[0].dtype

    def __repr__(self) -> str:
        thresholds = ", ".join(f"{b:.4g}" for b in self.thresholds)
        return (
            f"DeepNetwork(widths={self.widths}, n_features={self.n_features}, n_outputs={self.n_outputs}, "
            f"thresholds=({thresholds}), dtype={self.dtype})"
        )

    def __reduce__(self) -> tuple:
        """Pickled as made: the rows are aligned anew, and may be written to."""
        return DeepNetwork.from_state, (self.state(),)

    def copy(self) -> "DeepNetwork":
        network = DeepNetwork.__new__(DeepNetwork)
        layers = [layer.part(slice(None)) for layer in self.layers]
        output_rows = padded(self.output_weights, self.dtype)
        network._set(layers, output_rows, self.n_outputs, self.constants, self.lengths)
        return network

    def arrange(self, order: NDArray[np.int32]) -> None:
        """Put neuron order[r] of the first layer in the place of its neuron r: the same function."""
        self.layer.arrange(order)
        if self.depth == 1:
            self.output_rows[:] = self.output_rows[order]
            return
        rows = self.layers[1].weight_rows
        for first in range(0, len(rows), ROWS_AT_A_TIME):
            part = rows[first : first + ROWS_AT_A_TIME, : len(order)]
            part[:] = part[:, order]

    def hidden(self, number: int, fires: FireSet) -> Hidden:
        """What layer `number`, counted from 0, hands to the next, from who fires in it."""
        return Hidden.of(fires, self.layers[number].threshold, self.normalization(number))

    def normalization(self, number: int) -> Normalization:
        """How layer `number`, counted from 0, is handed to the next."""
        return Normalization(self.constants[number], None if self.lengths is None else self.lengths[number])

    def outputs(self, fires: FireSet) -> NDArray:
        """Outputs (n, c) from who fires in the last layer: c multiply-adds per firing pair."""
        return self.top.outputs(fires)

    def forward(self, samples: ArrayLike) -> NDArray:
        """Outputs (n, c) for samples (n, d), densely with NumPy: the plain formula, for checks."""
        h = np.asarray(samples, self.dtype)
        for number, layer in enumerate(self.layers[:-1]):
            a = np.maximum(h @ layer.weights.T - self.dtype.type(layer.threshold), 0)
            own = np.linalg.norm(a, axis=1, keepdims=True)
            length = own if self.lengths is None else np.full_like(own, self.lengths[number])
            h = np.divide(a, length, out=np.zeros_like(a), where=length > 0)
            k = self.constants[number]
            if k > 0:
                h = np.hstack([h, np.full_like(own, k)]) / self.dtype.type(sqrt(1 + k * k))
        return self.top.forward(h)

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
        state = {f"weights {number}": np.ascontiguousarray(layer.weights)
                 for number, layer in enumerate(self.layers, 1)}  # fmt: skip
        state |= {
            "output_weights": np.ascontiguousarray(self.output_weights),
            "thresholds": np.array(self.thresholds),
            "constants": np.array(self.constants),
        }
        return state if self.lengths is None else state | {"lengths": np.array(self.lengths)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> "DeepNetwork":
        """The inverse of `state`; other names in the mapping are ignored."""
        thresholds = state["thresholds"].tolist()
        weights = [state[f"weights {number}"] for number in range(1, len(thresholds) + 1)]
        lengths = state["lengths"].tolist() if "lengths" in state else None
        return cls(
            weights, state["output_weights"], thresholds, weights[0].dtype,
            constants=state["constants"].tolist(), lengths=lengths,
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> "DeepNetwork":
        """Read the parameters back, bit for bit.

        Raises
        ------
        ValueError
            The file is not one that `save` wrote, or it was cut off or changed.
        OSError
            The file cannot be read.
        MemoryLimitError
            The file and its arrays do not fit in memory.
        """
        what = "the weights of each layer, output_weights, thresholds and constants"
        with holding(path, what, "Give a deep model that fewfire saved."):
            return cls.from_state(read_tensors(path, KIND)[0])


Network = TwoLayerNetwork | DeepNetwork


def two_layers_of(network: Network, what: str) -> TwoLayerNetwork:
    """The network where it has one hidden layer.

    Parameters
    ----------
    what : str
        What needs it, for a person: "an attack".

    Raises
    ------
    ValueError
        It has several.
    """
    if isinstance(network, TwoLayerNetwork):
        return network
    if network.depth > 1:
        raise ValueError(
            f"{what} must have a network of one hidden layer. Got one of {network.depth}. Use a "
            "TwoLayerNetwork."
        )
    return network.top


def network_of_state(state: Mapping[str, NDArray]) -> Network:
    """The network of any depth whose `state` this is; other names in the mapping are ignored."""
    kind = DeepNetwork if "thresholds" in state else TwoLayerNetwork
    return kind.from_state(state)


def thresholds_of(
    widths: Sequence[int],
    threshold: float | str | Sequence[float],
    fire_rate: float | Sequence[float] | None = None,
    *,
    second_order: bool = False,
    left_out: str = "paper",
) -> list[float]:
    """The threshold of each layer; see `DeepNetwork.initialize`, and `threshold_of` for one layer.

    Raises
    ------
    ValueError
        There are not as many thresholds or fire rates as layers, or one is none that is taken.
    """
    asked, rates = _one_each(threshold, widths, "thresholds"), _one_each(fire_rate, widths, "fire rates")
    return [
        threshold_of(one, width, fire_rate=rate, second_order=second_order, left_out=left_out)
        for one, width, rate in zip(asked, widths, rates, strict=True)
    ]


def _one_each(given: float | str | Sequence[float] | None, widths: Sequence[int], what: str) -> list:
    if isinstance(given, str) or not isinstance(given, Sequence):
        return [given] * len(widths)
    if len(given) != len(widths):
        raise ValueError(
            f"{what} must be one for all layers, or one for each. Got {len(given)} for {len(widths)} layers. "
            "Give as many as widths."
        )
    return list(given)


def _constants_of(thresholds: Sequence[float], constant: float | str) -> list[float]:
    """k for each layer but the last."""
    if constant != "auto":
        if isinstance(constant, str) or not (np.isfinite(constant) and constant >= 0):
            raise ValueError(
                f"constant must be a finite number >= 0, or 'auto'. Got {constant!r}. Use 0 for none."
            )
        return [float(constant)] * (len(thresholds) - 1)
    if len(thresholds) < CONSTANT_FROM:
        return [0.0] * (len(thresholds) - 1)
    return [sqrt(max(0.0, map_slope(b) - 1)) for b in thresholds[1:]]


def _require_fitting(
    weights: Sequence[NDArray],
    output_weights: NDArray,
    thresholds: Sequence[float],
    constants: Sequence[float],
    lengths: Sequence[float] | None,
) -> None:
    """Raise ValueError unless these make a network."""
    shapes = [array.shape for array in (*weights, output_weights)]
    told = f"Got shapes {', '.join(map(str, shapes))}."
    if len(weights) == 0 or any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise ValueError(
            "a deep network must have at least one layer, each with a row per neuron and no empty one. "
            f"{told} Give arrays (m_l, d_l), and output weights (m_L, c)."
        )
    n_between = len(weights) - 1
    if len(thresholds) != len(weights) or len(constants) != n_between or (
        lengths is not None and len(lengths) != n_between
    ):  # fmt: skip
        raise ValueError(
            "a deep network must have a threshold for each layer, and a constant (and a length) for each but "
            f"the last. Got {len(thresholds)} thresholds, {len(constants)} constants and "
            f"{n_between if lengths is None else len(lengths)} lengths for {len(weights)} layers. "
            "Give one each."
        )
    if not (np.isfinite(constants).all() and all(k >= 0 for k in constants)):
        raise ValueError(f"constants must be finite numbers >= 0. Got {constants}. Use 0 for none.")
    if lengths is not None and not (np.isfinite(lengths).all() and all(length > 0 for length in lengths)):
        raise ValueError(f"lengths must be finite numbers > 0. Got {lengths}. Leave them out for the sphere.")
    fits = all(
        above[1] == below[0] + (k > 0)
        for below, above, k in zip(shapes[:-2], shapes[1:-1], constants, strict=True)
    )
    if not fits or shapes[-1][0] != shapes[-2][0]:
        raise ValueError(
            "each layer must take as many numbers as the layer below has neurons, and one more for a "
            f"constant. {told} Give weights that fit each other."
        )
