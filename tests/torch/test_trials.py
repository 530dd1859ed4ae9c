"""Trials of PyTorch modules: the same plans, the sharpness of a network, and generators as they were."""

import numpy as np
import pytest
import torch
from torch import nn

from fewfire import TwoLayerNetwork
from fewfire.errors import DataError
from fewfire.plan import Loss, best_rate, max_rate
from fewfire.tangent import firing_kernel
from fewfire.torch import sharpness, trials_of
from problems import clustered_samples


@pytest.fixture(autouse=True)
def _one_thread():
    """Modules so small have nothing to share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(n=300, n_classes=3):
    samples, nearest = clustered_samples(n, 20)
    return samples.astype(np.float32), nearest % n_classes


def mlp(width=32):
    return nn.Sequential(
        nn.Linear(20, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3)
    )


def test_the_plans_find_rates_of_a_module_and_leave_generators_alone():
    samples, codes = problem()
    state = torch.random.get_rng_state()
    trials = trials_of(mlp, samples, codes, batch_size=30, width=32, depth=2)
    found = [max_rate(trials, success=Loss(0.7), epochs=10, seeds=2) for _ in range(2)]
    assert found[0].by_seed == found[1].by_seed
    assert 0 < found[0].low <= found[0].rate <= found[0].high < np.inf
    assert (found[0].width, found[0].depth) == (32, 2)
    best = best_rate(trials)
    assert 0 < best.rate < 4 * found[0].rate
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_seed_is_a_network_and_an_order():
    trials = trials_of(mlp, *problem(), batch_size=30)
    seen = [[trials.begin(0.1, seed).step() for _ in range(1)] for seed in (0, 0, 1)]
    assert seen[0] == seen[1] != seen[2]


def test_the_optimizer_may_give_the_input_layer_a_rate_of_its_own():
    def slow_input(module, rate):
        first, *rest = module
        others = [parameter for layer in rest for parameter in layer.parameters()]
        return torch.optim.SGD([{"params": first.parameters(), "lr": 0.0}, {"params": others}], lr=rate)

    trials = trials_of(mlp, *problem(), batch_size=30, optimizer=slow_input)
    attempt = trials.begin(0.1, 0)
    attempt.step()
    before = trials.fresh(0)
    assert torch.equal(attempt.module[0].weight, before[0].weight)
    assert not torch.equal(attempt.module[2].weight, before[2].weight)


def test_what_is_not_finite_or_not_paired_is_refused():
    samples, codes = problem()
    with pytest.raises(DataError, match="one target each. Got 300 inputs, 299 targets"):
        trials_of(mlp, samples, codes[1:])
    with pytest.raises(DataError, match="1 values that are not finite"):
        trials_of(mlp, np.where(np.arange(6000).reshape(300, 20) == 7, np.nan, samples), codes)


def test_the_sharpness_of_a_two_layer_network_is_that_of_its_firing_kernel():
    samples, _ = problem(60)
    ours = TwoLayerNetwork.initialize(512, 20, 1, threshold=0.5, dtype="float64")

    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.from_numpy(ours.weights.copy()))
            self.signs = torch.from_numpy(ours.output_weights.copy())

        def forward(self, x):
            return torch.relu(x @ self.weights.T - 0.5) @ self.signs * 512**-0.5

    kernel = firing_kernel(ours, samples.astype(np.float64))
    expected = np.linalg.eigvalsh(kernel)[-1] / len(samples)
    found = sharpness(Dense(), torch.from_numpy(samples.astype(np.float64)))
    assert found == pytest.approx(expected, rel=1e-3)


def sharpness_of_shape(width, depth, *, input_trains, n_inputs=100, n_points=32):
    """Geometric mean over four seeds, of ReLU networks with He start and output variance 2 / width."""
    found = []
    for seed in range(4):
        random = np.random.default_rng(seed)
        points = torch.from_numpy(random.standard_normal((n_points, n_inputs)))
        sizes = [n_inputs] + [width] * depth + [1]
        layers = []
        for place, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False)):
            layer = nn.Linear(before, after, bias=False, dtype=torch.float64)
            drawn = random.standard_normal((after, before)) * np.sqrt(2 / before)
            layer.weight = nn.Parameter(torch.from_numpy(drawn), requires_grad=place > 0 or input_trains)
            layers += [layer, nn.ReLU()]
        found.append(sharpness(nn.Sequential(*layers[:-1]), points))
    return float(np.exp(np.mean(np.log(found))))


@pytest.mark.parametrize(
    ("input_trains", "least_ratio", "slope", "fit"),
    [(False, 8, 0.978, 0.988), (False, 0, 0.974, 0.949), (True, 8, 0.952, 0.987)],
)
def test_the_sharpness_grows_as_width_times_depth(input_trains, least_ratio, slope, fit):
    shapes = [(n, d) for n in (32, 64, 128, 256) for d in (2, 4, 8, 16) if n / d >= least_ratio]
    size = np.log([n * d for n, d in shapes])
    logs = np.log([sharpness_of_shape(n, d, input_trains=input_trains) for n, d in shapes])
    assert np.polyfit(size, logs, 1)[0] == pytest.approx(slope, abs=0.01)
    assert np.corrcoef(size, logs)[0, 1] ** 2 == pytest.approx(fit, abs=0.01)
