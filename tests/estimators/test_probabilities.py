"""Probabilities that may be believed: calibrated, never 0 or 1, and of the order of the outputs."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from fewfire.estimators import WideClassifier
from fewfire.prepare.link import Link


def drawn(n, k, sharpness, doubt, seed=0):
    """Outputs, and classes drawn with the probabilities of a link."""
    random = np.random.default_rng(seed)
    outputs = random.standard_normal((n, k))
    cumulated = Link(sharpness, doubt).probabilities(outputs).cumsum(axis=1)
    return outputs, (random.random((n, 1)) > cumulated).sum(axis=1)


@pytest.mark.parametrize(("sharpness", "doubt"), [(0.5, 0.01), (3.0, 0.2), (8.0, 0.05)])
def test_a_link_is_found_again(sharpness, doubt):
    outputs, classes = drawn(20_000, 4, sharpness, doubt)
    link = Link.fit(outputs, classes)
    assert link.sharpness == pytest.approx(sharpness, rel=0.15)
    if sharpness > 1:  # else hardly anything tells how much is doubt
        assert link.doubt == pytest.approx(doubt, rel=0.3)


def test_a_weight_of_a_sample_stands_for_copies():
    outputs, classes = drawn(300, 3, 2.0, 0.1)
    copies = np.random.default_rng(1).integers(1, 4, 300)
    weighted = Link.fit(outputs, classes, copies.astype(float))
    repeated = Link.fit(np.repeat(outputs, copies, axis=0), np.repeat(classes, copies))
    assert weighted.sharpness == pytest.approx(repeated.sharpness, rel=0.05)


@pytest.mark.parametrize("n", [0, 1, 3, 100])
def test_outputs_that_are_always_right_leave_a_doubt(n):
    classes = np.arange(n) % 3
    shares = Link.fit(np.eye(3)[classes], classes).probabilities(np.eye(3) * 1e3)
    assert (shares > 0).all()
    assert (shares < 1).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert 1 - shares.max() >= 0.5 / (n + 2)


def test_the_largest_probability_is_that_of_the_largest_output():
    sizes = np.repeat([1e-6, 1e-3, 1.0, 1e6], 250)[:, None]
    outputs = np.random.default_rng(0).standard_normal((1000, 5)) * sizes
    for link in (Link(0.1, 0.5), Link(100.0, 1e-6)):
        np.testing.assert_array_equal(link.probabilities(outputs).argmax(axis=1), outputs.argmax(axis=1))


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
@pytest.mark.parametrize("optimizer", ["gauss-newton", "sgd"])
def test_probabilities_on_new_samples(load, optimizer):
    X, y = load(return_X_y=True)
    X, held, y, labels = train_test_split(X, y, random_state=0, stratify=y)
    model = WideClassifier(width=1024, optimizer=optimizer, random_state=0).fit(X, y)
    shares = model.predict_proba(held)
    assert shares.min() > 0
    assert shares.max() < 1
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[shares.argmax(axis=1)], model.predict(held))
    np.testing.assert_array_equal(np.log(shares), model.predict_log_proba(held))
    assert log_loss(labels, shares) < 0.3


def test_probabilities_of_noisy_labels_are_not_sure_of_them():
    X, y = make_classification(1200, 8, n_informative=4, flip_y=0.4, random_state=0)
    X, held, y, labels = train_test_split(X, y, random_state=0)
    shares = WideClassifier(width=1024, random_state=0).fit(X, y).predict_proba(held)
    right = shares.argmax(axis=1) == labels
    assert abs(shares.max(axis=1).mean() - right.mean()) < 0.06
    assert log_loss(labels, shares) < log_loss(labels, np.full_like(shares, 0.5)) - 0.05


def test_several_labels_have_a_probability_each():
    random = np.random.default_rng(0)
    X = random.standard_normal((400, 4))
    Y = (X[:, :2] + 0.5 * random.standard_normal((400, 2)) > 0).astype(int)
    model = WideClassifier(width=512, random_state=0).fit(X[:300], Y[:300])
    shares = model.predict_proba(X[300:])
    assert shares.shape == (100, 2)
    assert ((shares > 0) & (shares < 1)).all()
    np.testing.assert_array_equal(shares > 0.5, model.predict(X[300:]))
    each = np.where(Y[300:] == 1, shares, 1 - shares)
    assert -np.log(each).mean() < 0.45


def test_classes_weigh_what_is_said():
    random = np.random.default_rng(0)
    X = np.concatenate([random.normal(0, 1, (270, 2)), random.normal(1, 1, (30, 2))])
    y = np.repeat(["many", "few"], [270, 30])
    plain, balanced, given, samples = (
        WideClassifier(width=512, class_weight=weight, random_state=0).fit(X, y, sample_weight=each)
        for weight, each in [
            (None, None), ("balanced", None), ({"many": 300 / 540, "few": 5.0}, None),
            (None, np.where(y == "few", 5.0, 300 / 540)),
        ]
    )  # fmt: skip
    assert np.sum(balanced.predict(X) == "few") > 2 * np.sum(plain.predict(X) == "few")
    for other in (given, samples):
        np.testing.assert_array_equal(balanced.predict_proba(X), other.predict_proba(X))


def test_a_part_of_the_samples_cannot_balance_classes():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="class_weight must be a dictionary .* Got 'balanced'"):
        WideClassifier(width=64, class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    model = WideClassifier(width=64, class_weight={0: 1, 1: 2, 2: 1}, random_state=0)
    assert model.partial_fit(X, y, classes=[0, 1, 2]).predict(X).shape == (150,)
