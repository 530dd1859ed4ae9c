"""`fewfire study scaling`: what it leaves, that its figures agree, and that it keeps its time."""

import csv
import json
from dataclasses import replace

import pytest

import fewfire.cli.study as study_module
import fewfire.diagnose.scaling as scaling_study
from command import Ended, fewfire
from fewfire.diagnose.scaling import EXACT, Point, exponent, fits, markdown_table, sweep

PICTURES = {f"{name}.{kind}" for name in ("work", "seconds") for kind in ("png", "svg")}
FILES = {"points.csv", "table.md", "summary.json"} | PICTURES
TINY = {"m": [256, 512], "n": [16, 32], "d": [2, 4]}


def study(out, *options) -> Ended:
    return fewfire("study", "scaling", "--quick", "--threads", 2, "--out", out, *options)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(study_module, "QUICK_SWEEPS", TINY)
    monkeypatch.setattr(scaling_study, "BASE", {"m": 256, "n": 16, "d": 4})


def point(size: int, work: float, seconds: float = 1.0) -> Point:
    return Point("drift", "m", size, 16, 4, work, work, work, work, 0.5, seconds, 0.0, 0)


def test_a_study_leaves_all_files_and_one_object(tmp_path):
    ended = study(tmp_path / "run", "--json")
    assert ended.code == 0, ended.err
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    assert ended.figures == json.loads((tmp_path / "run" / "summary.json").read_text())
    rows = ended.figures["fits"]
    assert {(row["axis"], row["index"]) for row in rows} == {(a, i) for a in TINY for i in EXACT}
    with open(tmp_path / "run" / "points.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == sum(len(row["sizes"]) for row in rows)


def test_the_exhaustive_index_asks_about_all_pairs_and_all_indexes_find_the_same(tmp_path):
    study(tmp_path / "run")
    with open(tmp_path / "run" / "points.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["index"] == "exhaustive":
            m, n, d = (int(row[name]) for name in "mnd")
            assert float(row["find_multiply_adds"]) >= m * n * d
            assert float(row["find_multiply_adds"]) + float(row["fired"]) * d == pytest.approx(
                float(row["multiply_adds"])
            )
    fired = {}
    for row in rows:
        fired.setdefault(tuple(row[name] for name in "mnd"), set()).add(row["fired"])
    assert all(len(counts) == 1 for counts in fired.values())


def test_what_a_person_reads(tmp_path):
    ended = study(tmp_path / "run")
    assert ended.err == ""
    lines = [line for line in ended.out.splitlines() if "saved in" not in line]
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith(tuple(f"{axis}  " for axis in TINY)) for line in lines) == 3 * len(EXACT)
    assert f"saved in          {tmp_path / 'run'}\n" in ended.out


def test_exponents_are_those_of_powers():
    points = [point(size, size**0.8, size**1.5) for size in (100, 200, 400)]
    assert exponent(points, "multiply_adds") == pytest.approx(0.8)
    (row,) = fits(points)
    assert row["work"] == pytest.approx(0.8)
    assert row["seconds"] == pytest.approx(1.5)
    assert "| m | drift | 100 .. 400 | 0.80 | 0.80 | 1.50 |" in markdown_table([row])


def test_what_a_paper_claims_stands_beside_what_was_measured():
    (row,) = fits([replace(point(size, size), index="grover") for size in (100, 200)])
    assert "| m | grover | 100 .. 200 | 1.00 | 1.00 | 0.00 | 9/10 |" in markdown_table([row])


def test_one_point_has_no_exponent():
    assert exponent([point(100, 5)], "multiply_adds") is None
    assert exponent([point(100, 0), point(200, 0)], "multiply_adds") is None
    (row,) = fits([point(100, 5)])
    assert "|  |  |  |" in markdown_table([row])


def test_a_sweep_ends_before_its_time_does(monkeypatch):
    now = [0.0]

    def measured(index, axis, sizes, seed):
        now[0] += sizes["m"]
        return point(sizes["m"], 1.0)

    monkeypatch.setattr(scaling_study, "perf_counter", lambda: now[0])
    monkeypatch.setattr(scaling_study, "measure", measured)
    points = list(sweep("drift", "m", [1, 2, 4, 8, 16], 0, budget=16))
    assert [point.m for point in points] == [1, 2, 4, 8]  # 15 of 16 seconds


def test_without_matplotlib_a_study_lacks_its_pictures_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("fewfire.report.pictures.find_spec", lambda name: None)
    ended = study(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES - PICTURES
    assert "No pictures without matplotlib" in ended.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seed", -1), "fewfire: --seed must be >= 0. Got -1. Leave it out for the default."),
        (("--threads", 0), "fewfire: --threads must be >= 1. Got 0. Leave it out for the default."),
    ],
)
def test_a_bad_option_is_explained(tmp_path, options, message):
    ended = study(tmp_path / "run", *options)
    assert (ended.code, ended.message) == (2, message)
    assert not (tmp_path / "run").exists()


def test_a_folder_with_files_is_not_written_to(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    ended = study(tmp_path)
    assert ended.code == 2
    assert "the output folder must be new or empty" in ended.message
