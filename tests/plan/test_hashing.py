"""Bits and tables for a recall that is asked for, or a refusal where hashing cannot reach it."""

import numpy as np
import pytest

from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes.hash_functions import HASHES
from fewfire.plan import plan_hashing


def near_pairs(cosine=0.8, count=1500, d=60):
    """A network each of whose neurons fires on one input, at this cosine."""
    random = np.random.default_rng(0)
    samples, others = random.standard_normal((2, count, d))
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    others -= (others * samples).sum(axis=1, keepdims=True) * samples
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    weights = cosine * samples + np.sqrt(1 - cosine**2) * others
    return TwoLayerNetwork(weights, np.ones((count, 1)), 0.9 * cosine), Inputs.of(samples)


@pytest.mark.parametrize("recall", [0.5, 0.9])
@pytest.mark.parametrize("hash", HASHES)
def test_the_recall_is_reached_with_a_part_of_the_pairs(hash, recall):
    network, inputs = near_pairs()
    index = plan_hashing(network.layer, inputs, recall, hash=hash)
    index.audit = 1
    index.build(network.layer, inputs)
    fires = len(index.fire_set(inputs))
    exact = np.count_nonzero(network.weights @ inputs.samples.T > network.threshold)
    assert fires / exact == pytest.approx(recall, abs=0.08)
    assert index.work.dots / index.work.asked < {0.5: 0.05, 0.9: 0.3}[recall]


def test_more_is_found_by_looking_at_more():
    network, inputs = near_pairs()
    shares = []
    for recall in (0.3, 0.6, 0.95):
        index = plan_hashing(network.layer, inputs, recall)
        index.build(network.layer, inputs)
        index.fire_set(inputs)
        shares.append(index.work.dots)
    assert shares == sorted(shares)


def test_where_half_must_be_looked_at_it_is_refused():
    network = TwoLayerNetwork.initialize(1024, 700, 1)
    inputs = np.random.default_rng(0).standard_normal((200, 700))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    with pytest.raises(ValueError, match=r"must be within reach of tables .* 50% .* Got 0.9, which simhash"):
        plan_hashing(network.layer, inputs)


def test_what_cannot_be_measured_is_refused():
    network, inputs = near_pairs()
    for recall in (0.0, 1.0):
        with pytest.raises(ValueError, match=f"recall must be between 0 and 1. Got {recall}"):
            plan_hashing(network.layer, inputs, recall)
    with pytest.raises(ValueError, match="the hash must be one of"):
        plan_hashing(network.layer, inputs, hash="minhash")
    silent = TwoLayerNetwork(network.weights, network.output_weights, 9.0)
    with pytest.raises(ValueError, match="something must fire for a recall to be measured. Got 262144 pairs"):
        plan_hashing(silent.layer, inputs)
