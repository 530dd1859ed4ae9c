"""The report on representations: what it advises where the target is known; samples of one direction."""

import numpy as np
import pytest

from fewfire import DataError
from fewfire.diagnose import RepresentationReport, Represented, representation_report, study_hierarchical
from fewfire.diagnose.sample_complexity import hermite

SEEDS = 1  # ten in benchmarks/representations.py


def times_advised(name, target):
    """Of some seeds, with 150 rows of 20 columns between -1 and 1."""
    found = []
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        inputs = random.uniform(-1, 1, (150, 20))
        found.append(representation_report(inputs, target(inputs, random), seed=seed).advised)
    return found.count(name)


def test_a_steep_function_of_one_column_is_advised_a_metric():
    assert times_advised("metric", lambda x, _: np.sin(3 * x[:, 0])) == SEEDS


def test_a_square_of_one_direction_is_advised_a_head():
    direction = np.random.default_rng(1).standard_normal(20)
    direction /= np.linalg.norm(direction)
    assert times_advised("quadratic head", lambda x, _: hermite(2, 3**0.5 * (x @ direction))) == SEEDS


def test_noise_is_advised_nothing():
    assert times_advised("nothing", lambda _, random: random.standard_normal(150)) == SEEDS


def test_the_report_says_what_it_saw():
    random = np.random.default_rng(0)
    inputs, said = random.standard_normal((120, 12)), []
    targets = inputs[:, 0] * inputs[:, 1] + 0.1 * random.standard_normal(120)
    report = representation_report(inputs, targets, say=said.append)
    assert (report.n_rows, report.n_features, report.n_held) == (96, 12, 72)
    assert len(said) == 15
    assert [one.name for one in report.table] == ["nothing", "metric", "degree2", "fire", "quadratic head"]
    assert report["nothing"].standard_error == 0
    assert report["quadratic head"].error < 0.1 < report["nothing"].error
    assert report.second_order_pays
    assert report.advised == "quadratic head"
    assert report.rows_needed > 96
    assert "Use QuadraticHead in place of the wide layer: 0.0" in report.advice
    assert "rank 2" in report["quadratic head"].detail
    assert report.as_dict()["advised"] == report.advised


def test_units_of_columns_and_targets_do_not_count_and_nor_do_columns_that_do_not_vary():
    random = np.random.default_rng(3)
    inputs = random.standard_normal((60, 3))
    targets = np.sin(inputs[:, 0])
    one = representation_report(inputs, targets)
    constant = np.column_stack([1000 * inputs, np.full(60, 7.0)])
    other = representation_report(constant, 50 * targets - 3)
    for name in ("nothing", "metric"):
        assert other[name].error == pytest.approx(one[name].error, rel=1e-3)


def test_targets_of_several_columns_and_of_none_that_varies():
    inputs = np.random.default_rng(4).standard_normal((50, 2))
    both = np.column_stack([inputs[:, 0] ** 2, inputs[:, 1]])
    assert "rank 1, 0" in representation_report(inputs, both)["quadratic head"].detail
    flat = representation_report(inputs, np.full(50, 3.0))
    assert flat.advised == "nothing"
    assert all(one.error < 1e-6 for one in flat.table)


def test_too_many_features_of_degree_two_are_left_out_and_said():
    inputs = np.random.default_rng(5).standard_normal((40, 64))
    report = representation_report(inputs, inputs[:, 0])
    assert "degree2" not in [one.name for one in report.table]
    assert report.left_out == ("degree2: 2,080 features, more than 2,000",)


def table_of(**errors):
    return tuple(
        Represented(name, error, 0.01, at_half, 0.0, "") for name, (error, at_half) in errors.items()
    )


def test_advice_and_what_doubling_would_give():
    made = RepresentationReport(table_of(nothing=(0.4, 0.8), metric=(0.1, 0.2)), 1000, 5, 300, ())
    assert made.advised == "metric"
    assert made.rows_needed == pytest.approx(4000)
    assert made["nothing"].at_double == pytest.approx(0.2)
    assert made.advice == (
        "Let the estimators learn a metric (features='auto'): 0.100 on held-out rows, 0.400 without; with "
        "nothing before it the kernel would need about 4,000 rows for that, not 1,000."
    )
    level = RepresentationReport(table_of(nothing=(0.434, 0.5), fire=(0.431, 0.5)), 1000, 5, 300, ())
    assert level.advice == "No representation helped on held-out rows (0.431, 0.434 without). Use none."
    near = RepresentationReport(table_of(nothing=(0.434, 0.5), fire=(0.428, 0.5)), 1000, 5, 300, ())
    assert near.advised == "fire"
    assert near.advice.endswith("The difference is within its standard error.")
    never = RepresentationReport(table_of(nothing=(0.8, 0.8), degree2=(0.1, 0.2)), 1000, 5, 300, ())
    assert "would need more than 16,000 rows" in never.advice
    noise = RepresentationReport(table_of(nothing=(1.1, 1.1), metric=(0.95, 1.2)), 1000, 5, 300, ())
    assert noise.advised == "nothing"


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.ones((39, 2)), np.ones(39), r"must have at least 40 rows .* Got an array of shape \(39, 2\)"),
        (np.full((50, 2), np.nan), np.ones(50), "of finite numbers"),
        (np.ones((50, 2)), np.ones(49), "targets must be finite, one row for each of 50 samples"),
    ],
)
def test_what_cannot_be_compared_is_refused(inputs, targets, message):
    with pytest.raises(DataError, match=message):
        representation_report(inputs, targets)


def test_a_square_takes_a_head_fewer_samples_than_the_kernel():
    shares = []
    study = study_hierarchical(
        degree=2, dim=10, samples=(30, 60), indicators=60, seeds=1, progress=shares.append
    )
    errors = {(point.way, point.samples): point.error for point in study.points}
    assert errors["head", 60] < 0.01 < 0.1 < errors["kernel", 60]
    assert study.reached["kernel"] is None
    assert study.reached["head"] in (30, 60)
    assert shares[-1] == 1
    assert len(study.points) == len(study.table().splitlines()) - 1 == 10
    assert study.singular_values["head"][1] < 0.1 * study.singular_values["head"][0]
    before, after = study.spectra
    np.testing.assert_allclose(after, 1)
    assert before[0] > 2 * before[-1]


def test_hermite_polynomials_are_of_variance_1_and_uncorrelated():
    z = np.random.default_rng(0).standard_normal(200_000)
    values = np.array([hermite(degree, z) for degree in (1, 2, 3)])
    np.testing.assert_allclose(values @ values.T / len(z), np.eye(3), atol=0.05)


@pytest.mark.parametrize(("name", "value"), [("dim", 200), ("degree", 400), ("indicators", 20_001)])
def test_what_would_not_fit_in_memory_is_refused_at_once(name, value):
    with pytest.raises(ValueError, match=f"{name} must be at most"):
        study_hierarchical(**{name: value})
