"""An implicit layer in PyTorch: the solution and the boxes of NumPy's, with gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from fewfire.torch import ImplicitLayer  # noqa: E402
from fewfire.torch.implicit import implicit, implicit_backward  # noqa: E402

FEATURES, WIDTH, OUTPUTS = 4, 11, 3
FINE = 1e-13


def layer_of(dtype=torch.float64, **settings):
    layer = ImplicitLayer(FEATURES, WIDTH, OUTPUTS, dtype=dtype, **{"tolerance": FINE, **settings})
    with torch.no_grad():  # states that depend on each other more than those of a fresh layer
        layer.free.mul_(5)
    return layer


def inputs_of(n=7, dtype=torch.float64):
    return torch.randn(n, FEATURES, dtype=dtype, generator=torch.Generator().manual_seed(0))


def arguments(n=5):
    layer = layer_of(margin=0.5)
    drive = layer.into(inputs_of(n))
    return [part.detach().clone().requires_grad_() for part in (layer.weight, drive)]


@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.9])
def test_outputs_are_those_of_numpy(margin):
    layer, u = layer_of(margin=margin), inputs_of()
    ours = layer.to_numpy()
    np.testing.assert_allclose(layer.weight.detach(), ours.weights, rtol=0, atol=1e-14)
    assert ours.measure <= margin + 1e-12
    found = ours.solve(u.numpy())
    np.testing.assert_allclose(layer(u).detach(), found.outputs, rtol=0, atol=1e-11)
    assert (found.states > 0).any()
    assert (found.states == 0).any()


def test_float32_is_as_near_as_its_errors_say():
    layer, u = layer_of(torch.float32, tolerance=1e-4), inputs_of(dtype=torch.float32)
    states, errors = implicit(layer.weight, layer.into(u), layer.tolerance)
    exact = layer.to_numpy().solve(u.numpy()).states
    assert states.dtype == errors.dtype == torch.float32
    off = np.abs(states.detach().numpy() - exact).max(axis=1)
    assert (off <= errors.detach().numpy() + 1e-6).all()  # the drive is rounded as well
    assert errors.max() < 1e-3


def test_gradients_pass_gradcheck():
    assert torch.autograd.gradcheck(lambda weight, drive: implicit(weight, drive, FINE)[0], arguments())


def test_gradients_of_all_parameters_are_those_of_numpy():
    layer, u = layer_of(), inputs_of().requires_grad_()
    pulls = torch.linspace(-1, 1, 7 * OUTPUTS, dtype=torch.float64).reshape(7, OUTPUTS)
    layer(u).backward(pulls)
    found = layer.to_numpy().gradients(u.detach().numpy(), pulls.numpy())
    ours = {
        "inputs": u.grad,
        "input_weights": layer.into.weight.grad,
        "bias": layer.into.bias.grad,
        "output_weights": layer.head.weight.grad,
        "output_bias": layer.head.bias.grad,
    }
    for name, gradient in ours.items():
        np.testing.assert_allclose(gradient, found[name], rtol=0, atol=1e-11, err_msg=name)
    # A = T - diag(|T| 1) + margin I
    of_free = found["weights"] - np.sign(layer.free.detach().numpy()) * np.diag(found["weights"])[:, None]
    np.testing.assert_allclose(layer.free.grad, of_free, rtol=0, atol=1e-11)
    assert np.abs(of_free).max() > 0.01


def test_operators_pass_opcheck():
    weight, drive = arguments()
    torch.library.opcheck(implicit, (weight, drive, FINE))
    states = implicit(weight, drive, FINE)[0].detach()
    torch.library.opcheck(
        implicit_backward, (torch.ones_like(states), weight.detach(), drive.detach(), states, FINE)
    )


def test_only_the_gradients_that_are_needed_are_formed():
    weight, drive = arguments()
    implicit(weight, drive.detach(), FINE)[0].sum().backward()
    assert weight.grad is not None
    states, errors = implicit(weight.detach(), drive, FINE)
    assert not errors.requires_grad
    states.sum().backward()
    assert drive.grad.abs().max() > 0


def test_a_second_derivative_is_refused():
    layer, u = layer_of(), inputs_of().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(u).square().sum(), u, create_graph=True)
    with pytest.raises(RuntimeError, match="can be differentiated once"):
        gradient.sum().backward()


def test_it_compiles_whole_and_exports_with_any_batch_size():
    layer, u = layer_of(), inputs_of()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(u), layer(u))
    batch = torch.export.Dim("batch")
    exported = torch.export.export(layer, (u,), dynamic_shapes={"u": {0: batch}})
    torch.testing.assert_close(exported.module()(inputs_of(5)), layer(inputs_of(5)))


def test_autocast_hands_over_float32():
    layer, u = layer_of(torch.float32, tolerance=1e-5), inputs_of(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.states(u).dtype == torch.float32


def test_boxes_are_those_of_numpy():
    layer, u = layer_of(margin=0.5), inputs_of()
    centre, reach = layer.state_bounds(u, torch.full_like(u, 0.1))
    box = layer.to_numpy().box(u.numpy() - 0.1, u.numpy() + 0.1)
    np.testing.assert_allclose((centre + reach).detach(), box.state_high, rtol=0, atol=1e-10)
    np.testing.assert_allclose((centre - reach).detach().clamp(min=0), box.state_low, rtol=0, atol=1e-10)
    assert (box.state_high > box.state_low + 0.01).any()


def test_gradients_go_through_boxes():
    layer, u = layer_of(margin=0.5), inputs_of(3)
    of = layer.free, layer.into.weight

    def ends(free, weight):
        parts = {"free": free, "into.weight": weight}
        return torch.func.functional_call(_Bounds(layer), {f"layer.{k}": v for k, v in parts.items()}, (u,))

    assert torch.autograd.gradcheck(ends, [part.detach().clone().requires_grad_() for part in of])


class _Bounds(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, u):
        return self.layer.state_bounds(u, torch.full_like(u, 0.1))


def test_the_seed_decides_and_torch_s_own_state_stays():
    state = torch.random.get_rng_state()
    first, same, other = (ImplicitLayer(4, 5, 2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    u = torch.ones(1, 4)
    assert torch.equal(first(u), same(u))
    assert not torch.equal(first(u), other(u))
    other.load_state_dict(first.state_dict())
    assert torch.equal(first(u), other(u))


@pytest.mark.parametrize("size", [0.0, 1.0, 100.0])
def test_whatever_becomes_of_its_parameters_it_stays_well_posed(size):
    layer = layer_of(torch.float32, tolerance=1e-3, margin=0.9)
    with torch.no_grad():
        layer.free.normal_(generator=torch.Generator().manual_seed(1)).mul_(size)
    assert layer.to_numpy().well_posed
    layer(inputs_of(dtype=torch.float32)).square().mean().backward()
    assert all(torch.isfinite(part.grad).all() for part in layer.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ImplicitLayer(4, 5, 2, margin=1.2),
            r"an implicit layer needs a margin below 1 to have one solution\. Got 1\.2\. Use 0\.95 or less\.",
        ),
        (lambda: ImplicitLayer(4, 0, 2), "width must be a whole number >= 1. Got 0"),
        (lambda: ImplicitLayer(4, 5, 2, tolerance=1.0), "tolerance must be between 0 and 1. Got 1.0"),
        (lambda: ImplicitLayer(4, 5, 2, dtype=torch.float16), "dtype must be torch.float32 or torch.float64"),
        (lambda: layer_of()(torch.ones(2, 3)), r"inputs must be \(n, 4\) on the CPU"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
