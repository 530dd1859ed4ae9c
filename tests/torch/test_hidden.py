"""A firing layer in PyTorch: what the dense formula gives, and the bits of fewfire's own training."""

import copy
import pickle

import numpy as np
import pytest

from fewfire import GradientDescent, Inputs, Trainer, TwoLayerNetwork
from fewfire.indexes import DriftIndex, ExhaustiveIndex
from fewfire.networks.losses import SquaredLoss
from fewfire.training import Problem

torch = pytest.importorskip("torch")
from fewfire.torch import SGD, SparseHidden  # noqa: E402
from fewfire.torch.functional import hidden, hidden_backward  # noqa: E402

FEATURES, WIDTH, OUTPUTS = 7, 60, 3
RULES = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    {"weight_decay": 0.01},
]


def layer_of(dtype=torch.float64, **settings):
    return SparseHidden(FEATURES, WIDTH, OUTPUTS, **{"fire_rate": 0.2, "dtype": dtype, **settings})


def inputs_of(n=17, dtype=torch.float64, seed=0):
    return torch.randn(n, FEATURES, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def dense(layer, x, weight, output_weight):
    return torch.relu(x @ weight.T - layer.threshold) @ output_weight * WIDTH**-0.5


def arguments(layer, x):
    network = layer.state.network
    return x, layer.weight, layer.output_weight, torch.zeros(()), None, network.threshold, network.scale


@pytest.mark.parametrize("index", ["exhaustive", "screened"])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_it_is_the_dense_formula_with_all_gradients(index, dtype, close):
    layer = layer_of(dtype, index=index)
    given = [inputs_of(dtype=dtype), layer.weight, layer.output_weight]
    given[0].requires_grad_()
    copies = [part.detach().clone().requires_grad_() for part in given]
    ours, theirs = layer(given[0]), dense(layer, *copies)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=close)
    for part, other in zip(given, copies, strict=True):
        torch.testing.assert_close(part.grad, other.grad, rtol=0, atol=close)


@pytest.mark.parametrize("needed", range(3))
def test_only_the_gradients_that_are_needed_are_formed(needed):
    layer, x = layer_of(), inputs_of()
    given = [x, layer.weight, layer.output_weight]
    for i, part in enumerate(given):
        part.requires_grad_(i == needed)
    layer(x).sum().backward()
    assert [part.grad is not None for part in given] == [i == needed for i in range(3)]


def test_gradients_pass_gradcheck():
    layer = layer_of()
    x, weight, output_weight, *others = arguments(layer, inputs_of(5))
    given = [part.detach().clone().requires_grad_() for part in (x, weight, output_weight)]
    assert torch.autograd.gradcheck(lambda *own: hidden(*own, *others, 0)[0], given)


@pytest.mark.parametrize("stateless", [False, True])
def test_operators_pass_opcheck(stateless):
    layer, x = layer_of(), inputs_of().requires_grad_()
    number = 0 if stateless else layer.state.number
    torch.library.opcheck(hidden, (*arguments(layer, x), number))
    x, weight, output_weight, _, ids, *numbers = arguments(layer, x)
    outputs, *fires = hidden(x, weight, output_weight, torch.zeros(()), ids, *numbers, number)
    given = outputs, x, weight, output_weight, ids, *fires, *numbers, number, [True, True, False, True]
    torch.library.opcheck(hidden_backward, [_detached(part) for part in given])


def _detached(part):
    return part.detach() if isinstance(part, torch.Tensor) else part


def test_it_compiles_whole_and_exports_with_any_batch_size():
    layer, x = layer_of(), inputs_of()
    assert torch.equal(torch.compile(layer, fullgraph=True, backend="aot_eager")(x), layer(x))
    batch = torch.export.Dim("batch")
    exported = torch.export.export(layer, (x,), dynamic_shapes={"x": {0: batch}})
    assert torch.equal(exported.module()(inputs_of(5)), layer(inputs_of(5)))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's own look
def test_compiled_training_takes_the_same_steps():
    plain, fused = layer_of(), layer_of()
    compiled = torch.compile(fused, backend="aot_eager", fullgraph=True)
    for layer, call in ((plain, plain), (fused, compiled)):
        optimizer = SGD([layer], lr=0.5, momentum=0.9)
        for seed in range(4):
            optimizer.zero_grad()
            call(inputs_of(seed=seed)).square().mean().backward()
            optimizer.step()
    assert fused.to_network().weights.tobytes() == plain.to_network().weights.tobytes()
    assert not torch.equal(plain.weight, layer_of().weight)


def test_it_maps_over_batches_and_with_other_weights():
    layer, x = layer_of(), torch.stack([inputs_of(seed=0), inputs_of(seed=1)])
    assert torch.equal(torch.vmap(layer)(x), torch.stack([layer(part) for part in x]))
    others = {name: 1.5 * part for name, part in layer.named_parameters()}
    ours = torch.func.functional_call(layer, others, (x[0],))
    torch.testing.assert_close(ours, dense(layer, x[0], others["weight"], others["output_weight"]))
    with pytest.raises(NotImplementedError, match="vmap over a firing layer must be over its inputs alone"):
        torch.vmap(lambda w: torch.func.functional_call(layer, {"weight": w}, (x[0],)))(
            torch.stack([layer.weight, layer.weight])
        )


def test_a_second_derivative_is_refused():
    layer, x = layer_of(), inputs_of().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="can be differentiated once"):
        gradient.sum().backward()


def test_autocast_hands_over_float32():
    layer, x = layer_of(torch.float32), inputs_of(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        low = torch.nn.functional.linear(x, torch.eye(FEATURES))
        assert low.dtype == torch.bfloat16
        assert torch.equal(layer(low), layer(low.float()))


WRITES = {
    "optimizer": lambda layer: torch.optim.SGD([layer.weight], lr=0.5).step(),
    "compiled Adam": lambda layer: torch.compile(
        torch.optim.Adam([layer.weight], lr=0.5).step, backend="aot_eager"
    )(),
    "in place": lambda layer: layer.weight.mul_(1.5),
    "copy": lambda layer: layer.weight.copy_(2 * layer.weight),
    "state": lambda layer: layer.load_state_dict(layer_of(seed=5).state_dict()),
    "data": lambda layer: (layer.weight.data.mul_(1.5), layer.weights_changed()),
    "array": lambda layer: (layer.weight.detach().numpy().__imul__(1.5), layer.weights_changed()),
}


@pytest.mark.filterwarnings(
    "ignore:.torch.jit.script_method. is deprecated"
)  # which torch itself still calls
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("bound", [False, True])
def test_it_notices_that_weights_were_written(write, bound):
    layer, x = layer_of(index="screened"), inputs_of(40)
    ids = None
    if bound:
        layer.bind(x)
        ids = torch.arange(40)
    layer(x, ids).square().sum().backward()
    with torch.no_grad():
        write(layer)
    expected = dense(layer, x, layer.weight, layer.output_weight)
    torch.testing.assert_close(layer(x, ids), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_a_fused_optimizer_is_noticed_or_refused(optimizer):
    """It raises no version of the weights, and would write into the padding of rows."""
    make = getattr(torch.optim, optimizer)
    for n_features in (16, FEATURES):
        layer = SparseHidden(n_features, WIDTH, OUTPUTS, index="screened", dtype=torch.float32)
        x = torch.randn(20, n_features, generator=torch.Generator().manual_seed(2))
        layer(x).square().sum().backward()
        step = make([layer.weight], lr=0.5, fused=True).step
        if n_features == 16:  # rows without gaps
            step()
        else:
            before = layer.state.layer.weight_rows.copy()
            with pytest.raises(ValueError, match="must be given weights without gaps. Got those of a module"):
                step()
            assert layer.state.layer.weight_rows.tobytes() == before.tobytes()
        expected = dense(layer, x, layer.weight, layer.output_weight)
        torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)


def test_it_is_the_network_bit_for_bit_and_back():
    network = TwoLayerNetwork.initialize(WIDTH, FEATURES, OUTPUTS, fire_rate=0.1, seed=3)
    layer = SparseHidden.from_network(network)
    back = layer.to_network()
    assert back.weights.tobytes() == network.weights.tobytes()
    assert back.output_weights.tobytes() == network.output_weights.tobytes()
    assert (back.threshold, back.scale) == (network.threshold, network.scale)
    x, index = inputs_of(dtype=torch.float32), ExhaustiveIndex()
    index.build(network.layer)
    expected = network.outputs(index.fire_set(Inputs.of(x.numpy())))
    assert layer(x).detach().numpy().tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("train_output_weights", [False, True])
@pytest.mark.parametrize("bound", [False, True])
def test_fused_steps_have_the_bits_of_the_trainer(rule, train_output_weights, bound):
    network = TwoLayerNetwork.initialize(WIDTH, FEATURES, OUTPUTS, fire_rate=0.1, seed=1)
    samples = inputs_of(64, torch.float32)
    samples /= samples.norm(dim=1, keepdim=True)
    targets = torch.eye(OUTPUTS)[torch.arange(64) % OUTPUTS]
    layer, trained = SparseHidden.from_network(network, index="screened"), network.copy()
    if bound:
        layer.bind(samples)
    problem = Problem(trained, Inputs.of(samples.numpy()), targets.numpy(), batch_size=32, loss=SquaredLoss())
    settings = {**rule, "train_output_weights": train_output_weights}
    trainer = Trainer(problem, GradientDescent(learning_rate=1.0, **settings), DriftIndex())
    trainer.build()
    optimizer = SGD([layer], lr=1.0, **settings)
    for step in range(300):
        ids = problem.batches(1 + step // 2)[step % 2]
        trainer.step(ids)
        chosen = torch.from_numpy(ids)
        optimizer.zero_grad()
        outputs = layer(samples[chosen], chosen if bound else None)
        (0.5 * (outputs - targets[chosen]).square().sum() / 32).backward()
        assert layer.weight.grad is None
        optimizer.step()
    trainer.settle()
    ours = layer.to_network()
    assert ours.weights.tobytes() == trained.weights.tobytes()
    assert ours.output_weights.tobytes() == trained.output_weights.tobytes()
    assert not np.array_equal(trained.weights, network.weights)


@pytest.mark.parametrize("rule", RULES)
def test_fused_steps_are_those_of_torch(rule):
    layer, x = layer_of(), inputs_of(30)
    weight, output_weight = layer.weight.detach().clone(), layer.output_weight.detach().clone()
    weight.requires_grad_()
    fused, plain = SGD([layer], lr=0.5, **rule), torch.optim.SGD([weight], lr=0.5, **rule)
    for _ in range(20):
        for optimizer, outputs in ((fused, layer(x)), (plain, dense(layer, x, weight, output_weight))):
            optimizer.zero_grad()
            outputs.square().mean().backward()
            optimizer.step()
    layer.settle()
    torch.testing.assert_close(layer.weight.detach(), weight.detach(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_saved_training_goes_on_with_the_same_bits(rule, tmp_path):
    x = inputs_of(30, torch.float32)

    def steps(layer, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            layer(x).square().mean().backward()
            optimizer.step()

    layer = layer_of(torch.float32)
    optimizer = SGD([layer], lr=0.5, **rule)
    steps(layer, optimizer, 5)
    torch.save([layer.state_dict(), optimizer.state_dict()], tmp_path / "saved.pt")
    steps(layer, optimizer, 5)
    again = layer_of(torch.float32, seed=9)
    resumed = SGD([again], lr=0.5, **rule)
    kept = torch.load(tmp_path / "saved.pt")
    again.load_state_dict(kept[0])
    resumed.load_state_dict(kept[1])
    steps(again, resumed, 5)
    assert again.to_network().weights.tobytes() == layer.to_network().weights.tobytes()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_share_nothing(copied):
    layer, x = layer_of(), inputs_of()
    twin = copied(layer)
    before = layer(x)
    assert torch.equal(twin(x), before)
    with torch.no_grad():
        twin.weight.mul_(2)
    assert torch.equal(layer(x), before)
    assert not torch.equal(twin(x), before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_train_what_the_original_trains(copied):
    layer = layer_of().eval()
    layer.output_weight.requires_grad_(False)
    twin = copied(layer)
    assert not twin.training
    assert [part.requires_grad for part in twin.parameters()] == [True, False]


@pytest.mark.parametrize("moved", [lambda layer: layer.to("cpu"), lambda layer: layer.float()])
def test_a_conversion_that_changes_nothing_leaves_training_alone(moved):
    layer, x = layer_of(torch.float32), inputs_of(dtype=torch.float32)
    optimizer, state, before = SGD([layer], lr=0.5), layer.state, layer.weight.detach().clone()
    moved(layer)
    layer(x).sum().backward()
    optimizer.step()
    assert layer.state is state
    assert not torch.equal(layer.weight, before)


def test_what_a_fused_optimizer_could_not_follow_is_refused():
    layer, x = layer_of(torch.float32), inputs_of(dtype=torch.float32)
    optimizer = SGD([layer], lr=0.5)
    with pytest.raises(RuntimeError, match=r"must keep its memory. Got a conversion"):
        layer.double()
    assert layer.weight.dtype == torch.float32
    layer(x).sum().backward()
    layer.weight.data = layer.weight.data.clone()
    with pytest.raises(RuntimeError, match="must lie where the module put them"):
        optimizer.step()


def test_another_precision_takes_rows_of_its_own():
    layer, x = layer_of(torch.float32), inputs_of(dtype=torch.float32)
    weight = layer.weight
    expected = layer(x).detach().double()
    layer.double()
    assert layer.weight is weight
    torch.testing.assert_close(layer(x.double()).detach(), expected, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="must be of float32 or float64 on the CPU. Got torch.float16"):
        layer.half()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda layer: layer(torch.ones(2, 3)),
            ValueError,
            r"inputs must be \(n, 7\) on the CPU. Got \(2, 3\)",
        ),
        (
            lambda layer: layer(inputs_of(), torch.arange(17)),
            RuntimeError,
            "that the module is bound to",
        ),
        (
            lambda layer: layer_of(index="drift"),
            ValueError,
            "must be exact and answer for new inputs. Got 'drift'",
        ),
        (
            lambda layer: layer_of(index="hashing"),
            ValueError,
            "must be exact and answer for new inputs. Got 'hashing'",
        ),
        (lambda layer: layer_of(torch.float16), ValueError, "dtype must be torch.float32 or torch.float64"),
        (lambda layer: SGD([], lr=1.0), ValueError, "at least one SparseHidden. Got none"),
        (
            lambda layer: SGD([torch.nn.Linear(1, 1)], lr=1.0),
            ValueError,
            "at least one SparseHidden. Got .Linear",
        ),
        (lambda layer: SGD([layer], lr=0.0), ValueError, "lr must be > 0. Got 0.0"),
        (lambda layer: SGD([layer], lr=9.0, weight_decay=1.0), ValueError, "must be less than 1"),
    ],
)
def test_what_cannot_be_is_refused(call, error, message):
    layer = layer_of()
    with pytest.raises(error, match=message):
        call(layer)
    assert not layer.state.fused


@pytest.mark.parametrize(
    ("ids", "rows", "message"),
    [
        (torch.arange(5), slice(4), "one per row, of 0 .. 29. Got .* 5 for 4 rows"),
        (torch.tensor([0, 30]), slice(2), "one per row, of 0 .. 29"),
        (torch.tensor([1, 0]), slice(2), "rows must be the bound samples with these ids. Got other numbers"),
    ],
)
def test_ids_must_be_those_of_the_rows(ids, rows, message):
    layer, x = layer_of(), inputs_of(30)
    layer.bind(x)
    with pytest.raises(ValueError, match=message):
        layer(x[rows], ids)


def test_two_passes_without_a_step_are_refused():
    layer, x = layer_of(), inputs_of()
    optimizer = SGD([layer], lr=0.5)
    layer(x).sum().backward()
    with pytest.raises(RuntimeError, match="one step per backward pass"):
        layer(x).sum().backward()
    before = layer.weight.detach().clone()
    optimizer.zero_grad()
    optimizer.step()
    assert torch.equal(layer.weight, before)
    layer(x).sum().backward()
    optimizer.step()
    assert not torch.equal(layer.weight, before)


def test_fused_optimizers_of_output_weights_are_refused():
    """With 64 features the rows of the hidden weights have no gaps, those of three outputs do."""
    layer = SparseHidden(64, WIDTH, OUTPUTS, fire_rate=0.2)
    assert layer.weight.is_contiguous()
    optimizer = torch.optim.Adam(layer.parameters(), fused=True)
    layer(torch.randn(5, 64)).sum().backward()
    before = layer.to_network()
    with pytest.raises(ValueError, match=r"weights without gaps. Got .* rows of 3 that are padded to 16"):
        optimizer.step()
    assert layer.to_network().output_weights.tobytes() == before.output_weights.tobytes()


def test_a_gradient_that_is_kept_is_not_written_over():
    layer, first, second = layer_of(), inputs_of(seed=1), inputs_of(seed=2)
    expected = []
    for x in (first, second):
        layer.zero_grad()
        layer(x).square().sum().backward()
        expected.append(layer.weight.grad.clone())
    kept, layer.weight.grad = layer.weight.grad, None
    layer(first).square().sum().backward()
    assert torch.equal(kept, expected[1])
    layer(second).square().sum().backward()  # adds up
    torch.testing.assert_close(layer.weight.grad, expected[0] + expected[1])
    del kept
    layer.zero_grad()
    memory = layer.state.room_for_slope().base  # which comes back, once nobody holds a gradient in it
    for _ in range(3):
        layer.zero_grad()
        layer(first).square().sum().backward()
        assert np.shares_memory(layer.weight.grad.numpy(), memory)
    assert torch.equal(layer.weight.grad, expected[0])


def test_another_optimizer_beside_it_leaves_the_pull():
    model = torch.nn.Sequential(torch.nn.Linear(FEATURES, FEATURES), layer_of(torch.float32))
    others, ours = torch.optim.Adam(model.parameters()), SGD([model[1]], lr=0.5)
    before = model[1].to_network().weights
    model(inputs_of(dtype=torch.float32)).square().sum().backward()
    others.step()
    ours.step()
    assert model[1].to_network().weights.tobytes() != before.tobytes()


def test_a_graph_from_before_a_step_is_refused():
    layer = layer_of()
    optimizer, x = SGD([layer], lr=0.5), inputs_of().requires_grad_()
    older = layer(x).square().sum()
    layer(inputs_of(seed=1)).square().sum().backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        older.backward()


def test_a_state_of_other_modules_is_refused_and_changes_nothing():
    other = SGD([SparseHidden(FEATURES, 1, OUTPUTS, fire_rate=0.2)], lr=0.25, momentum=0.9)
    plain = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.25)
    optimizer = SGD([layer_of(torch.float32)], lr=0.5, momentum=0.9)
    for state in (other.state_dict(), plain.state_dict()):
        with pytest.raises(ValueError, match="must hold the velocities of the same modules"):
            optimizer.load_state_dict(state)
        assert optimizer.param_groups[0]["lr"] == 0.5
    with pytest.raises(ValueError, match="must be made with all of its modules"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(3))]})


def test_copies_are_of_the_parameters_wherever_they_lie():
    layer, other = layer_of(), layer_of(seed=1)
    layer.load_state_dict(other.state_dict(), assign=True)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(copied(inputs_of()), other(inputs_of()))
    tied = torch.nn.Module()
    tied.encoder = layer
    tied.decoder = layer.weight
    copied = copy.deepcopy(tied)
    assert copied.decoder is copied.encoder.weight


@pytest.mark.parametrize("index", ["exhaustive", "screened"])
@pytest.mark.parametrize("value", [np.nan, np.inf, [np.inf, -np.inf]])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_weights_that_are_not_finite_are_refused_and_not_silent(index, value, elsewhere):
    """A neuron of NaN never fires: the outputs would be those of the others."""
    layer, x = layer_of(index=index), inputs_of()
    good = layer(x)
    with torch.no_grad():
        layer.weight[4, :2] = torch.tensor(value)
    weights = {"weight": layer.weight.clone()} if elsewhere else {}
    for _ in range(2):  # not the first time alone
        with pytest.raises(ValueError, match=r"must be finite. Got others in neuron 4\. Go back"):
            torch.func.functional_call(layer, weights, x)
    with torch.no_grad():
        layer.weight[4] = torch.finfo(layer.weight.dtype).max / 2  # large, and a number
        layer(x)
        layer.weight[4] = 0
        good[:] = layer(x)
    assert torch.isfinite(good).all()


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
def test_copies_of_a_fused_optimizer_are_refused(copied):
    with pytest.raises(TypeError, match="Copy the modules, make an optimizer of theirs"):
        copied(SGD([layer_of()], lr=0.5))


@pytest.mark.parametrize("rule", [{}, {"momentum": 0.9}])
@pytest.mark.parametrize(("index", "bound"), [("screened", False), ("exhaustive", False), ("screened", True)])
def test_fused_steps_to_weights_that_are_not_finite_are_refused(index, bound, rule):
    layer, x = layer_of(index=index), inputs_of()
    optimizer, ids = SGD([layer], lr=1.0, **rule), torch.arange(len(x)) if bound else None
    if bound:
        layer.bind(x)
    (layer(x, ids).sum() * torch.nan).backward()
    optimizer.step()
    for _ in range(2):
        with pytest.raises(ValueError, match="must be finite. Got others in neuron 0 and 59 more"):
            layer(x, ids)
