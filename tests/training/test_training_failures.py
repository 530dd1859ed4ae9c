"""Training that leaves the finite numbers: said at once, and the last good weights are kept."""

from contextlib import suppress

import numpy as np
import pytest

from fewfire import TrainingError, TwoLayerNetwork
from problems import clustered_problem
from trainers import descent_trainer

DIVERGING = {"squared": 1e6, "softmax": 1e39, "logistic": 1e39}


def held(network):
    return network.layer.weight_rows.tobytes(), network.output_rows.tobytes()


def train_until_failure(trainer):
    """What the network held at the end of each epoch, and the error that ended training."""
    ends = [held(trainer.network)]
    while len(ends) < 20:
        try:
            trainer.epoch()
        except TrainingError as error:
            return ends, str(error)
        ends.append(held(trainer.network))
    raise AssertionError("training did not fail")


@pytest.mark.parametrize("index", ["exhaustive", "drift"])
@pytest.mark.parametrize("loss", DIVERGING)
@pytest.mark.parametrize("train_output_weights", [False, True], ids=["one-layer", "both-layers"])
def test_a_loss_that_is_not_finite_brings_back_the_end_of_the_previous_epoch(
    index, loss, train_output_weights
):
    problem = clustered_problem()
    trainer = descent_trainer(
        problem.network, problem.inputs, problem.targets, index=index, loss=loss, batch_size=16,
        learning_rate=DIVERGING[loss], train_output_weights=train_output_weights,
    )  # fmt: skip
    trainer.build()
    ends, message = train_until_failure(trainer)
    assert held(trainer.network) == ends[-1]
    assert len(trainer.history) == len(ends) - 1
    assert message.startswith("the loss must stay finite. Got ")
    assert f"at learning_rate={DIVERGING[loss]:g}. Use a smaller one, or 'auto'." in message
    assert f"of epoch {len(ends)}; the weights are those of the end of epoch {len(ends) - 1}." in message


@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
@pytest.mark.parametrize("learning_rate", [1e10, 1e30, 1e38, 1e45, 1e300])
def test_a_network_that_was_trained_is_finite_or_training_failed(loss, learning_rate):
    problem = clustered_problem()
    trainer = descent_trainer(
        problem.network, problem.inputs, problem.targets, loss=loss, batch_size=16,
        learning_rate=learning_rate,
    )  # fmt: skip
    trainer.build()
    with suppress(TrainingError):
        for _ in range(3):
            trainer.epoch()
    finite = np.isfinite(problem.network.weights)
    assert finite.all()


@pytest.mark.parametrize("index", ["exhaustive", "drift"])
def test_weights_that_are_not_finite_end_training_though_no_loss_shows_it(index):
    """A neuron of NaN never fires."""
    problem = clustered_problem()
    trainer = descent_trainer(
        problem.network, problem.inputs, problem.targets, index=index, loss="softmax", learning_rate=1e300
    )
    trainer.build()
    start = held(trainer.network)
    with pytest.raises(
        TrainingError, match=r"every weight must stay finite. Got .* at learning_rate=1e\+300"
    ):
        trainer.epoch()
    assert held(trainer.network) == start
    assert trainer.history == []


@pytest.mark.parametrize("sign", [-1, 1])
def test_one_weight_that_is_infinite_ends_training_whatever_its_sign(sign):
    weights, samples = np.ones((1, 9)), np.ones((1, 9))
    samples[0, 0] = sign
    weights[0, [0, 8]] = 3e38 * sign, -3e38  # which cancel in the pre-activation
    network = TwoLayerNetwork(weights, [[1.0]], 0.0)
    trainer = descent_trainer(network, samples, [[1000.0]], index="exhaustive", learning_rate=2e35)
    trainer.build()
    start = held(network)
    with pytest.raises(TrainingError, match=f"every weight must stay finite. Got {sign * np.inf}"):
        trainer.epoch()
    assert held(network) == start


def test_weights_near_the_largest_number_are_finite():
    network = TwoLayerNetwork([[3e38], [-3e38]], [[1.0], [1.0]], 0.0)
    trainer = descent_trainer(network, [[1e-38]], [[0.0]], learning_rate=1e-3)
    trainer.build()
    assert np.isfinite(trainer.epoch().loss)


def test_training_can_go_on_at_a_smaller_rate_after_it_failed():
    """The index follows the weights back."""

    def weights_after(index):
        problem = clustered_problem(n_features=70, n_samples=200)
        trainer = descent_trainer(
            problem.network, problem.inputs, problem.targets, index=index, batch_size=8, learning_rate=200.0
        )
        trainer.build()
        train_until_failure(trainer)
        trainer.stepper.learning_rate = 1.0
        trainer.epoch()
        return problem.network.weights.tobytes()

    assert weights_after("drift") == weights_after("exhaustive")
