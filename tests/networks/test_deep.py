"""Networks of several hidden layers: how they are made, what they compute, and how they are kept."""

import copy
import pickle

import numpy as np
import pytest

from fewfire import DeepNetwork, TwoLayerNetwork, reference
from fewfire.networks import map_slope, paper_threshold, threshold_for_fire_rate
from problems import clustered_samples


def deep_network(widths=(60, 50), n_features=7, n_outputs=3, **settings):
    return DeepNetwork.initialize(
        widths, n_features, n_outputs, **{"threshold": 0.5, "dtype": np.float64, **settings}
    )


SOME = [
    pytest.param({}, id="two-layers"),
    pytest.param({"constant": 1.3}, id="constant"),
    pytest.param({"normalize": "scale"}, id="scale"),
    pytest.param({"widths": (40,)}, id="one-layer"),
    pytest.param({"widths": (50, 40, 30)}, id="three-layers"),
    pytest.param({"widths": (1, 1), "threshold": 0.0, "n_outputs": 1}, id="one-neuron-each"),
]


def as_reference(network):
    """The arguments by which the reference takes a network."""
    weights = [layer.weights for layer in network.layers]
    return weights, network.output_weights, network.thresholds, network.constants, network.lengths


@pytest.mark.parametrize("settings", SOME)
def test_it_computes_what_the_reference_computes(settings):
    network = deep_network(**settings)
    samples, _ = clustered_samples(25, 7)
    weights, a, *shape = as_reference(network)
    expected = reference.deep_forward(weights, a, samples, *shape)
    assert expected.any()
    np.testing.assert_allclose(network.forward(samples), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("init", ["gaussian", "structured"])
def test_one_layer_is_drawn_as_the_two_layer_network(init, dtype):
    deep = DeepNetwork.initialize([130], 9, 4, fire_rate=0.1, init=init, seed=3, dtype=dtype)
    flat = TwoLayerNetwork.initialize(130, 9, 4, fire_rate=0.1, init=init, seed=3, dtype=dtype)
    assert deep.layer.weight_rows.tobytes() == flat.layer.weight_rows.tobytes()
    assert deep.output_rows.tobytes() == flat.output_rows.tobytes()
    assert (deep.layer.threshold, deep.layer.scale) == (flat.threshold, flat.scale)
    assert (deep.layer.structure is None) == (flat.layer.structure is None)
    samples, _ = clustered_samples(20, 9)
    assert deep.forward(samples).tobytes() == flat.forward(samples).tobytes()


def test_a_layer_takes_what_the_one_below_gives():
    network = deep_network((60, 50, 40))
    assert network.widths == (60, 50, 40)
    assert network.depth == 3
    slope = map_slope(0.5)
    assert network.constants == pytest.approx((np.sqrt(slope - 1),) * 2)
    assert [layer.n_features for layer in network.layers] == [7, 61, 51]
    assert [layer.scale for layer in network.layers] == [1.0, 1.0, 40**-0.5]
    assert deep_network((60, 50)).constants == (0.0,)
    assert deep_network((60, 50), constant=2).constants == (2.0,)
    assert deep_network((60, 50, 40), constant=0).constants == (0.0, 0.0)
    assert deep_network((60, 50, 40), threshold=0.0).constants == (0.0, 0.0)  # a plain ReLU needs none


def test_thresholds_go_by_the_width_of_each_layer_or_by_fire_rates():
    assert deep_network((600, 50), threshold="paper").thresholds == (
        paper_threshold(600),
        paper_threshold(50),
    )
    assert deep_network(threshold=[0.3, 0.7]).thresholds == (0.3, 0.7)
    rates = DeepNetwork.initialize([60, 50], 7, 3, fire_rate=[0.1, 0.05], dtype=np.float64)
    assert rates.thresholds == (threshold_for_fire_rate(0.1), threshold_for_fire_rate(0.05))


def test_copies_share_nothing():
    network = deep_network()
    for twin in (network.copy(), copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert all(
            a.weights.tobytes() == b.weights.tobytes() and (a.threshold, a.scale) == (b.threshold, b.scale)
            for a, b in zip(twin.layers, network.layers, strict=True)
        )
        twin.layers[1].weights[:] = 0
        twin.output_weights[:] = 0
        assert network.layers[1].weights.all()
        assert network.output_weights.all()


@pytest.mark.parametrize("settings", SOME)
def test_a_file_keeps_every_bit(settings, dtype, tmp_path):
    network = deep_network(**settings, dtype=dtype)
    network.save(tmp_path / "deep.safetensors")
    loaded = DeepNetwork.load(tmp_path / "deep.safetensors")
    assert loaded.output_rows.tobytes() == network.output_rows.tobytes()
    for ours, theirs in zip(loaded.layers, network.layers, strict=True):
        assert ours.weight_rows.tobytes() == theirs.weight_rows.tobytes()
        assert (ours.threshold, ours.scale) == (theirs.threshold, theirs.scale)
    assert (loaded.constants, loaded.lengths) == (network.constants, network.lengths)


def test_a_file_of_another_kind_of_network_is_refused(tmp_path):
    deep_network().save(tmp_path / "deep.safetensors")
    TwoLayerNetwork.initialize(5, 3, 1).save(tmp_path / "flat.safetensors")
    with pytest.raises(ValueError, match="must be a safetensors file with weights, output_weights and"):
        TwoLayerNetwork.load(tmp_path / "deep.safetensors")
    with pytest.raises(ValueError, match="must be a safetensors file with the weights of each layer"):
        DeepNetwork.load(tmp_path / "flat.safetensors")


@pytest.mark.parametrize("settings", SOME)
def test_arranged_neurons_compute_the_same(settings):
    network, samples = deep_network(**settings), clustered_samples(25, 7)[0]
    before = network.forward(samples)
    network.arrange(np.random.default_rng(0).permutation(network.widths[0]).astype(np.int32))
    np.testing.assert_allclose(network.forward(samples), before, rtol=0, atol=1e-12)


def test_it_says_what_it_is():
    assert repr(deep_network()) == (
        "DeepNetwork(widths=(60, 50), n_features=7, n_outputs=3, thresholds=(0.5, 0.5), dtype=float64)"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": ()}, "widths must name at least one layer. Got none"),
        ({"widths": (5, 0)}, "width must be a whole number >= 1. Got 0"),
        ({"n_features": 1.5}, "n_features must be a whole number >= 1. Got 1.5"),
        ({"threshold": [0.1]}, "thresholds must be one for all layers, or one for each. Got 1 for 2"),
        ({"threshold": -1.0}, "threshold must be a finite number >= 0. Got -1.0"),
        ({"fire_rate": 0.1}, "give a threshold or a fire rate, not both"),
        ({"normalize": "rms"}, "normalize must be one of sphere, scale. Got 'rms'"),
        ({"constant": -1.0}, "constant must be a finite number >= 0, or 'auto'. Got -1.0"),
        ({"constant": "big"}, "constant must be a finite number >= 0, or 'auto'. Got 'big'"),
        ({"init": "zeros"}, "init must be one of"),
        ({"dtype": np.float16}, "dtype must be float32 or float64"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        deep_network(**settings)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (([], [[1.0]], []), {}, "must have at least one layer"),
        (([[[1.0]], [[1.0, 2.0]]], [[1.0]], [0, 0]), {}, "each layer must take as many numbers"),
        (([[[1.0]], [[1.0]]], [[1.0]], [0]), {}, "a threshold for each layer, .* Got 1 thresholds"),
        (([[[1.0]], [[1.0]]], [[1.0]], [0, 0]), {"constants": [1.0]}, "one more for a constant"),
        (([[[1.0]], [[1.0]]], [[1.0]], [0, 0]), {"constants": [-1.0]}, "constants must be finite numbers >="),
        (([[[1.0]], [[1.0]]], [[1.0]], [0, 0]), {"lengths": [0.0]}, "lengths must be finite numbers > 0"),
        (([[[1.0]], [[np.nan]]], [[1.0]], [0, 0]), {}, "weights must be finite in float32"),
        (([[[1.0]], [[1.0]]], [[1.0], [1.0]], [0, 0]), {}, "each layer must take as many numbers"),
    ],
)
def test_layers_that_do_not_fit_are_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        DeepNetwork(*arguments, **settings)
