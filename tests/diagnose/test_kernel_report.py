"""What the kernel report says, beside trained networks and kernels of known spectra."""

import numpy as np
import pytest

from fewfire import DataError, Inputs, TwoLayerNetwork
from fewfire.diagnose import Foretold, conditioning, kernel_report
from fewfire.networks import DeepNetwork
from fewfire.networks.near_kernel import near_kernel_network
from fewfire.plan import plan_trainer
from fewfire.tangent import Layers, OwnKernel
from fewfire.training import GradientDescent
from problems import clustered_samples

STEPS = (10, 50, 200)


def samples_and_classes(n=300, d=20, classes=4):
    samples, nearest = clustered_samples(n, d)
    return samples, np.eye(classes)[nearest % classes]


@pytest.mark.parametrize("b", [0.5, 1.0])
def test_the_foretold_loss_is_that_of_training(b):
    samples, targets = samples_and_classes()
    network = near_kernel_network(2048, 20, 4, threshold=b)
    inputs = Inputs.of(samples)
    report = kernel_report(network, inputs, targets)
    method = GradientDescent(learning_rate=report.foretold.rate)
    trainer = plan_trainer(network, inputs, targets, method=method, index="exhaustive", batch_size=300)
    trainer.build()
    losses = [trainer.epoch().loss for _ in range(max(STEPS) + 1)]  # each before its step
    for steps in STEPS:
        assert report.foretold.loss_after(steps) == pytest.approx(losses[steps], rel=0.05)


def test_steps_and_products_to_a_share_of_the_loss():
    values, shares = np.array([1.0, 4.0, 9.0]), np.array([1.0, 1.0, 2.0])
    foretold = Foretold(values, shares, 3, rate=3 / 9)
    steps = foretold.steps_to(0.05)
    assert foretold.loss_after(steps) <= 0.05 * foretold.loss_after(0) < foretold.loss_after(steps - 1)
    assert foretold.products_to(1e-9) == 3  # as many as there are different eigenvalues
    assert foretold.products_to(0.05) <= steps
    assert Foretold(np.array([0.0, 1.0]), shares[:2], 2, 2.0).steps_to(0.05) == np.inf


def test_a_rate_that_is_too_large_has_an_infinite_loss():
    foretold = Foretold(np.array([1.0, 4.0]), np.ones(2), 2, rate=1.5)
    assert foretold.loss_after(1) > foretold.loss_after(0)
    assert foretold.loss_after(10_000) == foretold.steps_to(0.05) == np.inf


def test_products_foretell_the_loss_that_all_eigenvalues_do(monkeypatch):
    samples, targets = samples_and_classes()
    network = TwoLayerNetwork.initialize(4096, 20, 4, threshold=1.0, mirrored=True)
    exact = kernel_report(network, samples, targets)
    monkeypatch.setattr(conditioning, "ALL_UP_TO", 100)
    found = kernel_report(network, samples, targets)
    assert found.values is None
    assert found.largest == pytest.approx(exact.largest, rel=1e-4)
    for steps in (0, 10, 100):
        assert found.foretold.loss_after(steps) == pytest.approx(exact.foretold.loss_after(steps), rel=1e-2)
    ridge = exact.largest / 100
    value, error = found.effective_dimension(ridge)
    assert abs(value - exact.effective_dimension(ridge)[0]) <= 3 * error + 1e-3 * value
    with pytest.raises(ValueError, match="alignment must have all eigenvectors, of 100 samples at the most"):
        found.alignment(1)


def test_a_smallest_eigenvalue_that_was_not_reached_is_a_bound(monkeypatch):
    samples, targets = samples_and_classes()
    network = TwoLayerNetwork.initialize(4096, 20, 4, threshold=1.0)
    exact = kernel_report(network, samples, targets)
    monkeypatch.setattr(conditioning, "ALL_UP_TO", 100)
    found = kernel_report(network, samples, targets, max_products=20)
    assert not found.converged
    assert found.smallest >= exact.smallest
    assert "at least" in str(found)


def test_a_deep_kernel_that_forgot_the_data_is_called_so():
    samples, targets = samples_and_classes(d=10)
    deep = kernel_report(Layers(6, 2.0, trained="all"), samples, targets)
    assert deep.leave_one_out >= 0.99 * deep.variance
    assert any("forgot the data" in verdict for verdict in deep.verdicts)
    assert deep.condition < 2
    shallow = kernel_report(Layers(1, 0.0), samples, targets)
    assert not any("forgot" in verdict for verdict in shallow.verdicts)
    assert shallow.condition > 100


def test_copies_make_a_singular_kernel_and_no_nan():
    samples, targets = samples_and_classes(100)
    twice = np.concatenate([samples, samples]), np.concatenate([targets, targets])
    report = kernel_report(Layers(1, 0.5), *twice)
    assert report.smallest == 0
    assert report.condition == np.inf
    assert report.separability < 1e-6
    assert "copies of each other" in report.verdicts[0]
    figures = report.as_dict()
    assert figures["condition"] is None
    assert not any(isinstance(value, float) and np.isnan(value) for value in figures.values())


def test_figures_of_a_network_are_those_of_its_matrix():
    samples, targets = samples_and_classes(200)
    network = TwoLayerNetwork.initialize(2048, 20, 4, threshold=1.0)
    report = kernel_report(network, samples, targets)
    matrix = OwnKernel.of(network, samples).matrix()
    values = np.linalg.eigvalsh(matrix)
    assert report.condition == pytest.approx(values[-1] / values[0], rel=1e-6)
    assert report.effective_rank == pytest.approx(np.trace(matrix) ** 2 / np.sum(matrix**2))
    assert report.alignment(200) == pytest.approx(1)
    assert report.effective_depth == 200 / 2048
    limit = Layers(1, 1.0)
    expected = limit.size * limit.kernel(samples @ samples.T)
    distance = np.linalg.norm(matrix - expected) / np.linalg.norm(expected)
    assert report.own_to_limit == pytest.approx(distance, rel=1e-3)
    assert "of a network of width 2,048 at threshold 1, on 200 of 200 samples" in str(report)


def test_a_deep_network_is_beside_the_limit_of_as_many_layers():
    samples, targets = samples_and_classes(100)
    network = DeepNetwork.initialize((4096, 4096), 20, 4, threshold=0.5, constant=0.0)
    report = kernel_report(network, samples, targets)
    assert (report.width, report.layers.depth) == (4096, 2)
    assert report.own_to_limit < 0.2
    assert report.effective_depth == 200 / 4096
    limit = kernel_report(Layers(2, 0.5), samples, targets)
    assert report.leave_one_out == pytest.approx(limit.leave_one_out, rel=0.2)


def test_some_of_the_samples_stand_for_all():
    samples, targets = samples_and_classes(300)
    report = kernel_report(Layers(), samples, targets, samples=50)
    assert (report.n_looked_at, report.n_samples, len(report.values)) == (50, 300, 50)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": 2.0}, "inputs must have unit norm for a kernel of infinite width. Got norms from 2 to 2"),
        ({"targets": "constant"}, "targets must vary to be aligned with a kernel. Got one value"),
        ({"targets": "short"}, "targets must be finite, one row for each of 300 samples"),
        ({"rate": 0.0}, "rate must be a number above 0, or 'auto'. Got 0.0"),
        ({"samples": 0}, "samples must be a whole number >= 1"),
    ],
)
def test_what_has_no_report_is_refused(change, message):
    samples, targets = samples_and_classes()
    if "inputs" in change:
        samples = samples * change.pop("inputs")
    if "targets" in change:
        targets = {"constant": np.ones(300), "short": targets[1:]}[change.pop("targets")]
    with pytest.raises((DataError, ValueError), match=message):
        kernel_report(Layers(), samples, targets, **change)
