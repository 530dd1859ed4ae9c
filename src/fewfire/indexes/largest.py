"""The k largest pre-activations of each sample, found above a level that few others exceed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes.base import OpenIndex, fitting, require_built
from fewfire.system.words import require_counts

LEARNED_FROM = 8  # samples, which say where the level begins
SHORT_SHARE = 0.05  # of the samples of a batch, for which the level of the next one may be too high
HALVINGS = 4  # of the level, before all positive pre-activations of a sample are looked at


class Largest:
    """Asks an open index for the k largest of the positive pre-activations of each sample, exactly.

    All pairs above a level are asked for, and again at a lower one for the samples that have fewer than k
    there. Where the level stands changes what that costs, never the answer; it follows the batches.

    Parameters
    ----------
    index : OpenIndex
        Built.
    k : int >= 1

    Attributes
    ----------
    level : float or None
        Where the next batch is asked first; None before the first one.

    Raises
    ------
    ValueError
        k is no whole number >= 1.
    """

    def __init__(self, index: OpenIndex, k: int) -> None:
        require_counts(k=k)
        self.index, self.k = index, k
        self.level: float | None = None

    def fire_set(self, batch: ArrayLike | Inputs) -> FireSet:
        """The pairs of each sample's k largest pre-activations > 0, or of all where there are fewer.

        Of equal pre-activations those of the first neurons count as larger.

        Raises
        ------
        DataError, RuntimeError, ValueError
            As `Index.fire_set`.
        """
        layer = require_built(self.index._layer, self.index)
        batch = fitting(layer, batch, new=True)
        if self.level is None:
            first = batch.batch(np.arange(min(LEARNED_FROM, len(batch))))
            self.level = _usual_least(_largest(self.index.pairs_above(first, 0.0), self.k), self.k)
        waiting, found = np.arange(len(batch)), []
        for level in [self.level / 2**halving for halving in range(HALVINGS)] + [0.0]:
            pairs = self.index.pairs_above(batch.batch(waiting), level)
            counts = np.bincount(pairs.samples, minlength=len(waiting))
            enough = (counts >= self.k) | (level == 0)
            kept = enough[pairs.samples]
            found.append((pairs.neurons()[kept], waiting[pairs.samples[kept]], pairs.values[kept]))
            waiting = waiting[~enough]
            if not len(waiting):
                break
        fires = _largest(_joined(found, layer.width, len(batch)), self.k)
        self.level = _usual_least(fires, self.k)
        return self.index.answered(fires)


def _joined(parts: Sequence[Sequence[NDArray]], width: int, n_samples: int) -> FireSet:
    """One fire set of the pairs in parts of (neurons, samples, values)."""
    neurons, samples, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((samples, neurons))
    begins = np.searchsorted(neurons[order], np.arange(width + 1))
    return FireSet(begins, samples[order].astype(np.int32), values[order], n_samples)


def _largest(pairs: FireSet, k: int) -> FireSet:
    """The pairs of the k largest pre-activations of each sample; of equal ones those of the first neurons."""
    neurons, samples = pairs.neurons(), pairs.samples
    order = np.lexsort((neurons, -pairs.values, samples))
    begins = np.searchsorted(samples[order], np.arange(pairs.n_samples))
    kept = np.sort(order[np.arange(len(order)) - begins[samples[order]] < k])
    return _joined([(neurons[kept], samples[kept], pairs.values[kept])], pairs.width, pairs.n_samples)


def _usual_least(fires: FireSet, k: int) -> float:
    """What the k-th largest pre-activation of most samples exceeds."""
    least = np.full(fires.n_samples, np.inf)
    np.minimum.at(least, fires.samples, fires.values)
    full = np.bincount(fires.samples, minlength=fires.n_samples) == k
    return float(np.quantile(least[full], SHORT_SHARE)) if full.any() else 0.0
