"""A checkpoint that is not what was written is never taken for one, whatever happened to it."""

import re
from pathlib import Path

import pytest

from corruption import corruptions, flipped
from fewfire import DataError, TwoLayerNetwork
from fewfire.training import State
from problems import clustered_problem
from trainers import descent_trainer

SOMEWHERE = Path(__file__)  # exists, and what is read is put in its place


@pytest.fixture
def checkpoints(tmp_path):
    """Two small ones of one training."""
    problem = clustered_problem(width=3, n_features=2, n_samples=6, n_outputs=1)
    trainer = descent_trainer(
        problem.network, problem.inputs, problem.targets, momentum=0.9, learning_rate=0.1
    )
    trainer.build()
    found = []
    for _ in range(2):
        trainer.epoch()
        trainer.save(tmp_path / "checkpoint")
        found.append((tmp_path / "checkpoint").read_bytes())
    return found


@pytest.fixture
def networks(tmp_path):
    found = []
    for seed in (0, 1):
        TwoLayerNetwork.initialize(3, 2, 1, seed=seed).save(tmp_path / "network")
        found.append((tmp_path / "network").read_bytes())
    return found


def complaint(load, content):
    """Why a file of this content is not loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: content)
        try:
            load(SOMEWHERE)
        except DataError as error:
            return str(error)
        except ValueError as error:
            return "" if load == State.load else str(error)
    return "none"


def assert_refused(load, message, cases):
    for what, content in cases:
        said = complaint(load, content)
        assert re.match(message, said, re.DOTALL), (what, said)


CHECKPOINT = (
    rf"a checkpoint must be a file that fewfire saved, whole and unchanged\. Got {SOMEWHERE}: .{{9,}}\. Give "
    "another one"
)
NETWORK = (
    rf"{SOMEWHERE} must be a safetensors file with weights, output_weights and threshold\. Got: .{{9,}}\. "
    "Give a model"
)


def all_flips(content):
    return ((f"bit {bit}", flipped(content, bit)) for bit in range(8 * len(content)))


def test_whole_files_are_loaded(checkpoints, networks):
    assert {complaint(State.load, content) for content in checkpoints} == {"none"}
    assert {complaint(TwoLayerNetwork.load, content) for content in networks} == {"none"}


def test_no_bit_of_a_checkpoint_may_change(checkpoints):
    assert len(checkpoints[0]) < 4000
    assert_refused(State.load, CHECKPOINT, all_flips(checkpoints[0]))


def test_thousands_of_corrupted_checkpoints_are_refused(checkpoints):
    assert_refused(State.load, CHECKPOINT, corruptions(*checkpoints, count=10_000))


def test_no_bit_of_a_network_may_change(networks):
    assert_refused(TwoLayerNetwork.load, NETWORK, all_flips(networks[0]))


def test_thousands_of_corrupted_networks_are_refused(networks):
    assert_refused(TwoLayerNetwork.load, NETWORK, corruptions(*networks, count=4000))
