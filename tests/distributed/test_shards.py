"""One network on several processes: the bits of one, whatever happens to the processes meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewfire import GradientDescent, Inputs, Trainer, TwoLayerNetwork
from fewfire.errors import DataError, TrainingError
from fewfire.indexes import DriftIndex, ExhaustiveIndex, HashingIndex

pytest.importorskip("torch")
from fewfire.distributed import Group, Shard, ShardTrainer, checkpoints, joined
from fewfire.training.checkpoint import State
from fewfire.training.problem import Problem

pytest.importorskip("sklearn", reason="the digits need scikit-learn")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
TRAIN = ["-m", "fewfire.distributed", "train", "digits", "--learning-rate", "50", "--width", "4096",
         "--batch-size", "128", "--threads", "1"]  # fmt: skip
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


class Part(Group):
    """One of several processes that were never started: what it gathers is its own, and zeros."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def command(processes, out, *options):
    return [*TORCHRUN, str(processes), "--max-restarts", "3", *TRAIN, "--out", str(out), *map(str, options)]


def trained(processes, out, *options):
    """What training on so many processes ends with."""
    done = subprocess.run(
        command(processes, out, *options), env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def digits():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    rows = pixels - pixels.mean(axis=0)
    inputs = Inputs.of((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    return inputs, np.eye(10, dtype=np.float32)[labels]


def shard_of(group=None, **settings):
    return Shard.draw(4096, 64, 10, group or Group(), **{"fire_rate": 0.03, **settings})


def trainer_of(shard, index=None, **settings):
    inputs, targets = digits()
    problem = Problem.of(shard, inputs, targets, batch_size=256)
    return ShardTrainer(problem, GradientDescent(learning_rate=20.0, **settings), index or DriftIndex())


@pytest.mark.parametrize("rule", [{}, {"momentum": 0.9, "train_output_weights": True}])
def test_one_process_has_the_bits_of_the_trainer(rule):
    sharded = trainer_of(shard_of(), **rule)
    shard = sharded.network
    alone = TwoLayerNetwork(shard.weights, shard.output_weights, shard.threshold)
    problem = Problem.of(alone, *digits(), batch_size=256)
    trainer = Trainer(problem, GradientDescent(learning_rate=20.0, **rule), ExhaustiveIndex())
    for each in (sharded, trainer):
        each.build()
        for _ in range(2):
            each.epoch()
    assert shard.weights.tobytes() == alone.weights.tobytes()
    assert shard.output_weights.tobytes() == alone.output_weights.tobytes()
    assert [one.loss for one in sharded.history] == [one.loss for one in trainer.history]


def test_an_approximate_index_is_refused():
    with pytest.raises(ValueError, match="must train through an exact index.* Got 'hashing'"):
        trainer_of(shard_of(), HashingIndex())


@pytest.mark.parametrize("init", ["gaussian", "structured"])
@pytest.mark.parametrize("size", [2, 8])
def test_a_process_draws_its_part_of_the_same_network(init, size):
    whole = shard_of(init=init)
    parts = [shard_of(Part(rank, size), init=init) for rank in range(size)]
    assert np.concatenate([part.weights for part in parts]).tobytes() == whole.weights.tobytes()
    outputs = np.concatenate([part.output_weights for part in parts])
    assert outputs.tobytes() == whole.output_weights.tobytes()
    assert {part.scale for part in parts} == {whole.scale} == {4096**-0.5}
    assert [part.first for part in parts] == [rank * 4096 // size for rank in range(size)]
    if init == "structured":
        assert all(part.layer.structure.made(part.layer.weight_rows) for part in parts)


@pytest.mark.parametrize("size", [2, 4])
def test_group_sums_of_parts_are_those_of_the_whole(size):
    whole, (inputs, _) = shard_of(), digits()
    batch, said = inputs.batch(np.arange(200)), []

    class Listening(Part):
        def gathered(self, part):
            said.append(part.copy())
            return np.zeros((self.size * len(part), part.shape[1]), part.dtype)

    class Answering(Part):
        def gathered(self, part):
            return np.concatenate(said)

    def ask(shard):
        index = ExhaustiveIndex()
        index.build(shard.layer)
        return shard.outputs(index.fire_set(batch))

    for rank in range(size):
        ask(shard_of(Listening(rank, size)))
    for rank in range(size):
        assert ask(shard_of(Answering(rank, size))).tobytes() == ask(whole).tobytes()


def test_checkpoints_go_on_with_the_same_bits(tmp_path):
    longer, shorter, again = (trainer_of(shard_of(), momentum=0.9) for _ in range(3))
    longer.build()
    for _ in range(3):
        longer.epoch()
    shorter.build()
    shorter.epoch()
    checkpoints.save(shorter, tmp_path)
    shorter.epoch()
    checkpoints.save(shorter, tmp_path)
    assert [place.name for place in tmp_path.iterdir()] == ["epoch-00002"]
    checkpoints.restore(again, checkpoints.latest(tmp_path))
    assert len(again.history) == 2
    again.epoch()
    assert again.network.weights.tobytes() == longer.network.weights.tobytes()
    assert joined(tmp_path).weights.tobytes() == shorter.network.weights.tobytes()


def test_a_damaged_checkpoint_is_refused(tmp_path):
    trainer = trainer_of(shard_of())
    trainer.build()
    trainer.epoch()
    checkpoints.save(trainer, tmp_path)
    place = checkpoints.latest(tmp_path)
    (shard,) = place.glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DataError, match="cut off or changed"):
        checkpoints.restore(trainer_of(shard_of()), place)
    shard.unlink()
    with pytest.raises(DataError, match="must be a file that fewfire saved"):
        joined(tmp_path)
    (place / checkpoints.MANIFEST).unlink()
    assert checkpoints.latest(tmp_path) is None
    with pytest.raises(DataError, match="must hold a manifest.json"):
        joined(tmp_path)


@pytest.mark.parametrize(("whole", "size"), [(4096, 3), (4100, 2), (64, 2), (4096, 128)])
def test_neurons_that_cannot_be_shared_out_are_refused(whole, size):
    with pytest.raises(ValueError, match=f"Got width {whole} and {size} processes. Use a power of two from"):
        Shard.draw(whole, 64, 10, Part(0, size))


def test_batches_whose_groups_would_be_cut_are_refused():
    """Outputs so many that the whole is summed in one group, of which no process has all."""
    shard = Shard.draw(4096, 64, 4000, Part(0, 2), fire_rate=0.03)
    index, inputs = ExhaustiveIndex(), Inputs.of(np.ones((2100, 64)))
    index.build(shard.layer)
    with pytest.raises(ValueError, match="Got 2100 samples, 1 groups of 4096 neurons and 2 processes"):
        shard.outputs(index.fire_set(inputs))


def test_shards_of_two_trainings_are_no_checkpoint(tmp_path):
    for seed in (0, 1):
        trainer = trainer_of(shard_of(seed=seed))
        trainer.build()
        trainer.epoch()
        checkpoints.save(trainer, tmp_path / str(seed))
    place = checkpoints.latest(tmp_path / "0")
    whole = json.loads((place / checkpoints.MANIFEST).read_text())
    (shard,) = whole["shards"]
    halves = [{**shard, "end": 2048}, {**shard, "first": 2048}]
    for shards in ([], halves[:1], halves[1:], [shard, shard], None):
        (place / checkpoints.MANIFEST).write_text(json.dumps({**whole, "shards": shards}))
        with pytest.raises(DataError, match="must be a folder that fewfire.distributed wrote"):
            joined(tmp_path / "0")
    other = next(checkpoints.latest(tmp_path / "1").glob("*.safetensors"))
    (place / "other.safetensors").write_bytes(other.read_bytes())
    halves[1]["file"] = "other.safetensors"
    (place / checkpoints.MANIFEST).write_text(json.dumps({**whole, "shards": halves}))
    terms = State.load(place / "other.safetensors")
    replace(terms, terms=terms.terms | {"seed": 1}).save(place / "other.safetensors")
    with pytest.raises(DataError, match="must be of one training"):
        joined(tmp_path / "0")


def test_unknown_initial_weights_are_refused():
    with pytest.raises(ValueError, match="init must be one of"):
        shard_of(init="gausian")


def test_processes_that_train_different_things_are_told_which():
    class Disagreeing(Part):
        def told(self, mine):
            return [mine, {**mine, "seed": 5}]

    with pytest.raises(TrainingError, match="Got seed = 0 in process 0 and 5 in process 1"):
        trainer_of(shard_of(Disagreeing(0, 2)))


@pytest.mark.slow
def test_any_number_of_processes_ends_with_the_same_weights(tmp_path):
    one = trained(1, tmp_path / "1", "--epochs", 3)
    four = trained(4, tmp_path / "4", "--epochs", 3)
    first = trained(2, tmp_path / "2", "--epochs", 2)
    shared_anew = trained(1, tmp_path / "2", "--epochs", 3)
    assert one["weights_sha256"] == four["weights_sha256"] == shared_anew["weights_sha256"]
    assert first["weights_sha256"] != one["weights_sha256"]
    assert one["test_accuracy"] == four["test_accuracy"] > 0.85


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes in /proc")
def test_a_killed_process_costs_no_bits(tmp_path):
    expected = trained(1, tmp_path / "whole", "--epochs", 30)
    out = tmp_path / "killed"
    running = subprocess.Popen(
        command(2, out, "--epochs", 30), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    before = None
    for rank in (0, 1):  # which torchrun starts anew in the store of those that were killed
        while (place := checkpoints.latest(out)) == before:
            assert running.poll() is None
            time.sleep(0.01)
        before = place
        os.kill(_children(running.pid)[rank], signal.SIGKILL)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    assert said.count("going on after epoch") == 2
    assert json.loads(said.splitlines()[-1])["weights_sha256"] == expected["weights_sha256"]


def _children(pid):
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
