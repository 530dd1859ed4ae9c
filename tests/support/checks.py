"""What must hold of a fire set: shared assertions."""

import numpy as np
from numpy.typing import NDArray

from fewfire import FireSet, Inputs, TwoLayerNetwork, reference
from fewfire.core.rows import stride_of
from fewfire.indexes import ExhaustiveIndex, Index


def mask_of(fires: FireSet) -> NDArray[np.bool_]:
    """Which pairs fire, (m, n)."""
    mask = np.zeros((fires.width, fires.n_samples), bool)
    mask[fires.neurons(), fires.samples] = True
    return mask


def exhaustive_fire_set(network: TwoLayerNetwork, batch: Inputs) -> FireSet:
    index = ExhaustiveIndex()
    index.build(network.layer)
    return index.fire_set(batch)


def norms_of(rows: NDArray) -> NDArray[np.float64]:
    """Euclidean norms, also where the squares overflow or underflow."""
    rows = rows.astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0)
    return largest[:, 0] * np.linalg.norm(scaled, axis=1)


def rounding_band(network: TwoLayerNetwork, samples: NDArray) -> NDArray[np.float64]:
    """How far a computed pre-activation may lie from the exact one, (m, n).

    A sum of d products in any order, fused or not, errs by at most d units times |w| |x|, and by what the
    products lose to underflow; doubled, which covers the reference's own rounding. Infinite where a sum of
    products may overflow.
    """
    limits = np.finfo(network.dtype)
    terms = stride_of(network.n_features, network.dtype) + 8
    norms = np.outer(norms_of(network.weights), norms_of(samples))
    band = terms * (float(limits.eps) * norms + float(limits.smallest_subnormal))
    return np.where(norms < float(limits.max) / 1e8, band, np.inf)


def assert_fires_as_the_reference(fires: FireSet, network: TwoLayerNetwork, batch: Inputs) -> None:
    """The pairs are those of the reference, but for those within rounding of the threshold."""
    with np.errstate(over="ignore", invalid="ignore"):  # then the band is infinite
        band = rounding_band(network, batch.samples)
        exact = reference.pre_activations(network.weights, batch.samples)
        errors = np.abs(fires.values - exact[fires.neurons(), fires.samples])
    mask = mask_of(fires)
    wrong = (mask != (exact > network.threshold)) & (np.abs(exact - network.threshold) > band)
    assert not wrong.any()
    assert not np.any(errors > band[fires.neurons(), fires.samples])


def assert_well_formed(fires: FireSet, threshold: float) -> None:
    """The arrays are as FireSet promises: CSR, samples ascending for each neuron, values above b."""
    assert fires.begins[0] == 0
    assert fires.begins[-1] == len(fires.samples) == len(fires.values)
    assert np.all(np.diff(fires.begins) >= 0)
    ascending = np.diff(fires.neurons() * fires.n_samples + fires.samples) > 0
    assert np.all(ascending)
    assert np.all(fires.values > threshold)


def assert_right(fires: FireSet, network: TwoLayerNetwork, batch: Inputs) -> None:
    """All of the above, and bit for bit what the exhaustive index finds."""
    assert_well_formed(fires, network.threshold)
    assert fires.identical(exhaustive_fire_set(network, batch))
    assert_fires_as_the_reference(fires, network, batch)


def assert_part(fires: FireSet, network: TwoLayerNetwork, batch: Inputs) -> None:
    """Some of what the exhaustive index finds, bit for bit, and nothing else."""
    assert_well_formed(fires, network.threshold)
    everything = exhaustive_fire_set(network, batch)
    assert (fires.width, fires.n_samples) == (everything.width, everything.n_samples)
    kept = mask_of(fires)[everything.neurons(), everything.samples]
    assert kept.sum() == len(fires)
    assert everything.values[kept].tobytes() == fires.values.tobytes()


def assert_answers(index: Index, fires: FireSet, network: TwoLayerNetwork, batch: Inputs) -> None:
    """The fire set is what such an index must find."""
    (assert_right if index.is_exact else assert_part)(fires, network, batch)
