"""A deep network in PyTorch: the bits of a DeepNetwork, and the gradients of the dense formula."""

import copy
import pickle

import numpy as np
import pytest

from fewfire import DeepNetwork, Inputs, predict
from trainers import descent_trainer

torch = pytest.importorskip("torch")
from fewfire.torch import SparseDeep  # noqa: E402

FEATURES, OUTPUTS = 7, 3
SHAPES = [{"widths": [60]}, {"widths": [60, 40]}, {"widths": [40, 30, 20], "constant": 0.5}]


def network_of(shape, dtype=np.float64):
    settings = {"fire_rate": 0.2, "dtype": dtype, **shape}
    return DeepNetwork.initialize(settings.pop("widths"), FEATURES, OUTPUTS, **settings)


def inputs_of(n=17, dtype=torch.float64, seed=0):
    return torch.randn(n, FEATURES, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def dense(network, x, weights, output_weights):
    for number, (weight, b) in enumerate(zip(weights, network.thresholds, strict=True)):
        a = torch.relu(x @ weight.T - b)
        if number == network.depth - 1:
            return a @ output_weights * a.shape[1] ** -0.5
        length = a.norm(dim=1, keepdim=True)
        x = torch.where(length > 0, a / length.clamp_min(1e-300), 0)
        k = network.constants[number]
        if k > 0:
            x = torch.cat([x, torch.full_like(length, k)], dim=1) / (1 + k * k) ** 0.5
    raise AssertionError


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_dense_formula_with_all_gradients(shape):
    module = SparseDeep.from_network(network_of(shape))
    given = [inputs_of().requires_grad_(), *module.parameters()]
    copies = [part.detach().clone().requires_grad_() for part in given]
    ours = module(given[0])
    theirs = dense(module.network, copies[0], copies[1:-1], copies[-1])
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    for part, other in zip(given, copies, strict=True):
        torch.testing.assert_close(part.grad, other.grad, rtol=0, atol=1e-10)


def test_gradients_are_those_of_differences():
    module = SparseDeep.from_network(network_of(SHAPES[1]))
    assert torch.autograd.gradcheck(module, inputs_of(4).requires_grad_())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_back_and_forth_are_the_same_bits(shape, dtype):
    network = network_of(shape, dtype)
    module = SparseDeep.from_network(network)
    x = inputs_of(dtype=torch.float64).to(module.weight.dtype)
    inputs = Inputs.of(x.numpy(), dtype)
    assert (module(x).detach().numpy() == predict(network, inputs)).all()
    targets = np.random.default_rng(0).normal(size=(len(x), OUTPUTS)).astype(dtype)
    trainer = descent_trainer(network, inputs, targets, learning_rate=0.5, batch_size=8)
    trainer.build()
    trainer.epoch()
    for name, array in network.state().items():
        same = (array == module.to_network().state()[name]).all()
        assert same == (name in ("output_weights", "thresholds", "constants"))
    trained = SparseDeep.from_network(network)
    module.load_state_dict(trained.state_dict())
    assert torch.equal(module(x), trained(x))
    for name, array in network.state().items():
        assert (array == module.to_network().state()[name]).all()


def test_an_optimizer_of_torch_lowers_the_loss_and_the_index_follows():
    module = SparseDeep(FEATURES, [200, 100], OUTPUTS, fire_rate=0.2, index="screened", dtype=torch.float64)
    x, y = inputs_of(), inputs_of(seed=1)[:, :OUTPUTS]
    optimizer = torch.optim.SGD(module.parameters(), lr=5.0, momentum=0.9)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (module(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert torch.equal(module(x), SparseDeep.from_network(module.to_network())(x))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_their_own(copied):
    module = SparseDeep.from_network(network_of(SHAPES[2])).eval()
    module.weight_2.requires_grad_(False)
    other, x = copied(module), inputs_of()
    assert torch.equal(module(x), other(x))
    assert not other.training
    assert not other.weight_2.requires_grad
    with torch.no_grad():
        other.weight_3.mul_(2)
    assert not torch.equal(module(x), other(x))


def test_it_is_converted_to_another_precision():
    module = SparseDeep.from_network(network_of(SHAPES[1]))
    x = inputs_of()
    expected = module(x)
    torch.testing.assert_close(module.float()(x.float()).double(), expected, rtol=0, atol=1e-5)
    assert module.to_network().dtype == np.float32


def test_samples_on_which_nothing_fires():
    module = SparseDeep(FEATURES, [30, 20], OUTPUTS, threshold=50.0, dtype=torch.float64)
    x = inputs_of().requires_grad_()
    outputs = module(x)
    outputs.sum().backward()
    for nothing in (outputs, x.grad, module.weight_2.grad):
        assert (nothing == 0).all()


def test_compiled_around_it_is_the_same():
    module = SparseDeep.from_network(network_of(SHAPES[1]))
    model = torch.nn.Sequential(torch.nn.Tanh(), module)
    assert torch.equal(torch.compile(model, backend="eager")(inputs_of()), model(inputs_of()))


def test_what_does_not_work_says_so():
    module = SparseDeep.from_network(network_of(SHAPES[1]))
    with pytest.raises(ValueError, match=r"inputs must be \(n, 7\)"):
        module(torch.ones(2, 5))
    others = {name: part.detach().clone() for name, part in module.named_parameters()}
    with pytest.raises(RuntimeError, match="weights must lie where the module put them"):
        torch.func.functional_call(module, others, inputs_of())
    outputs = module(inputs_of())
    with torch.no_grad():
        module.weight_2.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()
    with pytest.raises(ValueError, match="on the CPU"):
        module.half()
