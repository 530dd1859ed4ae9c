"""What fit promises: it works, or says what must hold and changes nothing."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from fewfire.errors import DataError, TrainingError
from fewfire.estimators import WideClassifier, WideRegressor, common

GIVEN = {"width": 64, "threshold": 1.0, "constant": 1.0, "categories": (), "random_state": 0}
SMALL = {**GIVEN, "ridge": 0.1, "max_epochs": 1}
X, Y = load_iris(return_X_y=True)
LENGTHS = X[:, 0]


def failing_fits():
    few = np.arange(40) % 10
    return [
        (WideClassifier(early_stopping=True, **SMALL), "fit", (X[:40], few), ValueError),
        (WideClassifier(optimizer="sgd", learning_rate=1e25, **GIVEN), "fit", (X, Y), TrainingError),
        (WideClassifier(**SMALL), "fit", (X, np.zeros(150, int)), ValueError),
        (
            WideClassifier(**GIVEN, learning_rate=1e25, batch_size=16),
            "partial_fit",
            (X, Y, [0, 1, 2]),
            TrainingError,
        ),
        (WideClassifier(**GIVEN), "partial_fit", (X, Y, [0, 1]), ValueError),
        (WideRegressor(**SMALL), "fit", (X, np.where(LENGTHS > 5, np.inf, LENGTHS)), ValueError),
        (
            WideRegressor(**GIVEN, learning_rate=1e25, batch_size=16),
            "partial_fit",
            (X, LENGTHS),
            TrainingError,
        ),
    ]


@pytest.mark.parametrize("case", range(len(failing_fits())))
def test_a_first_fit_that_fails_leaves_nothing(case):
    model, call, inputs, error = failing_fits()[case]
    before = dict(vars(model))
    with pytest.raises(error):
        getattr(model, call)(*inputs)
    assert vars(model) == before


@pytest.mark.parametrize("case", range(len(failing_fits())))
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_later_fit_that_fails_leaves_the_model_of_before(case, warm_start):
    model, call, inputs, error = failing_fits()[case]
    settings = model.get_params()
    good = LENGTHS if isinstance(model, WideRegressor) else np.array(["a", "b", "c"])[Y]
    model.set_params(early_stopping=False, learning_rate="auto", max_epochs=1).fit(X[:, :3], good)
    model.set_params(**{**settings, "warm_start": warm_start})
    before, predicted = dict(vars(model)), model.predict(X[:, :3])
    weights = model.network_.weights.copy()
    with pytest.raises((error, ValueError)):
        getattr(model, call)(*inputs)
    assert vars(model) == before
    np.testing.assert_array_equal(model.network_.weights, weights)
    np.testing.assert_array_equal(model.predict(X[:, :3]), predicted)


def test_a_warm_start_that_fails_midway_leaves_the_weights_of_before(monkeypatch):
    model = WideClassifier(optimizer="sgd", warm_start=True, max_epochs=3, **GIVEN).fit(X, Y)
    weights, seen = model.network_.weights.copy(), []

    def fails(*_):
        seen.append(1)
        if len(seen) == 2:
            raise TrainingError("the second epoch fails")
        return False

    monkeypatch.setattr(common.UntilNothingImproves, "epoch_done", fails)
    with pytest.raises(TrainingError, match="second epoch"):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.network_.weights, weights)


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-3, 1e100, 1e300])
def test_targets_of_any_size_are_fitted(size):
    given = {**SMALL, "width": 512, "ridge": 1e-3}
    y = X[:, 0] - X[:, 1]
    model = WideRegressor(**given).fit(X, size * y)
    np.testing.assert_allclose(
        model.predict(X) / size, WideRegressor(**given).fit(X, y).predict(X), rtol=1e-3
    )


def test_targets_beyond_what_floats_hold_are_refused():
    model = WideRegressor(**GIVEN).partial_fit(X, LENGTHS)
    with pytest.raises(DataError, match="y must lie within 1e\\+15 standard deviations"):
        model.partial_fit(X, 1e30 * LENGTHS)
    flat = WideRegressor(**SMALL).fit(X, np.full(150, 1e16)).predict(X)
    np.testing.assert_allclose(flat, 1e16, rtol=1e-5)


def test_a_class_of_no_weight_stays_a_class():
    model = WideClassifier(**SMALL).fit(X, Y, sample_weight=Y != 1)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X).shape == (150, 3)
    assert 1 not in model.predict(X)
    one = WideClassifier(**SMALL).fit(X, Y > 0, sample_weight=Y > 0)
    assert one.classes_.tolist() == [False, True]
    assert one.predict(X).all()


def test_classes_of_a_later_part_must_be_those_of_the_first():
    model = WideClassifier(**GIVEN).partial_fit(X, Y, classes=[0, 1, 2])
    model.partial_fit(X, Y, classes=[2, 1, 0])
    for others in ([0, 1, 2, 3], [0, 1], ["0", "1", "2"]):
        with pytest.raises(ValueError, match="classes must be those of the first call"):
            model.partial_fit(X, Y, classes=others)


def test_the_likeliest_class_is_the_predicted_one(monkeypatch):
    outputs = np.array([[1.2, 1.1, -1], [1.1, 1.2, 0], [-0.3, -0.1, -0.2], [0, 0, 0], [0.2, 0.7, 0.1]])
    model = WideClassifier(**SMALL).fit(X, Y)
    monkeypatch.setattr(WideClassifier, "_outputs", lambda self, X: outputs.copy())
    shares = model.predict_proba(X)
    np.testing.assert_array_equal(shares.argmax(axis=1), model.predict(X))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    pair = WideClassifier(**SMALL)
    many = WideClassifier(**SMALL)
    monkeypatch.undo()
    pair.fit(X, Y > 0)
    many.fit(X, np.eye(3, dtype=int)[Y])
    outputs = np.array([[1.5], [np.nextafter(0.5, 1)], [0.5], [np.nextafter(0.5, 0)], [-2.0]])
    monkeypatch.setattr(WideClassifier, "_outputs", lambda self, X: outputs.copy())
    np.testing.assert_array_equal(pair.predict_proba(X).argmax(axis=1), pair.predict(X))
    np.testing.assert_array_equal(many.predict_proba(X) > 0.5, many.predict(X))


@pytest.mark.parametrize("weight", [1e300, 1e-300])
def test_weights_beyond_single_precision_are_refused(weight):
    with pytest.raises(ValueError, match=r"sample_weight must be 0 or from 1e-15 to 1e\+15.* Got 1e"):
        WideClassifier(**SMALL).fit(X, Y, sample_weight=np.full(150, weight))


def test_labels_that_are_objects():
    for labels in ([1, "a"] * 75, [None, "a", "b"] * 50):
        with pytest.raises(ValueError, match="y must hold labels of one kind"):
            WideClassifier(**SMALL).fit(X, np.array(labels, object))
    with pytest.raises(ValueError, match="y must hold labels of one kind"):
        WideClassifier(**GIVEN).partial_fit(X, Y, classes=[0, None])
    model = WideClassifier(**SMALL).fit(X, (Y > 0).astype(object))
    assert model.classes_.dtype == bool
    assert WideClassifier(**SMALL).fit(X, Y.astype(object)).classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("n", "fraction"), [(40, 0.1), (30, 0.9)])
def test_early_stopping_says_which_parameter_to_change(n, fraction):
    model = WideClassifier(early_stopping=True, validation_fraction=fraction, **SMALL)
    with pytest.raises(ValueError, match=f"Got {n} samples .classes: 10.*Change validation_fraction"):
        model.fit(X[:n], np.arange(n) % 10)


def test_a_tiny_column_is_refused():
    with pytest.raises(DataError, match="too small in column 4 .* Multiply that column by a power of ten"):
        WideClassifier(**SMALL).fit(np.column_stack([X, 1e-165 * LENGTHS]), Y)
    constant = np.column_stack([X, np.full(150, 1e-165)])
    assert WideClassifier(**SMALL).fit(constant, Y).n_features_in_ == 5


def held_out(monkeypatch, model, *given, **more):
    """The samples that early stopping holds out, their targets and weights."""
    kept, watch = [], common.UntilNothingImproves
    monkeypatch.setattr(
        common, "UntilNothingImproves", lambda **words: kept.append(words["held_error"]) or watch(**words)
    )
    model.fit(*given, **more)
    return kept[0]


def test_held_samples_hold_each_class_in_its_share(monkeypatch):
    y = np.r_[np.zeros(145, int), np.ones(5, int)]  # five rare samples, a fifth of which are held out
    model = WideClassifier(early_stopping=True, validation_fraction=0.2, **SMALL)
    for seed in range(4):
        held = held_out(monkeypatch, model.set_params(random_state=seed), X, y)
        rare = held.args[2] > 0
        assert (rare.sum(), len(rare)) == (1, 30)


def test_the_error_of_held_samples_counts_their_weights(monkeypatch):
    weights = np.random.default_rng(0).integers(1, 50, 150)
    model = WideRegressor(early_stopping=True, **SMALL)
    held = held_out(monkeypatch, model, X, LENGTHS, sample_weight=weights)
    member, samples, targets, counted = held.args
    errors = held.func(member, samples, targets, None), held.func(member, samples, targets, counted)
    copies = np.repeat(np.arange(len(samples)), counted.astype(int))
    assert errors[1] == pytest.approx(held.func(member, samples[copies], targets[copies], None), rel=1e-6)
    assert held() == errors[1] != errors[0]


def test_the_scale_of_targets_counts_weights_as_copies():
    copies = np.where(LENGTHS > 6, 3, 1)
    weighted = WideRegressor(**SMALL).fit(X, LENGTHS, sample_weight=copies)
    repeated = WideRegressor(**SMALL).fit(np.repeat(X, copies, axis=0), np.repeat(LENGTHS, copies))
    np.testing.assert_allclose(weighted.target_scaling_.scale, repeated.target_scaling_.scale, rtol=1e-12)
    assert weighted.target_scaling_.scale[0] != pytest.approx(LENGTHS.std(), rel=1e-3)


@pytest.mark.parametrize(
    ("targets", "got"),
    [
        (["abc"] * 150, "could not convert string to float: 'abc'"),
        (np.array(["0,5"] * 150), "could not convert string to float: '0,5'"),
        (np.array([*LENGTHS[1:], "abc"], object), "could not convert string to float: 'abc'"),
        ([*LENGTHS[1:].tolist(), 10**400], "int too large"),
        (np.full(150, np.datetime64("2020-01-01")), "dates or times"),
    ],
)
def test_targets_that_are_no_numbers_are_refused(targets, got):
    for fit in (WideRegressor(**SMALL).fit, WideRegressor(**SMALL).partial_fit):
        with pytest.raises(
            ValueError, match=f"y must hold numbers for a regression. Got {got}.*Write numbers"
        ):
            fit(X, targets)


def test_targets_as_objects_or_texts_are_numbers():
    wanted = WideRegressor(**SMALL).fit(X, LENGTHS).predict(X)
    for targets in (LENGTHS.astype(object), LENGTHS.astype(str), LENGTHS.astype(str).tolist()):
        np.testing.assert_array_equal(WideRegressor(**SMALL).fit(X, targets).predict(X), wanted)


def test_texts_of_pandas_that_lack_a_label_are_refused():
    pandas = pytest.importorskip("pandas")
    labels = pandas.array([None, *np.array(["a", "b", "c"])[Y][1:]], "string")
    with pytest.raises(ValueError, match="y must hold labels of one kind.*Got NoneType, str"):
        WideClassifier(**SMALL).fit(X, labels)


@pytest.mark.parametrize("make", [WideClassifier, WideRegressor])
@pytest.mark.parametrize("seconds", [1e-3, 1.0])
def test_a_time_limit_leaves_a_sound_model(make, seconds):
    """Even one that is up before anything was looked at."""
    model = make(width=256, time_limit=seconds, random_state=0).fit(X, Y.astype(float))
    assert model.score(X, Y) > 0.8
    assert 1 <= len(model.members_) <= 2


def test_a_time_limit_leaves_out_what_is_worth_least(monkeypatch):
    """By a clock that each glance moves on by a second, so that the machine's own does not count."""
    from fewfire.plan import preparation
    from fewfire.system import deadline

    looks = []
    last_look = preparation._last_look
    monkeypatch.setattr(
        preparation, "_last_look", lambda *arguments: looks.append(arguments) or last_look(*arguments)
    )

    def fitted(seconds):
        clock = iter(range(10**6))
        monkeypatch.setattr(deadline, "perf_counter", lambda: float(next(clock)))
        looks.clear()
        model = WideClassifier(width=64, time_limit=seconds, random_state=0).fit(X, Y)
        return len(looks), len(model.members_)

    (few, one), (many, two) = fitted(10), fitted(10**5)
    assert few < many
    assert (one, two) == (1, 2)


@pytest.mark.parametrize("seconds", [0, -1, np.inf, np.nan, "2", True])
def test_a_time_limit_is_a_number_of_seconds(seconds):
    with pytest.raises(ValueError, match="time_limit must be a finite number > 0"):
        WideClassifier(time_limit=seconds, **GIVEN).fit(X, Y)
