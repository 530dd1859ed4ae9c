"""The loop over epochs: when it stops, and who is called."""

import numpy as np
import pytest

from fewfire.training import Observer, Observers, train_epochs
from problems import clustered_problem
from trainers import descent_trainer, gauss_newton_trainer


class Listener(Observer):
    """Writes down its calls, and stops training after some epochs."""

    def __init__(self, most=100):
        self.most, self.calls = most, []

    def built(self, share):
        self.calls.append("built")

    def started(self, trainer):
        self.calls.append("started")

    def stepped(self, done, steps):
        self.calls.append((done, steps))

    def epoch_done(self, record, trainer):
        assert trainer.history[-1] == record
        self.calls.append(f"epoch {record.epoch}")
        return record.epoch >= self.most


def trainer_of(**settings):
    problem = clustered_problem()
    settings = {"batch_size": -(-len(problem.inputs) // 2)} | settings
    return descent_trainer(problem.network, problem.inputs, problem.targets, **settings)


def test_an_observer_hears_of_the_build_each_step_and_each_epoch():
    listener, trainer = Listener(), trainer_of()
    train_epochs(trainer, 2, listener)
    heard = [call for call in listener.calls if call != "built"]
    assert heard == ["started", (1, 2), (2, 2), "epoch 1", (1, 2), (2, 2), "epoch 2"]
    train_epochs(trainer, 2)
    assert len(trainer.history) == 2


def test_training_stops_where_any_observer_says_so_and_all_are_told():
    early, late, trainer = Listener(most=2), Listener(), trainer_of()
    train_epochs(trainer, 9, Observers(early, late))
    assert len(trainer.history) == 2
    assert early.calls == late.calls


def test_training_stops_where_the_trainer_is_finished():
    problem = clustered_problem()
    trainer = gauss_newton_trainer(problem.network, problem.inputs, problem.targets)
    train_epochs(trainer, 100)
    assert trainer.finished
    assert len(trainer.history) < 100


def test_ctrl_c_leaves_the_weights_as_they_were_at_the_last_step():
    class Interrupting(Observer):
        def stepped(self, done, steps):
            if trainer.steps_taken == 3:
                assert not trainer.network.layer.velocities.settled
                self.present = trainer.network.layer.present_weights()
                raise KeyboardInterrupt

    trainer, observer = trainer_of(momentum=0.9), Interrupting()
    with pytest.raises(KeyboardInterrupt):
        train_epochs(trainer, 9, observer)
    assert np.array_equal(trainer.network.weights, observer.present)
