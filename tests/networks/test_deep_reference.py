"""The reference of deep networks against automatic differentiation in float64."""

import numpy as np
import pytest

from fewfire import reference
from problems import clustered_samples

torch = pytest.importorskip("torch")

CASES = [  # widths, thresholds, constants, lengths
    pytest.param((40,), (0.5,), (), None, id="one-layer"),
    pytest.param((40, 30), (0.8, 0.6), (0.0,), None, id="two"),
    pytest.param((40, 30), (0.8, 0.6), (1.3,), None, id="two-with-a-constant"),
    pytest.param((40, 30), (0.8, 0.6), (0.0,), (3.0,), id="two-scaled"),
    pytest.param((30, 25, 20), (0.5, 0.4, 0.0), (0.0, 1.5), None, id="three"),
    pytest.param((1, 1), (0.0, 0.1), (0.0,), None, id="one-neuron-each"),
]


def problem(widths, constants, n_samples=25, n_features=7, n_outputs=3):
    random = np.random.default_rng(0)
    samples, _ = clustered_samples(n_samples, n_features)
    taken = [n_features, *(m + (k > 0) for m, k in zip(widths, constants, strict=False))]
    weights = [random.standard_normal((m, d)) for m, d in zip(widths, taken, strict=True)]
    output_weights = random.choice([-1.0, 1.0], (widths[-1], n_outputs))
    return weights, output_weights, samples, random.standard_normal((n_samples, n_outputs))


def torch_outputs(weights, output_weights, samples, thresholds, constants, lengths):
    h = torch.tensor(samples)
    for layer, (w, b) in enumerate(zip(weights, thresholds, strict=True)):
        a = torch.relu(h @ w.T - b)
        if layer == len(weights) - 1:
            return a @ output_weights / len(output_weights) ** 0.5
        own = torch.linalg.vector_norm(a, dim=1, keepdim=True)
        dead = own == 0
        h = a / torch.where(dead, 1.0, own) if lengths is None else a / lengths[layer]
        k = constants[layer]
        if k > 0:
            h = torch.hstack([h, torch.full((len(h), 1), k, dtype=h.dtype)]) / (1 + k**2) ** 0.5
    raise AssertionError


@pytest.mark.parametrize(("widths", "thresholds", "constants", "lengths"), CASES)
def test_outputs_and_gradients_are_those_of_autograd(widths, thresholds, constants, lengths):
    weights, a, samples, residuals = problem(widths, constants)
    variables = [torch.tensor(rows, requires_grad=True) for rows in (*weights, a)]
    outputs = torch_outputs(variables[:-1], variables[-1], samples, thresholds, constants, lengths)
    (outputs * torch.tensor(residuals)).sum().div(len(samples)).backward()
    network = weights, a, samples, thresholds, constants
    np.testing.assert_allclose(
        reference.deep_forward(*network, lengths), outputs.detach().numpy(), rtol=0, atol=1e-13
    )
    by_weights, by_output_weights = reference.deep_gradients(*network, residuals, lengths)
    for ours, variable in zip([*by_weights, by_output_weights], variables, strict=True):
        theirs = np.zeros(variable.shape) if variable.grad is None else variable.grad.numpy()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("widths", "thresholds", "constants", "lengths"), CASES)
def test_the_jacobian_holds_a_gradient_for_each_output(widths, thresholds, constants, lengths):
    weights, a, samples, residuals = problem(widths, constants)
    network = weights, a, samples, thresholds, constants
    jacobian = reference.deep_jacobian(*network, lengths)
    gradients, _ = reference.deep_gradients(*network, residuals, lengths)
    expected = len(samples) * np.concatenate([gradient.ravel() for gradient in gradients])
    np.testing.assert_allclose(residuals.ravel() @ jacobian, expected, rtol=0, atol=1e-13)


def test_a_sample_on_which_nothing_fires_is_dead_in_all_later_layers():
    weights, a, samples, residuals = problem((20, 15, 10), (0.0, 0.0))
    samples[3] = 0
    network = weights, a, samples, (0.2, 0.1, 0.1), (0.0, 0.0)
    taken, z = reference.deep_layers(*network[:1], *network[2:])
    assert all(not one[3].any() for one in (*taken, *z))
    assert not reference.deep_forward(*network)[3].any()
    assert all(not delta[3].any() for delta in reference.deep_deltas(*network, residuals))


def test_one_layer_is_the_two_layer_network():
    weights, a, samples, residuals = problem((40,), ())
    both = weights[0], a, samples, 0.5
    np.testing.assert_allclose(
        reference.deep_forward(weights, a, samples, [0.5], []), reference.forward(*both), atol=1e-14
    )
    (deep,), deep_outputs = reference.deep_gradients(weights, a, samples, [0.5], [], residuals)
    for ours, theirs in zip((deep, deep_outputs), reference.gradients(*both, residuals), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-14)


def test_training_lowers_the_loss():
    weights, a, samples, _ = problem((200, 150), (0.0,))
    targets = np.eye(3)[np.arange(len(samples)) % 3]
    batches = [np.arange(len(samples))] * 30
    shape = samples, targets, (0.8, 0.8), (0.0,)
    trained = reference.deep_train(
        weights, a, *shape, loss="squared", learning_rate=2.0, batches=batches, train_output_weights=True
    )
    before = reference.deep_forward(weights, a, samples, *shape[2:]) - targets
    after = reference.deep_forward(*trained, samples, *shape[2:]) - targets
    assert np.square(after).sum() < 0.2 * np.square(before).sum()
