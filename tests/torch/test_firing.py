"""A layer that returns what fires: what a dense encoder gives, and gradients through it."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")
from fewfire.torch import FiringLayer  # noqa: E402
from fewfire.torch.sparse import above, products  # noqa: E402

FEATURES, WIDTH = 6, 50
pytestmark = pytest.mark.filterwarnings(
    "ignore:Sparse CSR tensor support is in beta"
)  # which torch always says


def layer_of(**settings):
    layer = FiringLayer(FEATURES, WIDTH, **{"threshold": 0.8, "dtype": torch.float64, **settings})
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # of both signs
        layer.bias.copy_(0.3 * torch.randn(WIDTH, dtype=layer.bias.dtype, generator=generator))
        layer.theta.add_(0.5 * torch.randn(WIDTH, dtype=layer.bias.dtype, generator=generator))
    return layer


def inputs_of(n=20, dtype=torch.float64):
    return torch.randn(n, FEATURES, dtype=dtype, generator=torch.Generator().manual_seed(2))


class Rectangle(torch.autograd.Function):
    """H(z - theta) with the gradient of the paper: -K((z - theta) / bandwidth) / bandwidth by theta."""

    @staticmethod
    def forward(ctx, z, theta, bandwidth):
        ctx.save_for_backward(z - theta)
        ctx.bandwidth = bandwidth
        return (z > theta).to(z.dtype)

    @staticmethod
    def backward(ctx, pulls):
        (apart,) = ctx.saved_tensors
        near = (apart.abs() < ctx.bandwidth / 2).to(pulls.dtype)
        return None, (-pulls * near / ctx.bandwidth).sum(0), None


def dense(x, weight, bias, theta, activation, bandwidth):
    """Activations and steps of all pairs."""
    z = x @ weight.T + bias
    steps = Rectangle.apply(z, theta, bandwidth) if bandwidth else (z > theta).to(z.dtype)
    if activation == "shifted":
        return torch.relu(z - theta), steps
    return z * steps.detach() + theta.detach() * (steps - steps.detach()), steps


@pytest.mark.parametrize("activation", ["jump", "shifted"])
@pytest.mark.parametrize("bandwidth", [None, 0.4])
@pytest.mark.parametrize("index", ["screened", "exhaustive"])
def test_it_is_the_dense_encoder_with_all_gradients(activation, bandwidth, index):
    layer = layer_of(activation=activation, bandwidth=bandwidth, index=index)
    given = [inputs_of().requires_grad_(), layer.weight, layer.bias, layer.theta]
    copies = [part.detach().clone().requires_grad_(part.requires_grad) for part in given]
    decoder = torch.randn(WIDTH, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    activations, count = layer.encode(given[0])
    expected, steps = dense(*copies, activation, bandwidth)
    torch.testing.assert_close(activations.to_dense(), expected, rtol=0, atol=1e-12)
    assert 0 < count == steps.sum() / 20
    ((activations @ decoder).square().sum() + 0.1 * count).backward()
    ((expected @ decoder).square().sum() + 0.1 * steps.sum() / 20).backward()
    for part, other in zip(given, copies, strict=True):
        if part.requires_grad:
            torch.testing.assert_close(part.grad, other.grad, rtol=0, atol=1e-11)
            assert part.grad.any()


def test_without_gradients_only_what_fires_is_stored():
    layer, x = layer_of(bandwidth=0.4), inputs_of()
    with torch.no_grad():
        stored = layer(x)
    assert stored.values().ne(0).all()
    assert len(stored.values()) < len(layer(x).values())


@pytest.mark.parametrize("index", ["screened", "exhaustive"])
def test_the_largest_of_each_input_fire(index):
    layer = layer_of(top=3, threshold=0.0, index=index)
    given = [inputs_of().requires_grad_(), layer.weight, layer.bias]
    copies = [part.detach().clone().requires_grad_() for part in given]
    for _ in range(2):  # the second time at a level that the first has set
        activations = layer(given[0])
    z = copies[0] @ copies[1].T + copies[2]
    above_theta = torch.relu(z - layer.theta.detach())
    places = above_theta.topk(3, dim=1).indices
    kept = torch.zeros_like(z).scatter(1, places, 1.0) * (above_theta > 0)
    torch.testing.assert_close(activations.to_dense(), z * kept, rtol=0, atol=1e-12)
    assert layer.fires.begins[-1] == len(activations.values())
    activations.to_dense().square().sum().backward()
    (z * kept).square().sum().backward()
    for part, other in zip(given, copies, strict=True):
        torch.testing.assert_close(part.grad, other.grad, rtol=0, atol=1e-11)
    twin = copy.deepcopy(layer)
    assert torch.equal(twin(given[0]).to_dense(), activations.to_dense())
    assert "top=3" in repr(twin)


def test_it_passes_opcheck():
    layer, x = layer_of(), inputs_of()
    shifts = (layer.bias - layer.theta).detach()
    for number in (0, layer.state.number):
        for top in (0, 3):
            torch.library.opcheck(above, (x, layer.weight.detach(), shifts, number, top))
    begins, neurons, known = above(x, layer.weight.detach(), shifts, 0, 0)
    torch.library.opcheck(products, (x.requires_grad_(), layer.weight, begins, neurons, known))
    compiled = torch.compile(layer.pairs, fullgraph=True, backend="aot_eager")
    for ours, theirs in zip(compiled(x), layer.pairs(x), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["weight", "bias", "theta"])
def test_it_notices_that_parameters_were_written(name):
    layer, x = layer_of(index="screened"), inputs_of()
    layer(x)
    with torch.no_grad():
        getattr(layer, name).add_(0.3)
    expected, _ = dense(x, layer.weight, layer.bias, layer.theta, "jump", None)
    torch.testing.assert_close(layer(x).to_dense(), expected, rtol=0, atol=1e-12)


def test_few_pairs_are_looked_at_in_full():
    """The column of ones, larger than all others of rows of norm 1, is none of those in bytes."""
    layer = FiringLayer(200, 2000, threshold=3 / 200**0.5, index="screened")
    x = torch.randn(64, 200, generator=torch.Generator().manual_seed(2))
    layer(torch.nn.functional.normalize(x))
    assert 0 < layer.work.fired < layer.work.dots < 20 * layer.work.fired


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_share_nothing(copied):
    layer, x = layer_of(bandwidth=0.2), inputs_of()
    twin, before = copied(layer), layer(x).to_dense()
    assert torch.equal(twin(x).to_dense(), before)
    with torch.no_grad():
        twin.weight.mul_(2)
    assert torch.equal(layer(x).to_dense(), before)
    assert not torch.equal(twin(x).to_dense(), before)


def test_writes_behind_torchs_back_can_be_told():
    layer, x = layer_of(index="screened"), inputs_of()
    layer(x)
    layer.weight.data.mul_(1.5)
    layer.weights_changed()
    expected, _ = dense(x, layer.weight, layer.bias, layer.theta, "jump", None)
    torch.testing.assert_close(layer(x).to_dense(), expected, rtol=0, atol=1e-12)


def test_another_precision_takes_rows_of_its_own():
    layer, x = layer_of(), inputs_of(dtype=torch.float32)
    weight, expected = layer.weight, layer(x).to_dense().detach()
    layer.float()
    assert layer.weight is weight
    assert layer(x).dtype == torch.float32
    torch.testing.assert_close(layer(x).to_dense().detach(), expected.float(), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="must be of float32 or float64 on the CPU"):
        layer.half()


def test_nothing_or_everything_may_fire():
    x = inputs_of()
    assert layer_of(threshold=100.0)(x).values().numel() == 0
    assert layer_of(threshold=-100.0)(x).values().numel() == 20 * WIDTH


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layer_of()(torch.ones(2, 3)), r"inputs must be \(n, 6\) on the CPU. Got \(2, 3\)"),
        (lambda: layer_of(index="drift"), "must be exact and answer for new inputs"),
        (lambda: layer_of(index="hashing"), "must be exact and answer for new inputs"),
        (lambda: layer_of(activation="relu"), "activation must be one of jump, shifted. Got 'relu'"),
        (lambda: layer_of(top=0), "top must be a whole number >= 1. Got 0"),
        (
            lambda: layer_of(top=3, bandwidth=0.4),
            "thresholds must be fixed where the largest fire. Got top=3",
        ),
        (lambda: layer_of(bandwidth=0.0), "bandwidth must be > 0 and finite. Got 0.0"),
        (lambda: layer_of(bandwidth=float("inf")), "bandwidth must be > 0 and finite. Got inf"),
        (lambda: layer_of(threshold=float("nan")), "threshold must be a number. Got nan"),
        (lambda: FiringLayer(0, 5), "n_features must be a whole number >= 1. Got 0"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("part", ["weight", "bias", "theta"])
def test_weights_and_thresholds_that_are_no_numbers_are_refused(part):
    layer = layer_of(index="screened")
    with torch.no_grad():
        getattr(layer, part)[7] = torch.nan
    with pytest.raises(ValueError, match="must be finite. Got others in neuron 7"):
        layer(inputs_of())
