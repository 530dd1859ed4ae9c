"""A file is the old one or the new one, whatever goes wrong on the way."""

import os

import pytest

from fewfire.system.files import write_atomically


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    write_atomically(tmp_path / "text", "größer\n")
    write_atomically(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == "größer\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    write_atomically(str(tmp_path / "text"), "new")
    assert (tmp_path / "text").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bytes", "text"]


@pytest.mark.parametrize("step", ["replace", "fsync"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("before", ["old", None])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, step, failure, before):
    path = tmp_path / "file"
    if before is not None:
        path.write_text(before)

    def fail(*_):
        raise failure

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(failure)):
        write_atomically(path, "new")
    left = {found.name: found.read_text() for found in tmp_path.iterdir()}
    assert left == ({} if before is None else {"file": before})


def test_text_that_cannot_be_encoded_leaves_what_was_there(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "file", "\udc80")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_a_file_is_never_seen_half_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")
    replace = os.replace

    def look_then_replace(source, target):
        assert (tmp_path / "file").read_text() == "old"
        assert os.path.dirname(source) == os.path.dirname(target)  # one file system: the move is atomic
        replace(source, target)

    monkeypatch.setattr(os, "replace", look_then_replace)
    write_atomically(tmp_path / "file", "new" * 100_000)
    assert (tmp_path / "file").read_text() == "new" * 100_000
