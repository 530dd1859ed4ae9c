"""The estimators of scikit-learn's kind."""

import multiprocessing
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

import fewfire
from fewfire import MemoryLimitError
from fewfire.estimators import WideClassifier, WideRegressor

SMALL = {"width": 128, "random_state": 0}


def not_to_the_last_digit(estimator):
    """`test_weights_stand_for_copies` holds what does hold."""
    why = "the checks want seven digits of a float32 network, whose solver stops at a residual of a tenth"
    return {f"check_sample_weight_equivalence_on_{kind}_data": why for kind in ("dense", "sparse")}


@parametrize_with_checks(
    [WideClassifier(**SMALL), WideRegressor(**SMALL)], expected_failed_checks=not_to_the_last_digit
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_iris_and_wine():
    for load in (load_iris, load_wine):
        X, y = load(return_X_y=True)
        assert cross_val_score(WideClassifier(width=1024, random_state=0), X, y, cv=3).mean() > 0.93


def test_diabetes():
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(WideRegressor(width=1024, random_state=0), X, y, cv=3).mean() > 0.45


def test_labels_of_any_kind_and_probabilities():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = WideClassifier(**SMALL).fit(X, names)
    assert set(model.predict(X)) <= set(names)
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (model.classes_[shares.argmax(axis=1)] == model.predict(X)).all()


def test_two_classes():
    X, y = load_iris(return_X_y=True)
    X, y = X[y > 0], y[y > 0]
    model = WideClassifier(**SMALL).fit(X, y)
    decision = model.decision_function(X)
    assert decision.shape == (100,)
    np.testing.assert_array_equal(model.predict(X), np.where(decision > 0, 2, 1))
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1] > 0.5, decision > 0)


def test_several_values_of_any_scale():
    X = np.random.default_rng(0).standard_normal((80, 3))
    y = np.column_stack([1e6 * X[:, 0], X[:, 1] - 5e3, np.full(80, 7.0)])
    model = WideRegressor(**SMALL).fit(X, y)
    assert WideRegressor(**SMALL).fit(X, y[:, :2]).score(X, y[:, :2]) > 0.95
    np.testing.assert_allclose(model.predict(X)[:, 2], 7, atol=0.05)


def test_clone_pickle_and_grid_search():
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(WideClassifier(**SMALL), {"ridge": [1e-3, 10.0], "threshold": [0.5]}, cv=2).fit(
        X, y
    )
    model = search.best_estimator_
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).decision_function(X), model.decision_function(X))
    assert model.threshold_ == 0.5


def test_named_categories():
    random = np.random.default_rng(0)
    X = random.integers(0, 20, (200, 2)).astype(float)
    y = (X[:, 0] % 2).astype(int)
    model = WideClassifier(categories=[0], **SMALL).fit(X, y)
    assert list(model.preparation_.one_hot.categories) == [0]
    assert model.score(X, y) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width must be a whole number >= 1"),
        ({"max_epochs": 1.5}, "max_epochs must be a whole number >= 1"),
        ({"threshold": "high"}, "threshold must be a finite number >= 0, or 'auto'"),
        ({"ridge": 0.0}, "ridge must be a finite number > 0"),
        ({"constant": np.inf}, "constant must be a finite number > 0"),
        ({"categories": "all"}, "categories must be a list of columns, or 'auto'"),
        ({"categories": [9]}, "categories must be columns of X"),
        ({"optimizer": "adam"}, "optimizer must be one of auto, sgd, gauss-newton"),
        ({"optimizer": "sgd", "ridge": 1.0}, "ridge must go with optimizer='gauss-newton'"),
        ({"threshold": 1.0, "fire_rate": 0.1}, "give a threshold or a fire rate, not both"),
        ({"tol": -1.0}, "tol must be a finite number in"),
        ({"validation_fraction": 1.0}, "validation_fraction must be a finite number in"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
        ({"n_threads": 0}, "n_threads must be a whole number >= 1"),
        ({"index": "fastest"}, "index must be one of auto, exhaustive"),
    ],
)
def test_bad_settings(settings, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        WideClassifier(**settings).fit(X, y)


def weights_of(model):
    return model.network_.weights.copy()


def test_weights_stand_for_copies():
    """But for learned features, which copies in both parts of the samples would judge too well."""
    X, y = load_iris(return_X_y=True)
    copies = np.random.default_rng(0).integers(0, 3, len(y))
    for make, targets in ((WideClassifier, y), (WideRegressor, X[:, :2] @ [1.0, -2.0])):
        weighted = make(4096, features="none", random_state=0).fit(X, targets, sample_weight=copies)
        repeated = make(4096, features="none", random_state=0).fit(
            np.repeat(X, copies, axis=0), np.repeat(targets, copies)
        )
        assert weighted.threshold_ == repeated.threshold_
        assert weighted.ridge_ == pytest.approx(repeated.ridge_)
        decide = "decision_function" if make is WideClassifier else "predict"
        np.testing.assert_allclose(getattr(weighted, decide)(X), getattr(repeated, decide)(X), atol=0.01)


def test_heavy_samples_decide():
    X = np.zeros((40, 2))
    y = np.arange(40) % 2
    model = WideClassifier(ridge=1e-3, **SMALL).fit(X, y, sample_weight=np.where(y, 9.0, 1.0))
    assert (model.predict(X) == 1).all()
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 0.9, atol=0.02)


@pytest.mark.parametrize("optimizer", ["sgd", "gauss-newton"])
def test_every_index_and_number_of_threads_gives_the_same_network(optimizer):
    X, y = load_wine(return_X_y=True)
    settings = {"threshold": 1.0, "ridge": 0.1} if optimizer == "gauss-newton" else {"threshold": 1.0}
    fits = [
        WideClassifier(optimizer=optimizer, index=index, n_threads=threads, max_epochs=3, constant=1.0,
                       categories=[], **settings, **SMALL).fit(X, y)
        for index, threads in (("exhaustive", 1), ("drift", 2), ("weight_tree", 3))
    ]  # fmt: skip
    for model in fits[1:]:
        np.testing.assert_array_equal(weights_of(model), weights_of(fits[0]))
    assert fewfire.threads() != 3 or fits[0].n_threads == 1


def blas_threads():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_fits_that_overlap_leave_the_threads_that_there_were():
    X, y = load_iris(return_X_y=True)
    settings = {"threshold": 1.0, "ridge": 0.1, "constant": 1.0, "categories": [], "max_epochs": 1}
    fewfire.set_threads(2)
    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(4) as pool:
        before = blas_threads()
        list(pool.map(lambda k: WideClassifier(n_threads=1 + k % 3, **settings, **SMALL).fit(X, y), range(9)))
        assert blas_threads() == before
    assert fewfire.threads() == 2


def test_gradient_descent_learns():
    X, y = load_digits(return_X_y=True)
    model = WideClassifier(1024, optimizer="sgd", fire_rate=0.1, random_state=0).fit(X[:1200], y[:1200])
    assert model.optimizer_ == "sgd"
    assert model.learning_rate_ > 0
    assert len(model.history_) <= 20
    assert model.history_[0].fire_rate == pytest.approx(0.1, abs=0.05)
    assert model.score(X[1200:], y[1200:]) > 0.93


def test_few_samples_take_gauss_newton_steps():
    X, y = load_iris(return_X_y=True)
    model = WideClassifier(**SMALL).fit(X, y)
    assert model.optimizer_ == "gauss-newton"
    assert len(model.history_) <= 5


def test_parts_of_the_samples_come_in_turn():
    X, y = load_digits(return_X_y=True)
    model = WideClassifier(1024, random_state=0, batch_size=32)
    for _ in range(8):
        for first in range(0, 1200, 300):
            part = slice(first, first + 300)
            model.partial_fit(X[part], y[part], classes=np.arange(10))
    assert model.score(X[1200:], y[1200:]) > 0.9
    assert len({record.learning_rate for record in model.history_}) == 1
    with pytest.raises(ValueError, match="y must hold the classes"):
        model.partial_fit(X[:2], [3, 11])
    with pytest.raises(ValueError, match="classes must be given in the first call"):
        WideClassifier(**SMALL).partial_fit(X, y)


def test_values_come_in_parts():
    X, y = load_diabetes(return_X_y=True)
    model = WideRegressor(1024, random_state=0, batch_size=32)
    for _ in range(20):
        model.partial_fit(X[:200], y[:200]).partial_fit(X[200:400], y[200:400])
    assert model.score(X[:400], y[:400]) > 0.4
    with pytest.raises(ValueError, match="y must have 1 columns"):
        model.partial_fit(X, np.column_stack([y, y]))


def test_gauss_newton_steps_need_all_samples():
    assert not hasattr(WideClassifier(optimizer="gauss-newton"), "partial_fit")
    assert hasattr(WideClassifier(optimizer="sgd"), "partial_fit")


@pytest.mark.parametrize("optimizer", ["sgd", "gauss-newton"])
def test_a_warm_start_goes_on(optimizer):
    X, y = load_iris(return_X_y=True)
    model = WideClassifier(optimizer=optimizer, warm_start=True, max_epochs=1, **SMALL).fit(X, y)
    first, loss = weights_of(model), model.history_[-1].loss
    model.fit(X, y)
    assert len(model.history_) == 2
    assert (weights_of(model) != first).any()
    assert model.history_[-1].loss <= loss
    with pytest.raises(ValueError, match="a warm start must have the classes of the first"):
        model.fit(X, y % 2)
    cold = WideClassifier(optimizer=optimizer, max_epochs=1, **SMALL).fit(X, y)
    np.testing.assert_array_equal(weights_of(cold), first)
    np.testing.assert_array_equal(weights_of(cold.fit(X, y)), first)


def test_early_stopping_goes_back_to_the_best(capsys):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((200, 5)), random.standard_normal(200)
    settings = {"optimizer": "sgd", "max_epochs": 60, "batch_size": 16, "tol": 0.0}
    model = WideRegressor(early_stopping=True, n_iter_no_change=4, verbose=True, **settings, **SMALL)
    model.fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    errors = [float(line.split("held out ")[1].split(",")[0]) for line in lines]
    assert len(lines) == len(model.history_) < 60
    assert np.argmin(errors) <= len(errors) - 4
    last = WideRegressor(**settings, **SMALL).fit(X, y)
    assert np.abs(last.predict(X)).mean() > np.abs(model.predict(X) - y.mean()).mean()


def test_several_labels_for_a_sample():
    random = np.random.default_rng(0)
    X = random.standard_normal((300, 4))
    y = (X[:, :3] > 0.2).astype(int)
    for optimizer in ("gauss-newton", "sgd"):
        model = WideClassifier(512, optimizer=optimizer, random_state=0).fit(X[:200], y[:200])
        assert model.predict(X).shape == y.shape
        assert (model.predict(X[200:]) == y[200:]).mean() > 0.85
        np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    sparse = WideClassifier(512, optimizer="gauss-newton", random_state=0).fit(X[:200], csr_matrix(y[:200]))
    assert (sparse.predict(X[200:]) == y[200:]).mean() > 0.85
    with pytest.raises(ValueError, match=r"y must be \(n,\) labels or \(n, k\) of 0 and 1"):
        WideClassifier(**SMALL).fit(X, y + np.arange(3))


def test_sparse_rows():
    X, y = load_digits(return_X_y=True)
    X, y = X[:400], y[:400]
    dense, sparse = (WideClassifier(**SMALL).fit(rows, y) for rows in (X, csr_matrix(X)))
    np.testing.assert_array_equal(weights_of(dense), weights_of(sparse))
    np.testing.assert_array_equal(dense.predict(X), sparse.predict(csr_matrix(X)))
    with pytest.raises(MemoryLimitError, match="X must fit in memory as a dense array"):
        WideClassifier(**SMALL).fit(csr_matrix((20_000, 10**6)), np.arange(20_000) % 2)


def test_columns_of_a_frame():
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    colours = np.array(["red", "green", "blue"])[random.integers(0, 3, 300)]
    frame = pandas.DataFrame({
        "length": random.standard_normal(300), "colour": colours,
        "size": pandas.Categorical(random.integers(0, 4, 300)), "good": random.random(300) < 0.5,
    })  # fmt: skip
    y = np.where((colours == "green") ^ frame["good"], "yes", "no")
    model = WideClassifier(512, random_state=0).fit(frame[:200], y[:200])
    assert list(model.feature_names_in_) == ["length", "colour", "size", "good"]
    assert {1, 2} <= set(model.preparation_.one_hot.categories)
    assert model.score(frame[200:], y[200:]) > 0.95
    assert model.predict(frame.assign(colour="violet")).shape == (300,)  # as if it had no colour
    assert model.predict(frame.assign(colour=None)).shape == (300,)
    named = WideClassifier(512, random_state=0, categories=["good"]).fit(frame, y)
    assert set(named.preparation_.one_hot.categories) == {1, 2, 3}
    with pytest.raises(ValueError, match="categories must be columns of X"):
        WideClassifier(categories=["weight"], **SMALL).fit(frame, y)
    with pytest.raises(ValueError, match="should match"):
        model.predict(frame[["colour", "length", "size", "good"]])
    with pytest.raises(
        ValueError, match="A column must hold numbers, booleans, texts or categories. Got date"
    ):
        model.fit(frame.assign(day=pandas.Timestamp("2020-01-01")), y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert cross_val_score(WideClassifier(512, random_state=0), frame, y, cv=3).min() > 0.9


def test_a_warm_start_keeps_the_codes_of_a_frame():
    pandas = pytest.importorskip("pandas")
    colours = ["green", "red"] * 20
    y = np.arange(40) % 2
    model = WideClassifier(warm_start=True, **SMALL).fit(pandas.DataFrame({"colour": colours}), y)
    model.fit(pandas.DataFrame({"colour": ["blue", *colours[1:]]}), y)
    assert model._coding.categories == {0: ["green", "red"]}
    assert (model.predict(pandas.DataFrame({"colour": colours})) == y).all()


def _predicted(model_and_rows):
    model, rows = model_and_rows
    return model.predict_proba(rows)


def test_one_model_serves_threads_and_processes():
    X, y = load_digits(return_X_y=True)
    model = WideClassifier(512, random_state=0).fit(X[:500], y[:500])
    parts = [(model, X[first : first + 300]) for first in range(0, 1500, 100)]
    alone = [model.predict_proba(rows) for _, rows in parts]
    with ThreadPoolExecutor(4) as pool:
        by_threads = list(pool.map(_predicted, parts))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        by_forks = pool.map(_predicted, parts)
    for one, other, third in zip(alone, by_threads, by_forks, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_a_search_in_processes():
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(WideClassifier(**SMALL), {"threshold": [0.0, 1.0]}, cv=2, n_jobs=2)
    assert search.fit(X, y).best_score_ > 0.9


def test_an_interrupted_fit_leaves_a_model(monkeypatch):
    X, y = load_iris(return_X_y=True)
    model = WideClassifier(optimizer="sgd", max_epochs=50, tol=0.0, n_iter_no_change=50, **SMALL)
    calls, epoch = [], fewfire.Trainer.epoch

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return epoch(self, *args)

    monkeypatch.setattr(fewfire.Trainer, "epoch", interrupted)
    with pytest.warns(UserWarning, match="Training was interrupted"):
        model.fit(X, y)
    assert len(model.history_) == 5
    assert model.score(X, y) > 0.6


def test_fitting_holds_two_copies_of_the_samples_in_single_precision_at_the_most():
    """The rows on the unit sphere, and the same rows as the core takes them, 64 numbers in place of 51.

    Before there were copies in double precision too: twice the bytes of X and more.
    """
    X = np.random.default_rng(0).standard_normal((300_000, 50))
    y = (X[:, 0] > 0).astype(int)
    given = {"threshold": 1.0, "constant": 1.0, "features": "none", "categories": [], "index": "exhaustive"}
    model = WideClassifier(64, optimizer="sgd", max_epochs=1, random_state=0, **given)
    tracemalloc.start()
    try:
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    copies = 4 * (51 + 64) * len(X)
    assert peak < copies + 0.3 * X.nbytes


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_targets_of_any_size_are_learned(size):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = X[:, 0]
    plain = WideRegressor(width=128, random_state=0).fit(X, y).predict(X)
    predicted = WideRegressor(width=128, random_state=0).fit(X, size * y).predict(X)
    np.testing.assert_allclose(predicted / size, plain, rtol=1e-3, atol=1e-3)
