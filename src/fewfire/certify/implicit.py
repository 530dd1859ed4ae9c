"""Implicit layers: y = C x + c where x = relu(A x + B u + b), with one solution, boxes and gradients.

docs/theory/implicit.md derives all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.certify.averaged import AveragedIteration, matrix_measure
from fewfire.certify.intervals import affine_bounds, margins_over, metzler_part, rounding

Floats = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Solution:
    """What an implicit layer gives for inputs (N, d).

    Attributes
    ----------
    states : (N, n)
        x.
    outputs : (N, c)
        y.
    errors : (N, n)
        How far each state may be from the exact one, proven, rounding included.
    steps : int
        Of the averaged iteration.
    """

    states: Floats
    outputs: Floats
    errors: Floats
    steps: int


@dataclass(frozen=True, eq=False)
class StateBox:
    """Where the states and outputs of an implicit layer lie for all inputs of boxes.

    Attributes
    ----------
    state_low, state_high : (N, n)
    low, high : (N, c)
        Of the outputs.
    silent : (N, n) bool
        States that are proven to be 0 for every input of the box.
    """

    state_low: Floats
    state_high: Floats
    low: Floats
    high: Floats
    silent: NDArray[np.bool_]


class ImplicitLayer:
    """y = C x + c, where x = relu(A x + B u + b), in float64.

    There is exactly one solution x for each u where the measure of D A D^-1 is below 1, and the averaged
    iteration finds it. `of_parameters` makes only such layers.

    Parameters
    ----------
    weights : (n, n) array
        A.
    input_weights : (n, d) array
        B.
    output_weights : (c, n) array
        C.
    bias : (n,) array
        b; by default 0.
    output_bias : (c,) array
        c; by default 0.
    scale : (n,) array > 0
        The diagonal of D; by default 1. The states are measured by max_i D_i |x_i|.
    tolerance : float in (0, 1)
        The iteration ends once its moves are so small beside the first one.

    Raises
    ------
    ValueError
        The shapes do not fit, or a number is out of its range.

    Examples
    --------
    >>> layer = ImplicitLayer([[-0.25, -0.25], [0.75, -0.25]], [[0.5, 1], [1, 0.5]], [[1, 0], [0, 1]])
    >>> box = layer.box([0, 1], [1 / 3, 2])
    >>> box.low.round(4), box.high.round(4)
    (array([[0.3939, 0.6364]]), array([[1.6061, 2.0303]]))
    >>> round(layer.lipschitz, 4)
    3.0
    """

    def __init__(
        self,
        weights: ArrayLike,
        input_weights: ArrayLike,
        output_weights: ArrayLike,
        *,
        bias: ArrayLike | None = None,
        output_bias: ArrayLike | None = None,
        scale: ArrayLike | None = None,
        tolerance: float = 1e-13,
    ) -> None:
        n, (c, d) = len(np.asarray(weights)), (np.shape(output_weights)[0], np.shape(input_weights)[-1])
        self.weights = _checked("weights", weights, (n, n))
        self.input_weights = _checked("input_weights", input_weights, (n, d))
        self.output_weights = _checked("output_weights", output_weights, (c, n))
        self.bias = _checked("bias", np.zeros(n) if bias is None else bias, (n,))
        self.output_bias = _checked("output_bias", np.zeros(c) if output_bias is None else output_bias, (c,))
        self.scale = _checked("scale", np.ones(n) if scale is None else scale, (n,))
        if not (self.scale > 0).all():
            raise ValueError(f"scale must be > 0. Got {self.scale.min()}. Give exp(d) for any numbers d.")
        if not 0 < tolerance < 1:
            raise ValueError(f"tolerance must be between 0 and 1. Got {tolerance}. Use 1e-12.")
        self.tolerance = tolerance

    @classmethod
    def of_parameters(
        cls,
        free: ArrayLike,
        input_weights: ArrayLike,
        output_weights: ArrayLike,
        *,
        margin: float = 0.0,
        decay: ArrayLike = 0.0,
        log_scale: ArrayLike = 0.0,
        bias: ArrayLike | None = None,
        output_bias: ArrayLike | None = None,
    ) -> "ImplicitLayer":
        """The layer that T, a and d stand for: it has one solution as long as float64 resolves 1 beside them.

        A = D^-1 T D - diag(|T| 1) - diag(a^2) + margin I with D = diag(exp d), so the measure of D A D^-1
        is the margin at the most.

        Parameters
        ----------
        free : (n, n) array
            T.
        margin : float < 1
        decay, log_scale : (n,) array or number
            a and d.

        Raises
        ------
        ValueError
            The margin is 1 or more.
        """
        require_margin(margin)
        t = np.asarray(free, np.float64)
        scale = np.broadcast_to(np.exp(np.asarray(log_scale, np.float64)), len(t))
        shift = margin - np.abs(t).sum(axis=1) - np.square(decay)
        weights = t * scale / scale[:, None] + np.diag(shift)
        return cls(weights, input_weights, output_weights, bias=bias, output_bias=output_bias, scale=scale)

    @property
    def measure(self) -> float:
        """mu(D A D^-1) = max_i (A_ii + sum over j != i of D_i |A_ij| / D_j), rounded up."""
        return matrix_measure(self._scaled)

    @property
    def well_posed(self) -> bool:
        """Whether the measure is below 1: then there is one solution, and all below can be had."""
        return self.measure < 1

    @property
    def lipschitz(self) -> float:
        """How much farther two outputs are apart than their inputs, at the most, in the largest entry.

        |C D^-1| |D B| / (1 - max(measure, 0)), the norms being largest sums of sizes over a row.
        """
        into = np.abs(self.input_weights * self.scale[:, None]).sum(axis=1).max(initial=0.0)
        out = np.abs(self.output_weights / self.scale).sum(axis=1).max()
        rounded = rounding(sum(self.input_weights.shape), EPS)
        return float((1 + rounded) * into * out / self.iteration.gap)

    @cached_property
    def iteration(self) -> AveragedIteration:
        """Over D x, whose largest entry is the norm that steps shrink.

        Raises
        ------
        ValueError
            The layer is not well posed.
        """
        return AveragedIteration(self._scaled)

    @property
    def _scaled(self) -> Floats:
        return self.weights * self.scale[:, None] / self.scale

    def solve(self, inputs: ArrayLike) -> Solution:
        """States and outputs for inputs (N, d) or (d,).

        Raises
        ------
        ValueError
            The layer is not well posed, or the inputs have another number of columns.
        """
        u = self._rows(inputs)
        states, errors, steps = self.iteration.solve(self._drive(u), self.tolerance)
        states = states / self.scale
        # The drive is itself rounded.
        sizes = self.scale * (np.abs(u) @ np.abs(self.input_weights).T + np.abs(self.bias))
        rounded = rounding(u.shape[1], EPS) * sizes.max(axis=1, initial=0.0)
        errors = errors + rounded / self.iteration.gap
        outputs = states @ self.output_weights.T + self.output_bias
        return Solution(states, outputs, errors[:, None] / self.scale, steps)

    def box(self, low: ArrayLike, high: ArrayLike) -> StateBox:
        """Where states and outputs lie for all inputs between low and high, each (N, d) or (d,).

        The ends are the solution of the embedded layer, of twice as many states. They hold every exact
        solution, whatever rounding did to them.

        Raises
        ------
        ValueError
            The layer is not well posed, the inputs have another number of columns, or a lower end is above
            the upper one.
        """
        centre, reach, silent = self._state_bounds(low, high)
        rounded = rounding(len(self.weights), EPS)
        middle, far = affine_bounds(self.output_weights, self.output_bias, centre, reach, rounded)
        return StateBox(
            np.maximum(centre - reach, 0), centre + reach, middle - far, middle + far, silent
        )  # fmt: skip

    def margins(self, low: ArrayLike, high: ArrayLike, labels: ArrayLike) -> Floats:
        """Lower bounds (N, c) on y_label - y_j for all inputs of the boxes; infinite at the label itself.

        A label is certified where all of them are above 0. Never below the difference of the ends of `box`.

        Raises
        ------
        ValueError
            As `box`, or the labels are not one per box, or none of the outputs.
        """
        centre, reach, _ = self._state_bounds(low, high)
        labels, c = np.asarray(labels), len(self.output_weights)
        whole = np.issubdtype(labels.dtype, np.integer)
        if labels.shape != (len(centre),) or not (whole and ((labels >= 0) & (labels < c)).all()):
            raise ValueError(
                f"labels must be {len(centre)} whole numbers from 0 to {c - 1}. Got {labels}. Number the "
                "outputs so."
            )
        found = np.empty((len(centre), c))
        rounded = rounding(len(self.weights), EPS)
        for label in np.unique(labels):
            rows = labels == label
            found[rows] = margins_over(
                label, self.output_weights, self.output_bias, centre[rows], reach[rows], rounded
            )
        found[np.arange(len(found)), labels] = np.inf
        return found

    def gradients(self, inputs: ArrayLike, pulls: ArrayLike) -> Mapping[str, Floats]:
        """Derivatives of what has the derivative `pulls` (N, c) by the outputs.

        By the inputs (N, d), and by each of the matrices under its name. The averaged iteration solves for
        them, too; at a pre-activation of exactly 0 the derivative is 0.
        """
        u, pulls = self._rows(inputs), np.atleast_2d(np.asarray(pulls, np.float64))
        states, outputs = self.solve(u).states, pulls @ self.output_weights
        active = states @ self.weights.T + u @ self.input_weights.T + self.bias > 0
        found = self.iteration.adjoint(outputs / self.scale, active, self.tolerance) * self.scale
        return {
            "inputs": found @ self.input_weights,
            "weights": found.T @ states,
            "input_weights": found.T @ u,
            "bias": found.sum(axis=0),
            "output_weights": pulls.T @ states,
            "output_bias": pulls.sum(axis=0),
        }

    def without(self, silent: NDArray[np.bool_]) -> "ImplicitLayer":
        """The layer without the states of a mask (n,): the same outputs wherever all of those are 0."""
        kept = ~np.asarray(silent, bool)
        return ImplicitLayer(
            self.weights[np.ix_(kept, kept)],
            self.input_weights[kept],
            self.output_weights[:, kept],
            bias=self.bias[kept],
            output_bias=self.output_bias,
            scale=self.scale[kept],
            tolerance=self.tolerance,
        )

    def _state_bounds(self, low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Centre, reach and silence of the states (N, n), for all inputs of the boxes."""
        low, high = self._rows(low), self._rows(high)
        if low.shape != high.shape or not (low <= high).all():
            raise ValueError(
                f"a box must have low <= high in every column. Got low={low} and high={high}. Give both "
                "ends of each box."
            )
        n, scaled = len(self.weights), self.iteration.weights
        centre = (low + high) / 2
        reach = np.maximum(high - centre, centre - low)
        rounded = rounding(low.shape[1], EPS)
        drive, far = affine_bounds(self.input_weights, self.bias, centre, reach, rounded)
        ends = np.concatenate([drive - far, drive + far], axis=1) * np.tile(self.scale, 2)
        embedded = embedded_weights(scaled)
        states, errors, _ = AveragedIteration(embedded).solve(ends, self.tolerance)
        # The upper ends of the pre-activations, whatever the states are within their errors.
        slack = errors[:, None] * np.abs(scaled).sum(axis=1)
        sizes = states @ np.abs(embedded[n:]).T + np.abs(ends[:, n:])
        top = states @ embedded[n:].T + ends[:, n:] + slack + rounding(2 * n, EPS) * sizes
        state_low, state_high = np.split(states / np.tile(self.scale, 2), 2, axis=1)
        centre = (state_low + state_high) / 2
        return centre, (state_high - state_low) / 2 + errors[:, None] / self.scale, top <= 0

    def _drive(self, u: Floats) -> Floats:
        return self.scale * (u @ self.input_weights.T + self.bias)

    def _rows(self, inputs: ArrayLike) -> Floats:
        rows = np.atleast_2d(np.asarray(inputs, np.float64))
        d = self.input_weights.shape[1]
        if rows.ndim != 2 or rows.shape[1] != d:
            raise ValueError(
                f"inputs must be (N, {d}), as the input weights are. Got {rows.shape}. Give a row per input."
            )
        return rows


def embedded_weights(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """[[M, K], [K, M]] for A = M + K, the weights of the layer whose states are both ends of a box."""
    m = metzler_part(weights, np.eye(len(weights)))
    k = weights - m
    return np.block([[m, k], [k, m]])


def require_margin(margin: float) -> None:
    """Raise ValueError unless a margin is below 1."""
    if not margin < 1:
        raise ValueError(
            f"an implicit layer needs a margin below 1 to have one solution. Got {margin}. Use 0.95 or less."
        )


def _checked(name: str, given: ArrayLike, shape: tuple[int, ...]) -> Floats:
    array = np.array(given, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite numbers of shape {shape}. Got shape {array.shape}, of which "
            f"{int((~np.isfinite(array)).sum())} are not finite. Give matrices that fit together, with one "
            "row per state, or per output."
        )
    return array
