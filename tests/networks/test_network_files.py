"""Networks on disk: bit for bit, whole or absent, and clear about files that are something else."""

import errno
import os
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fewfire import MemoryLimitError, TwoLayerNetwork
from fewfire.system.files import write_atomically


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_a_network_comes_back_bit_for_bit(path, dtype):
    network = TwoLayerNetwork.initialize(100, 17, 3, threshold=0.1, dtype=dtype)
    network.weights[0, :4] = [-0.0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max, 1 / 3]
    network.save(path)
    loaded = TwoLayerNetwork.load(path)
    assert loaded.layer.weight_rows.tobytes() == network.layer.weight_rows.tobytes()
    assert loaded.output_rows.tobytes() == network.output_rows.tobytes()
    assert loaded.threshold == network.threshold
    assert loaded.dtype == network.dtype


def test_paths_may_be_texts(path):
    TwoLayerNetwork.initialize(2, 2, 1).save(str(path))
    assert TwoLayerNetwork.load(str(path)).width == 2


def test_the_file_holds_the_parameters_without_padding(path):
    TwoLayerNetwork.initialize(5, 17, 3).save(path)
    shapes = {name: tensor.shape for name, tensor in load_file(path).items()}
    assert shapes == {"weights": (5, 17), "output_weights": (5, 3), "threshold": (), "scale": ()}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a model, but long enough to hold a header", id="foreign"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(100), id="picture"),
    ],
)
def test_a_foreign_file_is_a_clear_error(path, content):
    path.write_bytes(content)
    message = re.escape(
        f"{path} must be a safetensors file with weights, output_weights and threshold. Got: "
    )
    with pytest.raises(ValueError, match=message + ".* Give a model that fewfire saved"):
        TwoLayerNetwork.load(path)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_a_clear_error(path, share):
    TwoLayerNetwork.initialize(100, 17, 3).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        ValueError, match="must be a safetensors file with weights, output_weights and threshold"
    ):
        TwoLayerNetwork.load(path)


@pytest.mark.parametrize("missing", ["weights", "output_weights", "threshold"])
def test_a_file_of_other_tensors_is_an_error_that_names_the_missing_one(path, missing):
    TwoLayerNetwork.initialize(2, 2, 1).save(path)
    save_file({name: tensor for name, tensor in load_file(path).items() if name != missing}, path)
    with pytest.raises(ValueError, match=f"Got: '{missing}'. Give a model that fewfire saved"):
        TwoLayerNetwork.load(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"weights": np.ones((3, 2), np.float32)}, "with the same m", id="widths"),
        pytest.param(
            {"weights": np.ones((2, 2), np.float16)}, "dtype must be float32 or float64", id="dtype"
        ),
        pytest.param({"threshold": np.array(-1.0)}, "threshold must be a finite number >= 0", id="threshold"),
        pytest.param({"threshold": np.ones(2)}, "must be a safetensors file with weights", id="thresholds"),
    ],
)
def test_a_file_with_unusable_parameters_is_a_clear_error(path, changed, message):
    TwoLayerNetwork.initialize(2, 2, 1).save(path)
    save_file(load_file(path) | changed, path)
    with pytest.raises(ValueError, match=message):
        TwoLayerNetwork.load(path)


def test_a_missing_file_is_reported_as_missing(path):
    with pytest.raises(FileNotFoundError):
        TwoLayerNetwork.load(path)


def test_a_crash_while_saving_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    TwoLayerNetwork.initialize(2, 2, 1, seed=0).save(path)
    before = path.read_bytes()

    def crash(*_):
        raise OSError(errno.ENOSPC, "the disk is full", "temporary", None, "there")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, crash)
            with pytest.raises(OSError, match="the disk is full") as failed:
                TwoLayerNetwork.initialize(2, 2, 1, seed=1).save(path)
        assert str(failed.value) == f"[Errno {errno.ENOSPC}] the disk is full: {str(path)!r}"
        assert path.read_bytes() == before
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_saving_replaces_the_old_file(path):
    for seed in (0, 1):
        network = TwoLayerNetwork.initialize(2, 2, 1, seed=seed)
        network.save(path)
        np.testing.assert_array_equal(TwoLayerNetwork.load(path).weights, network.weights)


def test_texts_are_written_as_utf8(tmp_path):
    write_atomically(tmp_path / "note.txt", "Bär")
    assert (tmp_path / "note.txt").read_bytes() == "Bär".encode()


@pytest.mark.parametrize(
    "weights",
    [
        np.ones((2, 3), np.int32),
        np.ones((2, 3), np.float16),
        np.full((2, 3), np.nan, np.float32),
        np.ones(2, np.float32),
    ],
    ids=["int32", "float16", "nan", "one dimension"],
)
def test_weights_that_are_none_are_an_error_that_names_the_file(path, weights):
    TwoLayerNetwork.initialize(2, 3, 1).save(path)
    save_file({**load_file(path), "weights": weights}, path)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} must be .* Got: .* Give a model"):
        TwoLayerNetwork.load(path)


def test_a_file_beyond_the_memory_is_refused_before_it_is_read(path):
    with open(path, "wb") as file:
        file.write((1 << 44).to_bytes(8, "little"))
        file.truncate(1 << 42)  # a hole: it takes no room on the disk
    with pytest.raises(
        MemoryLimitError, match=f"must fit in memory twice. Got {1 << 42} bytes, .* in .*model"
    ):
        TwoLayerNetwork.load(path)


def test_a_header_that_claims_more_than_the_file_is_refused(path):
    header = b'{"weights":{"dtype":"F32","shape":[100000,100000],"data_offsets":[0,40000000000]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} must be .* not in the format safetensors"):
        TwoLayerNetwork.load(path)
