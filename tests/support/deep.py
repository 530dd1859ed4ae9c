"""Deep networks in tests: small problems, who fires in every layer, and chains of multiply-adds in NumPy."""

import ctypes
import ctypes.util

import numpy as np

from checks import exhaustive_fire_set
from fewfire import DeepNetwork, Inputs
from fewfire.indexes.later_layers import LaterLayers
from fewfire.system import machine
from problems import Problem, clustered_samples

_MATHS = ctypes.CDLL(ctypes.util.find_library("m"))
_FUSED = {}
for _name, _type, _dtype in (("fmaf", ctypes.c_float, "float32"), ("fma", ctypes.c_double, "float64")):
    _one = getattr(_MATHS, _name)
    _one.restype, _one.argtypes = _type, [_type] * 3
    _FUSED[_dtype] = np.frompyfunc(_one, 3, 1)


def multiply_add(a, b, c):
    """a b + c as the kernels in use round it: once, but for the plain ones."""
    dtype = np.result_type(a, b, c)
    with np.errstate(over="ignore", invalid="ignore"):
        if machine.instruction_set() == "base":
            return a * b + c
        return np.asarray(_FUSED[str(dtype)](a, b, c), dtype)


def ordered_products(weights, samples):
    """<w_r, x_i>, (m, n): a chain of multiply-adds over all features, ascending, from +0."""
    z = np.zeros((len(weights), len(samples)), weights.dtype)
    for w, x in zip(weights.T, samples.T, strict=True):
        z = multiply_add(w[:, None], x[None, :], z)
    return z


def deep_problem(widths=(130, 70), n_features=9, n_samples=20, n_outputs=3, *, seed=0, **settings):
    settings = {"threshold": 0.8, "dtype": np.float32, **settings}
    samples, nearest = clustered_samples(n_samples, n_features, seed)
    network = DeepNetwork.initialize(widths, n_features, n_outputs, seed=seed, **settings)
    targets = np.eye(n_outputs, dtype=network.dtype)[nearest % n_outputs]
    return Problem(network, Inputs.of(samples, network.dtype), targets)


def firing_of(network, batch):
    """Who fires in every layer, found exhaustively in the first."""
    return LaterLayers(network).firing(exhaustive_fire_set(network, batch))


def as_reference(network):
    """The arguments by which the reference takes a network: weights, output weights; thresholds and on."""
    weights = [layer.weights.astype(np.float64) for layer in network.layers]
    return (weights, network.output_weights), (network.thresholds, network.constants), network.lengths
