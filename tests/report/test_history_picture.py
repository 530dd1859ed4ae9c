"""The picture of a run is a PNG for any history."""

import struct

import pytest

from histories import attacked, records

pytest.importorskip("matplotlib")

from fewfire.report.pictures.history import draw_history


@pytest.mark.parametrize(
    ("history", "title"),
    [
        (records(1), "one epoch"),
        (records(7), "width 65,536"),
        (records(100), "many epochs"),
        (records(3, accuracy=None), "real-valued targets"),
        (records(3, loss=0.3), "nothing changes"),
        (records(3, fire_rate=0.0, near_rate=0.0, dot_rate=0.0, work_share=0.0), "nothing fires"),
        (attacked(3, clean_accuracy=0.9, robust_accuracy=0.4), "trained against attacks"),
        (attacked(3, accuracy=None), "trained against attacks, with nothing to count"),
        (records(2), r"a path with $dollars and {\braces$"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("test_accuracy", [None, 0.5])
def test_any_history_makes_a_png(tmp_path, history, title, test_accuracy):
    draw_history(history, tmp_path / "history.png", title, test_accuracy=test_accuracy)
    content = (tmp_path / "history.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (1200, 780)
    assert content.endswith(b"IEND\xaeB`\x82")
    assert [path.name for path in tmp_path.iterdir()] == ["history.png"]


def test_the_accuracy_of_the_test_is_in_the_picture(tmp_path):
    draw_history(records(3), tmp_path / "history.svg", "title", test_accuracy=0.8765)
    drawing = (tmp_path / "history.svg").read_text()
    assert ">test 87.65%<" in drawing
    draw_history(records(3), tmp_path / "history.svg", "title")
    assert ">test " not in (tmp_path / "history.svg").read_text()


def test_a_failed_write_leaves_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "history.png"
    draw_history(records(2), path, "old")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        draw_history(records(3), path, "new")
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["history.png"]
