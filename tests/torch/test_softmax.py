"""A softmax over the labels that matter: what it leaves out is as little as it says."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from torch.nn.functional import cross_entropy  # noqa: E402

from fewfire.torch import ScreenedSoftmax  # noqa: E402
from strategies import seeds  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")

N, D, M = 12, 16, 3000


def peaked(tolerance=0.01, spread=8.0, dtype=torch.float32, seed=0, n_labels=M):
    """A layer whose logits spread over many units, with inputs."""
    layer = ScreenedSoftmax(D, n_labels, tolerance=tolerance, dtype=dtype)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(n_labels, D, generator=random))
        layer.bias.copy_(torch.randn(n_labels, generator=random))
    return layer, spread / 4 * torch.randn(N, D, generator=random, dtype=dtype)


def exact(layer, h):
    """Logits in float64."""
    return h.detach().double() @ layer.weight.detach().double().T + layer.bias.detach().double()


def labels_of(layer, h):
    return exact(layer, h).argmax(dim=1)


@pytest.mark.parametrize("tolerance", [1e-3, 0.01, 0.3, 1.0])
def test_loss_and_probabilities_are_as_close_as_proven(tolerance, dtype):
    layer, h = peaked(tolerance, dtype=torch.from_numpy(np.zeros(0, dtype)).dtype)
    labels = torch.arange(N)
    loss = layer(h, labels)
    assert 0 < layer.looked_at < 0.2
    assert (layer.proven <= tolerance).all()
    assert layer.proven.max() > 0
    error = cross_entropy(exact(layer, h), labels).item() - loss.item()
    assert -1e-4 < error < np.log1p(layer.proven).mean() + 1e-4


def test_the_true_rest_lies_below_the_proven_one():
    layer, h = peaked(0.1)
    layer(h, labels_of(layer, h))
    rest, kept = rest_and_kept(layer, h)
    assert (rest / kept <= layer.proven).all()
    assert (layer.proven < 0.1).all()
    assert (rest > 0).any()


def rest_and_kept(layer, h):
    """Sums of exponentials over what was left out and what was kept, each over the largest."""
    logits = exact(layer, h)
    mask = np.zeros(logits.shape, bool)
    begins, labels, _ = layer.kept.by_sample()
    mask[np.repeat(np.arange(len(h)), np.diff(begins)), labels] = True
    sizes = torch.exp(logits - logits.max(dim=1, keepdim=True).values).numpy()
    return (sizes * ~mask).sum(axis=1), (sizes * mask).sum(axis=1)


@st.composite
def layers(draw):
    random = np.random.default_rng(draw(seeds))
    m, d, n = draw(st.sampled_from([64, 65, 700])), draw(st.sampled_from([1, 3, 17])), draw(st.integers(1, 9))
    weights = random.standard_normal((m, d)) * draw(st.sampled_from([0.0, 1e-12, 1.0, 30.0]))
    if draw(st.booleans()):
        weights[random.integers(0, m, m // 2)] = weights[0]  # ties
    if draw(st.booleans()):
        weights[random.integers(0, m)] *= 1e4
    biases = random.standard_normal(m) * draw(st.sampled_from([0.0, 1.0, 300.0]))
    rows = random.standard_normal((n, d)) * draw(st.sampled_from([0.0, 1e-20, 1.0, 50.0]))
    labels = random.integers(0, m, n)
    return weights, biases, rows, labels, draw(st.sampled_from([1e-6, 0.01, 1.0]))


@given(layers(), st.sampled_from([torch.float32, torch.float64]))
def test_the_proof_holds_in_ugly_cases(case, dtype):
    weights, biases, rows, labels, tolerance = case
    layer = ScreenedSoftmax(weights.shape[1], len(weights), tolerance=tolerance, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        layer.bias.copy_(torch.from_numpy(biases))
    h = torch.from_numpy(rows).to(dtype)
    loss = layer(h, torch.from_numpy(labels)).item()
    assert (layer.proven <= tolerance).all()
    expected = cross_entropy(exact(layer, h), torch.from_numpy(labels)).item()
    sizes = np.abs(weights).max() * np.abs(rows).max() * weights.shape[1] + np.abs(biases).max()
    rounding = 1e-5 * (1 + sizes)
    assert expected - np.log1p(layer.proven).mean() - rounding <= loss <= expected + rounding
    if layer.looked_at < 1:
        rest, kept = rest_and_kept(layer, h)
        assert (rest <= layer.proven * kept * (1 + rounding)).all()


def test_a_sample_of_which_nothing_is_known_keeps_all_labels():
    layer, h = peaked(0.01)
    h[3] *= 1e16
    layer(h, torch.arange(N))
    assert 0 < layer.looked_at < 1
    assert layer.proven[3] == 0
    assert layer.proven.max() > 0
    assert np.count_nonzero(layer.kept.samples == 3) == M


def test_gradients_are_those_of_the_labels_that_are_kept():
    layer, h = peaked(1e-3, dtype=torch.float64)
    h.requires_grad_()
    labels = torch.arange(N)
    layer(h, labels).backward()
    assert layer.looked_at < 1
    own = [one.grad.clone() for one in (h, layer.weight, layer.bias)]
    for one in (h, layer.weight, layer.bias):
        one.grad = None
    cross_entropy(layer.logits(h), labels).backward()
    for ours, one in zip(own, (h, layer.weight, layer.bias), strict=True):
        # Probabilities are off by 2 R of their sum, and so are sums of rows with these weights.
        largest = {h: layer.weight, layer.weight: h, layer.bias: torch.ones(1)}[one].abs().max()
        assert (ours - one.grad).abs().max() < 2 * layer.proven.max() * largest
        assert ours.abs().max() > 0


def test_a_flat_softmax_is_computed_densely_and_exactly():
    layer = ScreenedSoftmax(D, M, dtype=torch.float64)
    h, labels = torch.randn(N, D, dtype=torch.float64), torch.arange(N)
    assert layer(h, labels).item() == pytest.approx(cross_entropy(layer.logits(h), labels).item(), rel=1e-12)
    assert layer.looked_at == 1
    assert not layer.proven.any()


def test_several_labels_by_their_shares():
    layer, h = peaked(1e-3, dtype=torch.float64)
    targets = torch.zeros(N, M, dtype=torch.float64)
    targets[torch.arange(N), torch.arange(N)] = 0.25
    targets[torch.arange(N), torch.arange(N) + 100] = 0.75
    targets[3] = 0  # a sample without a label
    loss = layer(h, targets.to_sparse_csr())
    assert layer.looked_at < 1
    assert loss.item() == pytest.approx(cross_entropy(layer.logits(h), targets).item(), abs=1e-3)


def test_it_trains_like_a_dense_softmax():
    layer, h = peaked(0.01)
    twin = torch.nn.Linear(D, M)
    with torch.no_grad():
        twin.weight.copy_(layer.weight)
        twin.bias.copy_(layer.bias)
    labels = torch.arange(N)
    first = cross_entropy(twin(h), labels).item()
    optimizers = [torch.optim.Adam(one.parameters(), lr=0.01) for one in (layer, twin)]
    for _ in range(20):
        losses = layer(h, labels), cross_entropy(twin(h), labels)
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    ours, dense = (cross_entropy(one(h), labels).item() for one in (layer.logits, twin))
    assert ours == pytest.approx(dense, rel=0.01)
    assert dense < first - 5


def test_a_logit_that_is_not_finite_gives_what_dense_gives():
    layer, h = peaked()
    with torch.no_grad():
        layer.weight[7] = torch.nan
    assert torch.isnan(layer(h, torch.arange(N)))


def test_copies_state_dict_and_precisions():
    layer, h = peaked()
    labels = torch.arange(N)
    loss = layer(h, labels).item()
    twin = copy.deepcopy(layer)
    assert twin(h, labels).item() == loss
    assert twin.tolerance == layer.tolerance
    other = ScreenedSoftmax(D, M)
    other.load_state_dict(layer.state_dict())
    assert other(h, labels).item() == loss
    assert layer.double()(h, labels).item() == pytest.approx(loss, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ScreenedSoftmax(0, 5), "n_features must be a whole number >= 1. Got 0"),
        (lambda: ScreenedSoftmax(5, 5, tolerance=0.0), "tolerance must be above 0, and 1 at most. Got 0.0"),
        (lambda: ScreenedSoftmax(5, 5, tolerance=1.5), "Got 1.5"),
        (lambda: peaked()[0](torch.ones(2, 3), torch.tensor([1, 2])), r"inputs must be \(n, 16\)"),
        (lambda: peaked()[0](torch.ones(2, D), torch.tensor([1])), r"targets must be \(2,\) whole numbers"),
        (lambda: peaked()[0](torch.ones(1, D), torch.tensor([M])), "labels must be from 0 to 2999. Got 3000"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
