"""Bounds over boxes of inputs: nothing lies outside, whatever rounding does, and the loss follows them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewfire.adversarial import Box

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

from fewfire.torch import (  # noqa: E402
    ImplicitLayer,
    certified_loss,
    is_certified,
    output_bounds,
    ramp,
    worst_logits,
)
from strategies import seeds  # noqa: E402

D, C, N = 5, 3, 6
SHAPES = {
    "linear": lambda: nn.Sequential(nn.Linear(D, C)),
    "one-layer": lambda: nn.Sequential(nn.Linear(D, 30), nn.ReLU(), nn.Linear(30, C)),
    "deep": lambda: nn.Sequential(
        nn.Linear(D, 9), nn.ReLU(), nn.Linear(9, 8, bias=False), nn.ReLU(), nn.Linear(8, C)
    ),
    "implicit": lambda: ImplicitLayer(D, 12, C, margin=0.5, tolerance=1e-6),
    "in-the-middle": lambda: nn.Sequential(nn.ReLU(), ImplicitLayer(D, 7, 6), nn.ReLU(), nn.Linear(6, C)),
}
shapes = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture(autouse=True)
def _one_thread():
    """More would wait for each other: all products are small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def module_of(shape, dtype=torch.float64, seed=0, size=1.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = SHAPES[shape]().to(dtype)
    with torch.no_grad():
        for part in module.parameters():
            part.mul_(size)
    return module


def batch_of(dtype=torch.float64, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(N, D, dtype=dtype, generator=random), torch.arange(N).roll(seed % N) % C


def moved(inputs, radius, box, random):
    """Inputs within the radius and the box: corners, edges and inner points."""
    low, high = (inputs - radius).clamp(min=box.low), (inputs + radius).clamp(max=box.high)
    shares = torch.from_numpy(random.random((40, *inputs.shape))).to(inputs.dtype)
    shares[:20] = shares[:20].round()
    return torch.minimum(torch.maximum(low + shares * (high - low), low), high)


@shapes
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=15)
@given(seed=seeds, radius=st.sampled_from([0.0, 1e-6, 0.05, 3.0]), size=st.sampled_from([0.0, 1.0, 300.0]))
def test_nothing_that_the_module_computes_is_outside(shape, dtype, seed, radius, size):
    module, (inputs, targets) = module_of(shape, dtype, seed % 1000, size), batch_of(dtype, seed % 1000)
    box, random = Box(0, 1), np.random.default_rng(seed)
    # What an implicit layer computes is its exact solution up to an error of its own.
    slack = 1e-3 * size**2 if shape in ("implicit", "in-the-middle") else 0.0
    with torch.no_grad():
        low, high = output_bounds(module, inputs, radius, box)
        worst = worst_logits(module, inputs, targets, radius, box)
        certified = is_certified(module, inputs, targets, radius, box)
        outputs = module(moved(inputs, radius, box, random).reshape(-1, D)).reshape(-1, N, C)
        assert (outputs >= low - slack).all()
        assert (outputs <= high + slack).all()
        leads = outputs - outputs.gather(2, targets[None, :, None].expand(len(outputs), N, 1))
        assert (leads <= worst + slack).all()
        if not slack:
            assert (outputs.argmax(dim=2) == targets)[:, certified].all()


@shapes
def test_margins_are_as_good_as_differences_of_output_bounds(shape):
    module, (inputs, targets) = module_of(shape), batch_of()
    low, high = output_bounds(module, inputs, 0.1)
    worst = worst_logits(module, inputs, targets, 0.1)
    apart = torch.arange(C) != targets[:, None]
    assert (worst <= high - low.gather(1, targets[:, None]) + 1e-12)[apart].all()
    assert (worst < high - low.gather(1, targets[:, None]) - 1e-3)[apart].any()
    assert not worst[~apart].any()


@shapes
def test_at_radius_0_bounds_are_values(shape):
    module, (inputs, targets) = module_of(shape), batch_of()
    outputs = module(inputs)
    worst = worst_logits(module, inputs, targets, 0.0)
    close = {"rtol": 0, "atol": 1e-4 if isinstance(module, ImplicitLayer) else 1e-5}
    torch.testing.assert_close(worst, outputs - outputs.gather(1, targets[:, None]), **close)
    plain = cross_entropy(outputs, targets)
    torch.testing.assert_close(certified_loss(module, inputs, targets, 0.0, 0.7), plain, **close)
    right = outputs.argmax(dim=1) == targets
    assert torch.equal(is_certified(module, inputs, targets, 0.0), right)


def test_bounds_are_those_of_interval_arithmetic():
    module, inputs = module_of("deep"), batch_of()[0]
    low, high = inputs.numpy() - 0.1, inputs.numpy() + 0.1
    for layer in list(module)[::2]:
        weight = layer.weight.detach().numpy()
        bias = 0 if layer.bias is None else layer.bias.detach().numpy()
        plus, minus = np.maximum(weight, 0), np.minimum(weight, 0)
        low, high = (
            low @ plus.T + high @ minus.T + bias, high @ plus.T + low @ minus.T + bias
        )  # fmt: skip
        if layer.out_features != C:
            low, high = np.maximum(low, 0), np.maximum(high, 0)
    for ours, expected in zip(output_bounds(module, inputs, 0.1), (low, high), strict=True):
        np.testing.assert_allclose(ours.detach(), expected, rtol=0, atol=1e-12)


def test_what_can_be_certified_of_a_linear_module_is_certified():
    module = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        module[0].bias.zero_()
    inputs, targets = torch.tensor([[0.6, 0.4]]), torch.tensor([0])
    assert is_certified(module, inputs, targets, 0.0999).all()
    assert not is_certified(module, inputs, targets, 0.1001).any()
    assert is_certified(module, inputs, targets, torch.tensor([0.0, 0.199])).all()
    assert is_certified(module, inputs, targets, 0.5, Box([0.6, 0], [1, 0.5])).all()
    assert is_certified(module, inputs, targets, 0.1999, Box(movable=[True, False])).all()
    tie = torch.tensor([[0.5, 0.5]])
    assert not is_certified(module, tie, targets, 0.0).any()


@shapes
def test_the_loss_has_the_gradient_of_its_finite_differences(shape):
    module, (inputs, targets) = module_of(shape), batch_of()
    if isinstance(module, ImplicitLayer):
        module.tolerance = 1e-13
    elif shape == "in-the-middle":
        module[1].tolerance = 1e-13
    box, h = Box(0, 1), 1e-6

    def loss():
        return certified_loss(module, inputs, targets, 0.05, 0.6, box)

    loss().backward()
    random = torch.Generator().manual_seed(1)
    along = [torch.randn(part.shape, dtype=part.dtype, generator=random) for part in module.parameters()]
    slope = sum(float((part.grad * one).sum()) for part, one in zip(module.parameters(), along, strict=True))
    values = []
    for step in (h, -2 * h):
        with torch.no_grad():
            for part, one in zip(module.parameters(), along, strict=True):
                part.add_(step * one)
            values.append(float(loss()))
    assert (values[0] - values[1]) / (2 * h) == pytest.approx(slope, rel=1e-6)
    assert abs(slope) > 1e-3


def test_the_share_mixes_both_losses():
    module, (inputs, targets) = module_of("deep"), batch_of()
    plain, worst, mixed = (
        certified_loss(module, inputs, targets, 0.2, share).item() for share in (0.0, 1.0, 0.25)
    )
    assert plain == cross_entropy(module(inputs), targets).item()
    assert worst == cross_entropy(worst_logits(module, inputs, targets, 0.2), targets).item()
    assert worst > plain
    assert mixed == pytest.approx(0.75 * plain + 0.25 * worst)


def test_each_sample_keeps_its_own_label():
    module, (inputs, targets) = module_of("deep"), batch_of()
    together = worst_logits(module, inputs, targets, 0.1)
    for i in range(N):
        one = worst_logits(module, inputs[i : i + 1], targets[i : i + 1], 0.1)
        torch.testing.assert_close(together[i : i + 1], one)


def test_the_ramp_rises_over_the_middle_half():
    assert [ramp(progress) for progress in (0, 0.25, 0.5, 0.625, 0.75, 1)] == [0, 0, 0.5, 0.75, 1, 1]
    assert ramp(0.3, 0.2, 0.4) == pytest.approx(0.5)


@pytest.mark.parametrize("shape", ["one-layer", "implicit"])
def test_training_with_it_certifies_more(shape):
    random = torch.Generator().manual_seed(0)
    inputs = torch.rand(150, D, generator=random)
    targets = inputs[:, :C].argmax(dim=1)
    certified = []
    for share in (0.0, 0.7):
        module = module_of(shape, torch.float32)
        module.tolerance = 1e-3  # which an ordinary module does not look at
        optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
        for step in range(80):
            optimizer.zero_grad()
            far = ramp(step / 80)
            certified_loss(module, inputs, targets, 0.05 * far, share * far, Box(0, 1)).backward()
            optimizer.step()
        certified.append(float(is_certified(module, inputs, targets, 0.05, Box(0, 1)).float().mean()))
    assert certified[1] > certified[0] + 0.02, certified


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x, y: certified_loss(m, x, y, 0.1, 1.5), "share must be from 0 to 1. Got 1.5"),
        (lambda m, x, y: certified_loss(m, x, y, -0.1, 0.5), "radius must be >= 0. Got -0.1"),
        (lambda m, x, y: worst_logits(m, x, y, float("nan")), "radius must be >= 0. Got nan"),
        (lambda m, x, y: worst_logits(m, x, y - 1, 0.1), "targets must be 6 whole numbers from 0 to 2"),
        (lambda m, x, y: worst_logits(m, x, y[:2], 0.1), r"Got \(2,\) of torch.int64"),
        (lambda m, x, y: worst_logits(m, x, y, 0.1, Box(0.5, 1)), "inputs must lie in the box. Got 0.5"),
        (lambda m, x, y: worst_logits(m[:-1], x, y, 0.1), "does not end in a ReLU"),
        (lambda m, x, y: worst_logits(nn.Sequential(), x, y, 0.1), "a module must be an ImplicitLayer"),
        (lambda m, x, y: worst_logits(nn.Sequential(nn.Tanh(), *m), x, y, 0.1), "Tanh"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(module_of("deep"), *batch_of())


def test_modules_that_compute_something_else_are_refused():
    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    class Scaled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    hooked = nn.Sequential(nn.Linear(D, C))
    hooked[0].register_forward_hook(lambda module, inputs, outputs: -outputs)
    x, y = torch.rand(N, D), torch.zeros(N, dtype=torch.long)
    for module in (Residual(nn.Linear(D, D)), nn.Sequential(Scaled(D, C)), hooked):
        with pytest.raises(ValueError, match="without hooks and without a forward"):
            is_certified(module, x, y, 0.1)


def test_a_radius_is_one_per_column_and_not_per_sample():
    module, x, y = nn.Sequential(nn.Linear(D, C)), torch.rand(N, D), torch.zeros(N, dtype=torch.long)
    assert is_certified(module, x, y, torch.full((D,), 0.1)).shape == (N,)
    with pytest.raises(
        ValueError, match=r"radius must be a number or one per column, \(5,\). Got shape \(6, 1\)"
    ):
        is_certified(module, x, y, torch.full((N, 1), 0.1))
    with pytest.raises(ValueError, match="ends of the box must be a number or one per column"):
        is_certified(module, x, y, 0.1, Box(np.zeros((N, 1)), 1.0))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ValueError, match="Got autocast"):
        is_certified(module, x, y, 0.1)
