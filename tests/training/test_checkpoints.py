"""Checkpoints: training goes on with the same bits, and takes nothing but its own."""

import dataclasses
import pickle
import re
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fewfire
from fewfire import DataError, Inputs, TrainingError
from fewfire.system import tensors
from fewfire.system.machine import use_instruction_set
from fewfire.training import Cosine, State, StepDecay, checkpoint
from problems import clustered_problem
from trainers import descent_trainer, gauss_newton_trainer

EPOCHS = 4
PLAIN = {"batch_size": 16, "learning_rate": 0.5}
SGD = {
    "plain": {},
    "cosine, both layers": {"schedule": Cosine(EPOCHS), "train_output_weights": True, "loss": "softmax"},
    "step decay": {"schedule": StepDecay(every=1, gamma=0.5)},
    "heavy ball": {"momentum": 0.9, "schedule": Cosine(EPOCHS)},
    "nesterov, decay": {
        "momentum": 0.8,
        "nesterov": True,
        "weight_decay": 1e-3,
        "train_output_weights": True,
    },
    "decay alone": {"weight_decay": 1e-3},
    "auto rate and index": {"learning_rate": "auto", "index": "auto"},
    "float64": {"dtype": np.float64},
}
GAUSS_NEWTON = {
    "one step an epoch": {},
    "ridge": {"ridge": 0.1},
    "ridge, batches": {"ridge": 0.1, "batch_size": 20},
    "softmax, batches": {"loss": "softmax", "batch_size": 20, "preconditioner": "shared"},
}
WAYS = {f"sgd: {name}": (descent_trainer, PLAIN | settings) for name, settings in SGD.items()} | {
    f"gauss-newton: {name}": (gauss_newton_trainer, settings) for name, settings in GAUSS_NEWTON.items()
}


def made(way, **others):
    """A trainer on a problem of its own."""
    kind, settings = WAYS[way]
    settings = {"index": "drift"} | settings | others
    problem = clustered_problem(dtype=settings.pop("dtype", np.float32))
    return kind(problem.network, problem.inputs, problem.targets, **settings)


def trained(trainer, epochs=EPOCHS):
    """After so many epochs; the index is built only where it never was, so that what it knows is used."""
    if not trainer.history:
        trainer.build()
    while len(trainer.history) < epochs:
        trainer.epoch()
    return trainer


def held(trainer):
    """All bits that training has changed."""
    return {name: rows.tobytes() for name, rows in trainer.state().rows.items()}


def what_happened(trainer):
    """The history, but for what depends on the machine and on the index."""
    names = ("epoch", "steps", "learning_rate", "loss", "accuracy", "fire_rate", "damping", "actual")
    return [{name: getattr(record, name, None) for name in names} for record in trainer.history]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("index", ["drift", "exhaustive"])
def test_training_goes_on_with_the_same_bits(tmp_path, way, index):
    undisturbed = trained(made(way))
    path = tmp_path / "checkpoint"
    for _ in range(EPOCHS):  # each epoch by a trainer of its own
        trainer = made(way, index=index)
        if path.exists():
            trainer.restore(path)
        trained(trainer, len(trainer.history) + 1)
        trainer.save(path)
    assert held(trainer) == held(undisturbed)
    assert trainer.steps_taken == undisturbed.steps_taken
    fire_rates = [record.pop("fire_rate") for record in what_happened(trainer)]
    assert np.allclose(fire_rates, [record.fire_rate for record in undisturbed.history], rtol=0.2)
    for one, other in zip(what_happened(trainer), what_happened(undisturbed), strict=True):
        del one["fire_rate"], other["fire_rate"]  # a trainer that begins asks about its first batch too
        assert one == other


@pytest.mark.parametrize("way", WAYS)
def test_what_a_trainer_has_done_before_is_forgotten(way):
    state = pickle.loads(pickle.dumps(trained(made(way), 2).state()))
    again = trained(made(way), 1)
    again.restore(state)
    assert held(trained(again)) == held(trained(made(way)))


def test_all_weights_are_replaced_those_that_a_ridge_draws_to_as_well():
    way = "gauss-newton: ridge"
    problem = clustered_problem()
    problem.network.weights[:] *= 1.5
    again = gauss_newton_trainer(problem.network, problem.inputs, problem.targets, **WAYS[way][1])
    again.restore(trained(made(way), 2).state())
    assert held(trained(again)) == held(trained(made(way)))


def test_the_state_of_an_epoch_that_was_interrupted_is_that_of_its_beginning(tmp_path):
    way = "sgd: nesterov, decay"
    undisturbed = trained(made(way))
    trainer = trained(made(way), 2)
    before, figures = held(trainer), what_happened(trainer)

    def interrupt(done, steps):
        if done == 2:
            assert not trainer.network.layer.velocities.settled
            assert held(trainer) == before  # and the state is asked for without settling anything
            assert not trainer.network.layer.velocities.settled
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.epoch(interrupt)
    assert held(trainer) == before
    trainer.save(tmp_path / "checkpoint")
    again = made(way)
    again.restore(tmp_path / "checkpoint")
    assert (held(again), what_happened(again)) == (before, figures)
    assert held(trained(again)) == held(undisturbed)
    trainer.restore(tmp_path / "checkpoint")  # the one that was interrupted, too
    assert held(trained(trainer)) == held(undisturbed)


def test_the_state_after_a_failed_epoch_is_that_before_it():
    trainer = trained(made("sgd: heavy ball"), 1)
    before, rate = held(trainer), trainer.stepper.learning_rate
    trainer.stepper.learning_rate = 1e30
    with pytest.raises(TrainingError):
        trainer.epoch()
    trainer.stepper.learning_rate = rate
    assert held(trainer) == before
    assert held(trained(trainer)) == held(trained(made("sgd: heavy ball")))


def test_a_restored_trainer_that_was_built_is_built_again():
    trainer = trained(made("sgd: plain"), 2)
    state = pickle.loads(pickle.dumps(trainer.state()))  # a copy
    undisturbed = held(trained(trainer))
    for index in ("drift", "weight_tree", "correlation_tree_by_sample"):
        other = trained(made("sgd: plain", index=index), 1)
        other.restore(state)
        assert [record.epoch for record in other.history] == [1, 2]
        assert held(trained(other)) == undisturbed


def test_a_state_between_two_epochs_holds_rows_that_are_settled():
    trainer = made("sgd: heavy ball")
    trainer.build()
    batches = trainer.problem.batches(1)
    for ids in batches[:3]:
        trainer.step(ids)
    assert not trainer.network.layer.velocities.settled
    present = trainer.network.layer.present_rows()
    state = pickle.loads(pickle.dumps(trainer.state()))
    np.testing.assert_array_equal(state.rows["weights"], present)
    again = made("sgd: heavy ball")
    again.restore(state)
    for one in (trainer, again):
        one.step(batches[3])
    assert held(again) == held(trainer)


def test_work_is_counted_on(tmp_path):
    for index in ("drift", "auto", "grover"):
        trainer = trained(made("sgd: plain", index=index), 2)
        trainer.save(tmp_path / index)
        again = made("sgd: plain", index=index)
        again.restore(tmp_path / index)
        again.build()
        assert again.index.work.fired == trainer.index.work.fired
        assert again.index.work.asked == trainer.index.work.asked
        again.epoch()
        assert again.index.work.asked > trainer.index.work.asked


def test_saving_needs_no_copy_of_the_weights(tmp_path):
    tracemalloc.start()
    network = clustered_problem(width=40_000).network  # 5 MB
    trainer = descent_trainer(
        network, *(getattr(clustered_problem(), part) for part in ("inputs", "targets"))
    )
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    trainer.save(tmp_path / "checkpoint")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "checkpoint").stat().st_size > 5e6
    assert peak - before < 1e6


# What is refused


OTHERS = {
    "method": lambda problem: gauss_newton_trainer(problem.network, problem.inputs, problem.targets),
    "training_data": lambda problem: descent_trainer(
        problem.network, Inputs.of(problem.inputs.samples[::-1]), problem.targets, **PLAIN
    ),
    "width": lambda problem: descent_trainer(
        clustered_problem(width=299).network, problem.inputs, problem.targets, **PLAIN
    ),
    "training_data ": lambda problem: descent_trainer(
        problem.network, problem.inputs, problem.targets, sample_weight=np.arange(50.0), **PLAIN
    ),
    "threshold": lambda problem: descent_trainer(
        clustered_problem(threshold=0.7).network, problem.inputs, problem.targets, **PLAIN
    ),
    "batch_size": 17,
    "learning_rate": 0.25,
    "loss": "softmax",
    "schedule": Cosine(2),
    "momentum": 0.5,
    "weight_decay": 0.01,
    "train_output_weights": True,
    "seed": 1,
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_state_of_another_training_is_refused_and_changes_nothing(tmp_path, name):
    trained(made("sgd: plain"), 1).save(tmp_path / "checkpoint")
    problem, other = clustered_problem(), OTHERS[name]
    if callable(other):
        trainer = other(problem)
    else:
        trainer = descent_trainer(problem.network, problem.inputs, problem.targets, **PLAIN | {name: other})
    before = held(trainer)
    with pytest.raises(
        DataError,
        match=rf"belongs to another training run: .*checkpoint was saved with {name.strip()} = "
        r".*, but the trainer has .*\. Use the data and settings it was saved with, or start again",
    ):
        trainer.restore(tmp_path / "checkpoint")
    assert held(trainer) == before
    assert trainer.history == []


@pytest.mark.parametrize("name", ["ridge", "tolerance", "preconditioner"])
def test_gauss_newton_training_of_other_settings_is_refused(name):
    other = {"ridge": 0.5, "tolerance": 0.5, "preconditioner": "shared"}[name]
    state = made("gauss-newton: ridge").state()
    with pytest.raises(DataError, match=f"was saved with {name} = "):
        made("gauss-newton: ridge", **{name: other}).restore(state)


def test_bits_of_an_instruction_set_without_fused_multiply_add_are_others():
    state = trained(made("sgd: plain"), 1).state()
    use_instruction_set("base")
    if state.terms["fused_multiply_add"]:
        with pytest.raises(DataError, match="was saved with fused_multiply_add = True"):
            made("sgd: plain").restore(state)


STRANGE = {
    "other numbers": ({"progress": {"numbers": {"steps": 1}, "work": {}}}, "the numbers steps"),
    "other work": (
        {"progress": {"numbers": {"steps_taken": 1, "finished": False}, "work": {"idle": 1}}}, "idle"
    ),
    "other figures": ({"history": [{"epoch": 1}]}, "missing"),
    "no weights": ({"rows": {}}, "weights"),
    "other shapes": (
        {"rows": {name: np.zeros((3, 16), np.float32) for name in ("weights", "output_weights")}},
        r"weights of shape \(3, 16\), not \(300, 32\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGE)
def test_a_state_that_is_not_what_this_version_keeps_is_refused(case):
    changed, message = STRANGE[case]
    trainer = made("sgd: plain")
    state = dataclasses.replace(trained(made("sgd: plain"), 1).state(), **changed)
    before = held(trainer)
    with pytest.raises(
        DataError,
        match=rf"a checkpoint must hold what this version of fewfire needs\. Got a state of this process: "
        rf".*{message}.*\. Go on with the version that wrote it, or train anew\.",
    ):
        trainer.restore(state)
    assert held(trainer) == before


# What is no checkpoint


def refused(path, why):
    with pytest.raises(
        DataError,
        match=r"a checkpoint must be a file that fewfire saved, whole and unchanged\. Got "
        rf"{re.escape(str(path))}: .*{why}.*\. Give another one, or train anew\.",
    ):
        State.load(path)


def test_files_that_are_no_checkpoint_are_named(tmp_path):
    path = tmp_path / "checkpoint"
    refused(path, "No such file")
    refused(tmp_path, "Is a directory")
    clustered_problem().network.save(path)
    refused(path, "a file that is no fewfire checkpoint but 'fewfire network'")
    save_file({"weights": np.ones(3)}, path)
    refused(path, "a file without 'progress'")
    save_file({"weights": np.ones(3)}, path, {"framework": "another"})
    refused(path, "a file that is no fewfire checkpoint but None")
    for content in (
        b"",
        b"\x00" * 7,
        b"PK\x03\x04" + bytes(100),
        b"{}" * 50,
        b"\x08" + bytes(7) + b"nonsense",
    ):
        path.write_bytes(content)
        refused(path, "")
    path.write_bytes((60_000).to_bytes(8, "little") + b"[" * 60_000)
    refused(path, "not in the format safetensors")


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_of_the_format_is_named(tmp_path, monkeypatch, version):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "VERSION", version)
        patch.setattr(tensors, "__version__", "7.8.9")
        made("sgd: plain").save(tmp_path / "checkpoint")
    refused(
        tmp_path / "checkpoint",
        rf"version {version} of the format, written by fewfire 7\.8\.9, where this fewfire "
        rf"\({re.escape(fewfire.__version__)}\) reads version 2 alone",
    )


def test_a_file_that_was_cut_off_is_told_from_one_that_was_changed(tmp_path):
    path = tmp_path / "checkpoint"
    made("sgd: plain").save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    refused(path, r"57,599 bytes of arrays in place of 57600: the file was cut off or changed")
    path.write_bytes(content[:100])
    refused(path, "100 bytes, with no whole header")
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused(path, "another checksum than when it was written: the file was changed")


def test_arrays_and_notes_come_back(tmp_path):
    arrays = {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
        "number": np.array(0.1),
        "none": np.zeros((0, 4)),
        "ids": np.arange(3, dtype=np.int32),
    }
    tensors.write_tensors(tmp_path / "file", "a kind", arrays, {"note": "größer " + "0" * 64})
    back, metadata = tensors.read_tensors(tmp_path / "file", "a kind")
    assert metadata["note"] == "größer " + "0" * 64
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in back.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()
    }
    assert {name: a.tobytes() for name, a in load_file(tmp_path / "file").items()} == {
        name: a.tobytes() for name, a in arrays.items()
    }  # any reader of safetensors can
