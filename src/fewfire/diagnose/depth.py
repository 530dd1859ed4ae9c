"""What becomes of signals from layer to layer of a deep network: measured, beside the theory."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes.exhaustive import ExhaustiveIndex
from fewfire.indexes.later_layers import LaterLayers
from fewfire.networks.deep import DeepNetwork
from fewfire.networks.threshold import fire_rate_at, map_slope, mean_square_activation
from fewfire.tangent.dual import shifted_relu
from fewfire.training import EpochRecord, Observer, Trainer

SAMPLES = 256  # on which signals are measured


@dataclass(frozen=True, kw_only=True)
class LayerSignals:
    """What a layer does on some samples, beside what the theory of a wide random layer says of it.

    Attributes
    ----------
    epoch : int
        0 for the network as it begins.
    layer : int, from 1
    fire_rate, fire_rate_theory : share of pairs that fire
    spread : standard deviation of the samples' fire rates, over their mean
    norm : root mean square length of the activations, over sqrt(m E[max(g - b, 0)^2]), which theory expects
    norm_spread : standard deviation of the samples' lengths, over their mean
    cosine, cosine_theory : of the hidden vectors of two samples, the mean over pairs; the theory begins with
        the cosines that are measured of what the layer takes
    slope : what small differences of inputs are multiplied by, in theory (`fewfire.networks.map_slope`)
    dead_samples : on which no neuron of the layer fires
    """

    epoch: int
    layer: int
    fire_rate: float
    fire_rate_theory: float
    spread: float
    norm: float
    norm_spread: float
    cosine: float
    cosine_theory: float
    slope: float
    dead_samples: int


def layer_signals(network: DeepNetwork, batch: Inputs, epoch: int = 0) -> list[LayerSignals]:
    """What each layer does on a batch of at least two samples.

    Cost: one exhaustive fire set, and for each layer n^2 multiply-adds per neuron at the most.
    """
    index = ExhaustiveIndex()
    index.build(network.layer, batch)
    firing = LaterLayers(network).firing(index.fire_set(batch))
    taken, signals = batch.inner_products, []
    for number, (layer, fires) in enumerate(zip(network.layers, firing.fires, strict=True)):
        constant = network.constants[number] if number < network.depth - 1 else 0.0
        activations = _dense(fires, layer.threshold)
        lengths = np.linalg.norm(activations, axis=1)
        units = np.divide(activations, lengths[:, None], out=np.zeros_like(activations),
                          where=lengths[:, None] > 0)  # fmt: skip
        between = units @ units.T
        rates = np.bincount(fires.samples, minlength=len(batch)) / layer.width
        mean_square = mean_square_activation(layer.threshold)
        expected = sqrt(layer.width * mean_square)
        theory = shifted_relu(np.arccos(np.clip(_pairs(taken), 0, 1)), layer.threshold) / mean_square
        signals.append(
            LayerSignals(
                epoch=epoch, layer=number + 1, fire_rate=fires.fire_rate,
                fire_rate_theory=fire_rate_at(layer.threshold), spread=_spread(rates),
                norm=float(np.sqrt(np.square(lengths).mean()) / expected), norm_spread=_spread(lengths),
                cosine=float(_pairs(between).mean()), cosine_theory=float(np.mean(theory)),
                slope=map_slope(layer.threshold), dead_samples=int((lengths == 0).sum()),
            )
        )  # fmt: skip
        taken = (between + constant**2) / (1 + constant**2)
    return signals


def _dense(fires: FireSet, threshold: float) -> NDArray[np.float64]:
    """The activations, (n, m)."""
    dense = np.zeros((fires.n_samples, fires.width))
    neurons = np.repeat(np.arange(fires.width), np.diff(fires.begins))
    dense[fires.samples, neurons] = fires.values.astype(np.float64) - threshold
    return dense


def _pairs(products: NDArray) -> NDArray:
    """Those of two different samples."""
    return products[np.triu_indices(len(products), 1)]


def _spread(values: NDArray) -> float:
    mean = float(values.mean())
    return float(values.std() / mean) if mean > 0 else 0.0


class DepthRecorder(Observer):
    """Measures the signals of all layers as training begins and after each epoch.

    Attributes
    ----------
    signals : list of LayerSignals
    """

    def __init__(self, network: DeepNetwork, inputs: Inputs) -> None:
        self.network = network
        self._batch = inputs.batch(np.arange(min(SAMPLES, len(inputs))))
        self.signals = layer_signals(network, self._batch)

    def epoch_done(self, record: EpochRecord, trainer: Trainer) -> None:
        trainer.settle()
        self.signals += layer_signals(self.network, self._batch, record.epoch)


def depth_rows(signals: Sequence[LayerSignals]) -> list[list[str]]:
    """The first and the last epoch as texts, in the order of `DEPTH_HEADS`."""
    ends = (signals[0].epoch, signals[-1].epoch)
    return [
        [
            str(one.epoch), str(one.layer), f"{one.fire_rate:.2%}", f"{one.fire_rate_theory:.2%}",
            f"{one.spread:.2f}", f"{one.norm:.3f}", f"{one.cosine:.3f}", f"{one.cosine_theory:.3f}",
            f"{one.slope:.2f}", str(one.dead_samples),
        ]
        for one in signals if one.epoch in ends
    ]  # fmt: skip


DEPTH_HEADS = ("epoch", "layer", "fires", "theory", "spread", "norm", "cosine", "theory", "slope", "dead")


def depth_markdown(signals: Sequence[LayerSignals]) -> str:
    """The same as a table in Markdown."""
    lines = [DEPTH_HEADS, ["---:"] * len(DEPTH_HEADS), *depth_rows(signals)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def depth_csv(signals: Sequence[LayerSignals]) -> str:
    """All that was measured, as CSV."""
    rows = [asdict(one) for one in signals]
    return "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"
