"""The reference and the compiled step against automatic differentiation in float64."""

import numpy as np
import pytest

from checks import exhaustive_fire_set
from fewfire import reference
from fewfire.networks.descent import Descent
from fewfire.networks.losses import loss_named
from problems import clustered_problem, exact_problem

torch = pytest.importorskip("torch")


def torch_loss(loss, outputs, targets):
    if loss == "squared":
        return 0.5 * ((outputs - targets) ** 2).sum(dim=1).mean()
    if loss == "softmax":
        return torch.nn.functional.cross_entropy(outputs, targets)
    entropies = torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return entropies.sum(dim=1).mean()


def autograd(network, samples, targets, loss):
    """Gradients of the mean loss by both layers."""
    weights, output_weights = (
        torch.tensor(rows, requires_grad=True) for rows in (network.weights, network.output_weights)
    )
    hidden = torch.relu(torch.tensor(samples) @ weights.T - network.threshold)
    outputs = network.width**-0.5 * hidden @ output_weights
    torch_loss(loss, outputs, torch.tensor(targets)).backward()
    return weights.grad.numpy(), output_weights.grad.numpy()


@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(clustered_problem(dtype=np.float64), id="clustered"),
        pytest.param(clustered_problem(threshold=0.0, n_outputs=2, dtype=np.float64), id="plain-relu"),
        pytest.param(exact_problem(np.float64), id="ties"),
    ],
)
def test_the_gradient_is_that_of_autograd(problem, loss):
    network, batch = problem.network, problem.everything
    targets = np.eye(network.n_outputs)[np.arange(len(batch)) % network.n_outputs]
    expected = autograd(network, batch.samples, targets, loss)

    outputs = reference.forward(network.weights, network.output_weights, batch.samples, network.threshold)
    residuals = reference.loss_gradients(loss, outputs, targets)
    gradients = reference.gradients(
        network.weights, network.output_weights, batch.samples, network.threshold, residuals
    )
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)

    moved = network.copy()
    fires = exhaustive_fire_set(moved, batch)
    residuals = loss_named(loss).residuals(moved.outputs(fires), targets)
    Descent(moved, batch, fires, residuals, 1.0, 1.0).take()
    np.testing.assert_allclose(moved.weights, network.weights - expected[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(moved.output_weights, network.output_weights - expected[1], rtol=0, atol=1e-14)
