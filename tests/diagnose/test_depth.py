"""What becomes of signals from layer to layer, measured and in theory."""

import csv
import json

import numpy as np
import pytest

from command import fewfire
from deep import deep_problem
from fewfire.diagnose.depth import layer_signals
from fewfire.networks import map_slope, variance_map
from fewfire.networks.threshold import mean_square_activation
from fewfire.tangent.dual import shifted_relu

WIDE = {"n_features": 30, "n_samples": 40, "threshold": 1.5}


def correlation_map(threshold, cosine):
    """The cosine of two hidden vectors, from that of their inputs, as the study has it."""
    return shifted_relu(np.arccos(cosine), threshold) / mean_square_activation(threshold)


@pytest.mark.parametrize("threshold", [0.0, 0.7, 2.0])
def test_the_maps_are_what_random_numbers_show(threshold):
    random = np.random.default_rng(0)
    g, other = random.standard_normal((2, 2_000_000))

    def activation(z):
        return np.maximum(z - threshold, 0)

    expected = np.square(activation(g)).mean()
    for v in (0.5, 1.0, 1.7):
        measured = np.square(activation(np.sqrt(v) * g)).mean() / expected
        assert variance_map(threshold, v) == pytest.approx(measured, rel=0.03)
    for cosine in (0.0, 0.4, 0.9):
        h = cosine * g + np.sqrt(1 - cosine**2) * other
        measured = (activation(g) * activation(h)).mean() / expected
        assert correlation_map(threshold, cosine) == pytest.approx(measured, rel=0.03, abs=1e-3)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.1])
def test_both_maps_leave_one_where_it_is_with_the_slope_chi(threshold):
    small = 1e-5
    assert correlation_map(threshold, 1.0) == pytest.approx(1.0, abs=1e-9)
    slope = (variance_map(threshold, 1 + small) - variance_map(threshold, 1 - small)) / (2 * small)
    assert slope == pytest.approx(map_slope(threshold), rel=1e-4)
    # the curve meets its tangent like the square root of the distance
    slope = (1 - correlation_map(threshold, 1 - 1e-8)) / 1e-8
    assert slope == pytest.approx(map_slope(threshold), rel=2e-3)


def test_a_wide_random_network_does_what_theory_says():
    problem = deep_problem((4000, 4000, 4000), **WIDE, constant=0)
    for one in layer_signals(problem.network, problem.everything):
        assert one.fire_rate == pytest.approx(one.fire_rate_theory, rel=0.1)
        assert one.norm == pytest.approx(1, abs=0.05)
        assert one.cosine == pytest.approx(one.cosine_theory, abs=0.02)
        assert one.spread < 0.15
        assert one.slope == pytest.approx(2.9, abs=0.05)
        assert one.dead_samples == 0


def test_without_the_sphere_lengths_come_apart():
    problem = deep_problem((3000, 3000, 3000), **WIDE, constant=0, normalize="scale")
    first, _, last = layer_signals(problem.network, problem.everything)
    assert last.norm_spread > 3 * first.norm_spread


def test_samples_on_which_nothing_fires_are_counted():
    problem = deep_problem((70, 65), n_samples=5, threshold=[9.0, 0.5])
    assert [one.dead_samples for one in layer_signals(problem.network, problem.everything)] == [5, 5]


def test_the_command_measures_every_epoch(tmp_path):
    ended = fewfire(
        "study", "depth", "digits", "--width", "200,150", "--epochs", 2, "--fire-rate", "0.1", "--out",
        tmp_path / "run", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    rows = list(csv.DictReader((tmp_path / "run" / "layers.csv").read_text().splitlines()))
    assert [(row["epoch"], row["layer"]) for row in rows] == [(e, la) for e in "012" for la in "12"]
    assert len((tmp_path / "run" / "table.md").read_text().splitlines()) == 6
    saved = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert saved["signals"] == ended.figures["signals"]
    assert saved["width"] == [200, 150]
    assert (tmp_path / "run" / "depth.png").exists()
    assert "theory" in ended.err
    assert all(len(line) < 80 for line in ended.err.splitlines() if "%" in line and "theory" not in line)


def test_one_layer_has_no_depth(tmp_path):
    ended = fewfire("study", "depth", "digits", "--width", 200, "--out", tmp_path / "run")
    assert ended.code == 2
    assert "--width must give several layers to study their depth. Got one." in ended.message
