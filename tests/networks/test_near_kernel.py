"""The start near the tangent kernel: one rule for the command, the estimators and who else wants it."""

import numpy as np
import pytest

from command import train_digits
from fewfire import TwoLayerNetwork, WideClassifier
from fewfire.networks.near_kernel import near_kernel_network, near_kernel_ridge
from fewfire.runs.folder import RunFolder


@pytest.mark.parametrize(("width", "raised"), [(300, 300), (301, 302), (1, 2)])
def test_each_neuron_is_there_twice_with_opposite_output_weights_of_ten(width, raised):
    network = near_kernel_network(width, 4, 3, threshold=0.5, seed=1)
    assert network.width == raised
    np.testing.assert_array_equal(network.weights[::2], network.weights[1::2])
    np.testing.assert_array_equal(network.output_weights[::2], -network.output_weights[1::2])
    np.testing.assert_array_equal(np.abs(network.output_weights), 10)


def test_structured_weights_are_not_mirrored():
    network = near_kernel_network(301, 4, 3, threshold=0.5, init="structured")
    assert network.width == 301
    np.testing.assert_array_equal(np.abs(network.output_weights), 10)


def test_a_ridge_counts_as_much_as_beside_output_weights_of_one():
    assert near_kernel_ridge(0.25) == 25.0


def test_the_command_and_the_estimators_raise_an_odd_width_by_one(tmp_path):
    """The command dropped the mirroring, and multiplied the output weights all the same."""
    ended = train_digits(tmp_path / "run", "--width", 301, "--optimizer", "gauss-newton", "--epochs", 1)
    assert ended.code == 0, ended.err
    ours = TwoLayerNetwork.load(tmp_path / "run" / "model.safetensors")
    random = np.random.default_rng(0)
    samples = random.standard_normal((60, 4))
    theirs = WideClassifier(301, random_state=0).fit(samples, samples[:, 0] > 0).network_
    for network in (ours, theirs):
        assert network.width == 302
        np.testing.assert_array_equal(network.output_weights[::2], -network.output_weights[1::2])
    assert RunFolder(tmp_path / "run").load_settings().options.width == 302  # the settings said 301
