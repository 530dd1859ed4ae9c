"""`fewfire certify`: what a trained network promises, as a table, as JSON, and in files."""

import numpy as np
import pytest

from command import fewfire, train_digits
from fewfire.certify import certify
from fewfire.data import load_inputs
from fewfire.runs import RunFolder

SOME = ("digits", "--samples", 40)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certified") / "run"
    assert train_digits(folder, "--loss", "softmax", "--epochs", 5, "--threshold", 2.0).code == 0
    return folder


def test_a_table_has_a_line_for_each_radius(run):
    ended = fewfire("certify", run, *SOME, "--radius", "0.02,0.005", "--attack", 3)
    assert ended.code == 0, ended.err
    lines = [line.split() for line in (ended.out + ended.err).splitlines()]
    assert ["radius", "certified", "95", "%", "interval", "attacked", "undecided"] in lines
    assert [line[0] for line in lines[-2:]] == ["0.005", "0.02"]
    certified, attacked = np.array([[float(line[1]), float(line[5])] for line in lines[-2:]]).T
    assert (certified <= attacked).all()


def test_the_figures_are_those_of_the_library(run, tmp_path):
    ended = fewfire("certify", run, *SOME, "--radius", 0.02, "--norm", "l2", "--attack", 3, "--json",
                    "--out", tmp_path / "found.npz")  # fmt: skip
    assert ended.code == 0, ended.err
    model = RunFolder(run).load_model()
    rows = load_inputs("digits", model.features, model.targets)
    found = certify(model, rows.inputs[:40], rows.labels[:40], 0.02, norm="l2", units="range", attack=3)
    figures = ended.figures
    assert figures["certified_accuracy"] == [found.accuracy]
    assert figures["robust_accuracy"] == [found.attacked.robust]
    assert figures["clean_accuracy"] == found.clean
    assert figures["n_samples"] == 40
    with np.load(tmp_path / "found.npz") as archive:
        np.testing.assert_array_equal(archive["margins"][0], found.margin)
        np.testing.assert_array_equal(archive["certified_radius"] == 0.02, found.certified)
    assert (tmp_path / "found.png").stat().st_size > 10_000


def test_columns_may_be_named_by_number(run):
    all_columns, one = (
        fewfire("certify", run, *SOME, "--radius", 0.05, "--json", *more).figures["certified_accuracy"][0]
        for more in ((), ("--columns", "20"))
    )
    assert one > all_columns


def test_where_nothing_is_certified_it_says_what_may_help(run):
    ended = fewfire("certify", run, "digits", "--samples", 5, "--radius", 0.9)
    assert ended.code == 0
    told = ended.out + ended.err
    assert "no sample could be certified: " in told
    assert "Raise the threshold (now 2; " in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--radius", "0"), "a certificate needs a radius > 0 in the units of the columns. Got 0. Give"),
        (("--attack", "-1"), "--attack must be >= 0. Got -1. Use 20"),
        (("--radius", "wide"), "--radius must be numbers, a,b,c. Got 'wide'"),
        (("--norm", "l1"), "the norm of a ball must be one of"),
        (("--units", "metres"), "the units of a radius must be one of"),
        (("--columns", "99"), "columns that move must be columns of numbers. Got '99'"),
        (("--samples", 0), "--samples must be >= 1. Got 0"),
        (("--out", "nowhere/found.npz"), "--out must be an .npz file in a folder that is there"),
    ],
)
def test_what_does_not_hold_is_refused(run, options, message):
    ended = fewfire("certify", run, "digits", *options)
    assert ended.code == 2
    assert message in ended.message


def test_samples_without_labels_are_refused(run, tmp_path):
    np.savez(tmp_path / "new.npz", X=np.ones((4, 64)))
    ended = fewfire("certify", run, tmp_path / "new.npz")
    assert ended.code == 2
    assert "samples to certify must all have labels" in ended.message
