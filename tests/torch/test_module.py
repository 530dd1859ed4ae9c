"""A trained network as a torch.nn.Module: the outputs of predict, and the gradients of autograd."""

import numpy as np
import pytest

import fewfire
from fewfire import TwoLayerNetwork
from fewfire.prepare import InputScaling

torch = pytest.importorskip("torch")
from fewfire.torch import as_module  # noqa: E402


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float32", "float64"])
def made(request):
    """(network, scaling, pictures in bytes (n, 1, 4, 3))"""
    pictures = np.random.default_rng(0).integers(0, 256, (20, 1, 4, 3)).astype(request.param)
    scaling = InputScaling.fit(pictures.reshape(20, -1), standardize=False)
    network = TwoLayerNetwork.initialize(500, 13, 3, threshold=0.5, dtype=request.param)
    return network, scaling, pictures


def dense(network, scaling, x):
    """The same in plain PyTorch, float64."""
    as_tensor = lambda values: torch.from_numpy(np.asarray(values, np.float64))  # noqa: E731
    centred = (255 * x.reshape(len(x), -1) - as_tensor(scaling.mean)) / as_tensor(scaling.scale)
    rows = torch.cat([centred, torch.full((len(x), 1), scaling.constant, dtype=torch.float64)], dim=1)
    rows = rows / rows.norm(dim=1, keepdim=True)
    hidden = torch.relu(rows @ as_tensor(network.weights).T - network.threshold)
    return network.scale * hidden @ as_tensor(network.output_weights)


def test_outputs_are_those_of_predict(made):
    network, scaling, pictures = made
    mean = np.array([0.5, 0.0, -1.0])
    module = as_module(network, scaling, input_shape=(1, 4, 3), unit=255, mean=mean)
    outputs = module(torch.from_numpy(pictures / network.dtype.type(255)))
    expected = fewfire.predict(network, scaling.transform(pictures.reshape(20, -1), network.dtype)) + mean
    np.testing.assert_allclose(outputs.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_autograd(made):
    network, scaling, pictures = made
    module = as_module(network, scaling, input_shape=(1, 4, 3), unit=255)
    found, exact = (torch.from_numpy((pictures / 255).astype(kind)).requires_grad_()
                    for kind in (network.dtype, np.float64))  # fmt: skip
    labels = torch.arange(20) % 3
    for outputs in (module(found), dense(network, scaling, exact)):
        torch.nn.functional.cross_entropy(outputs, labels, reduction="sum").backward()
    close = {"rtol": 1e-3, "atol": 1e-4} if network.dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-10}
    np.testing.assert_allclose(found.grad.numpy(), exact.grad.numpy(), **close)


def test_it_is_what_attacks_of_other_libraries_ask_for(made):
    """A module with a parameter that tells its device, in evaluation mode, deep-copied or not."""
    network, scaling, pictures = made
    module = as_module(network, scaling, input_shape=(1, 4, 3), unit=255).eval()
    assert next(module.parameters()).device.type == "cpu"
    assert not any(parameter.requires_grad for parameter in module.parameters())
    with torch.no_grad():
        assert module(torch.from_numpy(pictures / 255).to(torch.float32)).shape == (20, 3)


def test_another_shape_is_refused(made):
    network, scaling, _ = made
    with pytest.raises(ValueError, match=r"input_shape must be of 12 numbers.* Got \(1, 28, 28\)"):
        as_module(network, scaling, input_shape=(1, 28, 28))
