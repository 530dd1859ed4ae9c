"""A file is the old one or the new one, whatever goes wrong on the way."""

import os
import stat

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


def test_a_file_keeps_its_mode_and_a_link_stays(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to("real")
    write_atomically(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_a_pipe_gets_what_is_written_if_it_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=r"nothing reads this pipe yet: '.*pipe'"):
        write_atomically(pipe, "lost")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, "text", b" and bytes")
    assert os.read(reader, 100) == b"text and bytes"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_device_stays_a_device():
    write_atomically("/dev/null", "text")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_standard_stream_that_leads_into_a_file_is_added_to(tmp_path):
    with open(tmp_path / "file", "w") as file:
        file.write("before\n")
        file.flush()
        write_atomically(f"/dev/fd/{file.fileno()}", "after\n")
    assert (tmp_path / "file").read_text() == "before\nafter\n"


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("ä" * 127)  # 254 bytes
    write_atomically(path, "text")
    assert path.read_text() == "text"


@pytest.mark.parametrize(
    ("name", "message"), [("", "it is a folder"), ("absent/file", "the folder .*absent does not exist")]
)
def test_an_error_names_the_path_that_was_given(tmp_path, name, message):
    with pytest.raises(OSError, match=message) as caught:
        write_atomically(tmp_path / name, "text")
    assert caught.value.filename == str(tmp_path / name)
