"""Certificates of classifiers: samples, labels, radii, units and columns as users give them."""

import numpy as np
import pytest

from fewfire import TwoLayerNetwork, WideClassifier
from fewfire.certify import Box, certify
from fewfire.errors import DataError
from fewfire.prepare import Classes, Features
from fewfire.prepare.member import Member
from fewfire.prepare.model import Model
from fewfire.prepare.preparation import Preparation
from problems import clustered_samples
from trainers import descend


def blobs(n_samples=160, n_features=6, seed=0):
    rows, nearest = clustered_samples(n_samples, n_features, seed)
    return 3 * rows + 1, np.array(["ant", "bee", "cat"])[nearest % 3]


@pytest.fixture(scope="module")
def model():
    """A network by gradient descent on the blobs, as a run saves it."""
    X, y = blobs()
    preparation = Preparation.fit(X, standardize=False, constant=0.5)
    network = TwoLayerNetwork.initialize(400, 7, 3, threshold=1.2)
    classes = Classes.of(y)
    targets = classes.one_hot(classes.encode(y))
    descend(network, preparation.transform(X), targets, epochs=40, batch_size=20, learning_rate=2.0)
    return Model((Member(preparation, 0.0, network),), Features(6), classes, np.full(3, 0.01))


@pytest.fixture(scope="module")
def estimator():
    X, y = blobs()
    return WideClassifier(width=256, n_members=2, random_state=0).fit(X, y)


def test_what_is_certified_survives_the_attack_and_the_attack_is_below_clean(model):
    X, y = blobs()
    for norm in ("l2", "linf"):
        found = certify(model, X, y, 0.05, norm=norm, attack=20)
        assert found.attacked is not None
        assert 0.3 < found.accuracy <= found.attacked.robust <= found.clean
        assert not (found.certified & found.attacked.broken).any()
        assert found.clean == (model.labels(X) == y).mean()
        low, high = found.found.interval
        assert low <= found.accuracy <= high
        assert (found.margin <= found.clean_margin + 1e-9).all()


def test_the_label_of_a_certified_sample_is_predicted_wherever_it_moves(model, estimator):
    X, y = blobs()
    random = np.random.default_rng(0)
    two = certify(estimator, X, y, 0.03)
    assert 0.2 < two.accuracy
    one = certify(model, X, y, 0.1)
    for _ in range(50):
        signs = random.choice([-1.0, 1.0], X.shape)
        for found, classifier in ((two, estimator.predict), (one, model.labels)):
            points = X + found.radius * signs
            assert (classifier(points)[found.certified] == y[found.certified]).all()


def test_a_deep_network_is_certified_and_not_attacked():
    X, y = blobs()
    estimator = WideClassifier(hidden_layers=(64, 32), max_epochs=20, random_state=0).fit(X, y)
    found = certify(estimator, X, y, 0.005)
    assert 0.1 < found.accuracy <= found.clean
    random = np.random.default_rng(1)
    for _ in range(30):
        points = X + 0.005 * random.choice([-1.0, 1.0], X.shape)
        assert (estimator.predict(points)[found.certified] == y[found.certified]).all()
    with pytest.raises(ValueError, match="an attack"):
        found.under_attack(3)


def test_two_classes_with_one_output():
    X, y = blobs()
    y = np.where(y == "ant", "ant", "other")
    estimator = WideClassifier(width=256, n_members=1, random_state=0).fit(X, y)
    assert estimator.network_.n_outputs == 1
    found = certify(estimator, X, y, 0.02)
    assert 0.2 < found.accuracy <= found.clean
    assert (
        not certify(estimator, X, np.where(y == "ant", "other", "ant"), 0.02)
        .certified[estimator.predict(X) == y]
        .any()
    )


def test_the_radius_of_a_sample_is_the_largest_that_is_certified(model):
    X, y = blobs()
    found = certify(model, X, y, 0.4)
    radii = found.radii(steps=8)
    assert (radii[found.certified] == 0.4).all()
    assert (radii[found.clean_margin <= 0] == 0).all()
    some = np.flatnonzero((radii > 0) & (radii < 0.4))[:6]
    assert len(some) == 6
    for i in some:
        assert certify(model, X[i : i + 1], y[i : i + 1], radii[i]).certified.all()
        assert not certify(model, X[i : i + 1], y[i : i + 1], radii[i] + 0.4 / 2**7).certified.any()


def test_a_curve_falls_and_agrees_with_certificates_of_its_own(model):
    X, y = blobs()
    found = certify(model, X, y, 0.3)
    radii = (0.01, 0.1, 0.3)
    curve = found.curve(radii)
    shares = [point.accuracy for point in curve]
    assert shares == sorted(shares, reverse=True)
    for radius, point in zip(radii, curve, strict=True):
        own = certify(model, X, y, radius)
        np.testing.assert_allclose(point.margin, own.margin, atol=1e-9)
        assert point.undecided.mean() == pytest.approx(own.undecided)
    with pytest.raises(ValueError, match=r"must stay within the radius of its certificate, 0.3. Got 0.5"):
        found.curve([0.5])


def test_columns_and_units(model, estimator):
    X, y = blobs()
    all_columns = certify(model, X, y, 0.2)
    some = certify(model, X, y, 0.2, columns=[0, 2])
    assert (some.certified >= all_columns.certified).all()
    assert some.accuracy > all_columns.accuracy
    by_deviation = certify(estimator, X, y, 0.02, units="standard deviations")
    np.testing.assert_allclose(
        by_deviation.ball.high - by_deviation.ball.samples, np.tile(0.02 * X.std(axis=0), (len(X), 1))
    )
    by_range = certify(model, X, y, 0.02, units="range")
    assert by_range.ball.high.max() == X.max()
    in_a_box = certify(model, X, y, 0.2, box=Box(X.min(), X.max()))
    assert (in_a_box.certified >= all_columns.certified).all()


def test_columns_have_names_and_categories_stay():
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    table = pandas.DataFrame(X[:, :3], columns=["age", "bmi", "size"])
    table["kind"] = np.where(X[:, 3] > 1, "red", "blue")
    estimator = WideClassifier(width=256, n_members=1, random_state=0).fit(table, y)
    found = certify(estimator, table, y, 0.01, columns=["age", "bmi"], units="standard deviations")
    assert (found.ball.low[:, 2:] == found.ball.high[:, 2:]).all()
    assert found.accuracy > 0.2
    assert certify(estimator, table, y, 0.01).accuracy <= found.clean
    with pytest.raises(ValueError, match="must be columns of numbers. Got 'kind'. Name some"):
        certify(estimator, table, y, 0.01, columns=["kind"])


def test_where_nothing_is_certified_a_message_says_what_may_help(model):
    X, y = blobs()
    found = certify(model, X, y, 5.0)
    assert not found.certified.any()
    assert found.advice is not None
    start = f"no sample could be certified: {found.undecided:.0%} of the pairs are undecided at this radius. "
    assert found.advice.startswith(start + "Raise the threshold (now 1.2; ")
    assert "or lower the radius to 0." in found.advice
    assert certify(model, X, y, 0.01).advice is None


def test_what_cannot_be_certified_is_refused(model, estimator):
    X, y = blobs()
    for radius in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="needs a radius > 0 in the units of the columns. Got"):
            certify(model, X, y, radius)
    with pytest.raises(ValueError, match="the units of a radius must be one of"):
        certify(model, X, y, 0.1, units="metres")
    with pytest.raises(ValueError, match="a radius in the norm l2 must count all columns alike"):
        certify(model, X, y, 0.1, norm="l2", units="standard deviations")
    with pytest.raises(ValueError, match=r"samples must be \(n, p\) with n labels"):
        certify(model, X, y[:-1], 0.1)
    holes = X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(DataError, match="a gap has no radius. Got NaN or infinity in row 3"):
        certify(model, holes, y, 0.1)
    with pytest.raises(ValueError, match="an attack beside a certificate must be on one network"):
        certify(estimator, X, y, 0.1, attack=3)
    with pytest.raises(ValueError, match="steps must be >= 1"):
        certify(model, X, y, 0.1).radii(steps=0)


def test_float32_rows_are_certified_for_all_points_and_not_those_of_their_precision():
    """A million away float32 has steps of 1/16, so a ball of 0.03 would hold the sample alone."""
    random = np.random.default_rng(0)
    X = (1e6 + random.standard_normal((200, 2))).astype(np.float32)
    y = (X[:, 0] > 1e6).astype(int)
    model = WideClassifier(width=64, random_state=0, optimizer="sgd").fit(X, y).model_on(X)[0]
    by_precision = [certify(model, X.astype(dtype), y, 0.03).certified for dtype in (np.float32, np.float64)]
    assert (by_precision[0] == by_precision[1]).all()


def test_units_are_those_of_the_data_and_not_of_the_few_that_are_certified(model):
    X, y = blobs()
    every = certify(model, X, y, 0.02, units="range")
    some = certify(model, X[:3], y[:3], 0.02, units="range", data=X)
    np.testing.assert_array_equal(some.certified, every.certified[:3])
    np.testing.assert_allclose(some.ball.radius, every.ball.radius)


def test_an_attack_that_cannot_be_had_is_refused_first(estimator):
    X, y = blobs()
    shares = []
    with pytest.raises(ValueError, match="Got 2 networks. Leave the attack out"):
        certify(estimator, X, y, 0.01, attack=3, on_share=shares.append)
    assert not shares


def test_columns_are_named_or_numbered_and_not_masked(model):
    X, y = blobs()
    with pytest.raises(ValueError, match="columns that move must be columns of numbers. Got True"):
        certify(model, X, y, 0.01, columns=[True, False, True])
