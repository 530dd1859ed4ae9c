"""A weight of a sample stands for so many copies of it."""

import numpy as np
import pytest

from fewfire import DataError
from fewfire.networks.losses import LOSSES
from fewfire.prepare import scaling
from fewfire.prepare.scaling import InputScaling
from fewfire.tangent.infinite import wide_kernel
from fewfire.tangent.leave_one_out import leave_one_out
from problems import clustered_problem, clustered_samples
from trainers import descent_trainer, gauss_newton_trainer

COPIES = np.random.default_rng(0).integers(0, 4, 30)


def weighted_and_repeated(trainer_type, *, loss, **settings):
    """Weights after two passes over weighted samples, and over copies of them."""
    ways = []
    for ids, weights in ((np.arange(30), COPIES), (np.repeat(np.arange(30), COPIES), None)):
        problem = clustered_problem(n_samples=30, width=200, dtype=np.float64)
        trainer = trainer_type(problem.network, problem.inputs.samples[ids], problem.targets[ids],
                               sample_weight=weights, loss=loss, **settings)  # fmt: skip
        trainer.build()
        for _ in range(2):
            trainer.epoch()
        ways.append(trainer)
    return ways


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_steps(loss):
    rate = 3.0  # for the mean of the loss, which is over other numbers of samples
    weighted, repeated = (
        weighted_and_repeated(descent_trainer, loss=loss, learning_rate=rate * scale)[place]
        for place, scale in enumerate((1.0, COPIES.sum() / 30))
    )
    np.testing.assert_allclose(weighted.network.weights, repeated.network.weights, atol=1e-12)
    assert weighted.history[-1].loss * 30 == pytest.approx(repeated.history[-1].loss * COPIES.sum())


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("loss", LOSSES)
def test_gauss_newton_steps(loss, ridge):
    settings = {"ridge": ridge, "tolerance": 1e-12, "preconditioner": "exact", "damping": 1e-9}
    if ridge == 0:
        settings["damping"] = 1.0
    trainers = weighted_and_repeated(gauss_newton_trainer, loss=loss, **settings)
    if ridge:  # damping is in units of the mean over samples: of no weight beside a ridge
        weighted, repeated = (trainer.network.weights for trainer in trainers)
        np.testing.assert_allclose(weighted, repeated, atol=1e-5)
    assert all(trainer.history[-1].actual > 0 for trainer in trainers)


def test_leaving_a_copy_out():
    samples, nearest = clustered_samples(30, 6)
    targets, ridges = np.eye(10)[nearest][:, :3], np.array([1e-3, 0.1, 10.0])
    seen = COPIES > 0
    copies = np.repeat(np.arange(30), COPIES)
    kernel = wide_kernel(samples @ samples.T, 1.0)
    errors = leave_one_out(kernel[np.ix_(copies, copies)], targets[copies], ridges)
    weighted = leave_one_out(kernel[np.ix_(seen, seen)], targets[seen], ridges, COPIES[seen].astype(float))
    np.testing.assert_allclose(weighted, errors, rtol=1e-9)


@pytest.mark.parametrize("chunk", [8, 2**18])
def test_scaling(monkeypatch, chunk):
    monkeypatch.setattr(scaling, "CHUNK_VALUES", chunk)
    inputs = np.random.default_rng(1).standard_normal((30, 4)) * [1, 10, 0, 1e-3] + 5
    weighted = InputScaling.fit(inputs, standardize=True, sample_weight=COPIES.astype(float))
    repeated = InputScaling.fit(np.repeat(inputs, COPIES, axis=0), standardize=True)
    np.testing.assert_allclose(weighted.transform(inputs), repeated.transform(inputs), atol=1e-6)


@pytest.mark.parametrize("weights", [[1.0], np.full(50, -1.0), np.full(50, np.nan), np.zeros(50)])
@pytest.mark.parametrize("trainer", [descent_trainer, gauss_newton_trainer])
def test_bad_weights(trainer, weights):
    problem = clustered_problem(n_samples=50)
    with pytest.raises(DataError, match="sample_weight must hold a finite number >= 0 for each of the 50"):
        trainer(problem.network, problem.inputs, problem.targets, sample_weight=weights)
