"""Candidates are ranked by paired runs: the bad ones stop early, ties are named, lying scores refused."""

from math import comb

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB

import fewfire
from fewfire.errors import DataError
from fewfire.plan import Attempt, Seen, Trials, edge_dynamics, grid, rank
from fewfire.plan.pairing import Paired
from problems import clustered_samples


def problem(n=600, n_classes=3, seed=0):
    samples, nearest = clustered_samples(n, 10, seed)
    return samples, nearest % n_classes


class Curve(Trials):
    """A candidate whose loss and accuracy follow curves of the epoch."""

    depth = width = n_parameters = sharpness = None
    has_classes, loss_name, rate = True, "squared", 1.0

    def __init__(self, codes, losses, accuracies, column=1):
        self.codes, self.losses, self.accuracies, self.column = codes, losses, accuracies, column
        self.n_samples, self.batch_size, self.epochs = len(codes), len(codes) // 8, 0

    def begin(self, rate, seed):
        return OnCurve(self, seed)


class OnCurve(Attempt):
    def __init__(self, curve, seed):
        self.curve, self.steps, self.random = curve, 0, np.random.default_rng(seed)

    def step(self):
        epoch = self.steps // self.curve.steps_per_epoch
        self.curve.epochs += self.steps % self.curve.steps_per_epoch == 0
        self.steps += 1
        return Seen(self.curve.losses[epoch] + 0.01 * self.random.standard_normal(), None, 1)

    def outputs(self, inputs):
        """Right on the rows with the least values in a column."""
        epoch = self.steps // self.curve.steps_per_epoch - 1
        truth = inputs[:, 0] > 0
        right = np.argsort(np.argsort(inputs[:, self.curve.column])) < self.curve.accuracies[epoch] * len(
            inputs
        )
        return np.eye(2)[np.where(right, truth, ~truth).astype(int)]


def curves(**candidates):
    """Candidates by name, which remember how long they were trained."""
    made = {}

    def maker(name, *curve):
        def make(inputs, codes):
            made[name] = Curve(codes, *curve)
            return made[name]

        return make

    return {name: maker(name, *curve) for name, curve in candidates.items()}, made


def rows(n=400):
    samples = np.random.default_rng(0).standard_normal((n, 3))
    return samples, samples[:, 0] > samples[:, 0].mean()


GOOD, FAIR, BAD = (
    ([1.0, 0.5, 0.3, 0.2], [0.7, 0.8, 0.85, 0.9]),
    ([1.1, 0.7, 0.6, 0.5], [0.6, 0.7, 0.75, 0.8]),
    ([2.0, 1.9, 1.9, 1.9], [0.5, 0.5, 0.5, 0.5]),
)


def test_the_right_one_wins_the_others_stop_as_by_hand_and_nothing_is_trained_twice():
    candidates, made = curves(good=GOOD, fair=FAIR, bad=BAD)
    found = rank(candidates, *rows(), epochs=1, rounds=3, seeds=2, score="speed")
    assert [row.name for row in found.table] == ["good", "fair", "bad"]
    assert [row.dropped for row in found.table] == [None, 1, 1]  # a third of three is one
    assert {name: curve.epochs for name, curve in made.items()} == {"good": 8, "fair": 2, "bad": 2}
    assert (found.epochs_spent, found.epochs_of_all) == (12, 24)
    assert found.saved == 0.5
    assert found.best.score == pytest.approx(-0.5, abs=0.01)


def test_the_order_of_the_candidates_does_not_count():
    first, _ = curves(good=GOOD, fair=FAIR, bad=BAD)
    second, _ = curves(bad=BAD, good=GOOD, fair=FAIR)
    assert rank(first, *rows()).table == rank(second, *rows()).table


def test_a_slow_starter_is_not_dropped_while_it_may_be_as_good():
    slow = ([1.0, 0.4, 0.2, 0.1], [0.68, 0.82, 0.9, 0.95], 2)
    candidates, _ = curves(good=GOOD, slow=slow, bad=BAD)
    found = rank(candidates, *rows(), score="validation", rounds=3)
    assert found.best.name == "slow"
    assert {row.name: row.dropped for row in found.table} == {"slow": None, "good": None, "bad": 1}
    assert found.best.by_early_accuracy == 2


def test_equals_are_a_tie_and_no_number_of_rows_would_tell():
    candidates, _ = curves(one=GOOD, other=GOOD)
    found = rank(candidates, *rows())
    assert [row.name for row in found.ties] == ["other"]
    assert np.isinf(found.ties[0].needed)
    assert "another cannot be told from it (80 held rows; no finite number would" in found.conclusion
    assert found.as_dict()["table"][1]["needed"] is None


def test_a_score_that_is_the_same_for_all_is_named():
    candidates, _ = curves(one=GOOD, other=GOOD)
    assert "The score 'validation' is the same" in rank(candidates, *rows(), score="validation").remarks[0]


@pytest.mark.parametrize("n", range(1, 13))
def test_the_p_value_is_that_of_all_outcomes(n):
    for k in range(n + 1):
        chances = [comb(n, i) / 2**n for i in range(n + 1)]
        exact = sum(chance for chance in chances if chance <= chances[k] * (1 + 1e-9))
        assert Paired(k, n - k, 100).p_value == pytest.approx(exact)


def test_so_many_rows_as_are_named_would_tell():
    few = Paired(14, 11, 1000)
    assert few.is_tie
    assert few.needed == 7516  # 1.6449^2 * 0.025 / 0.003^2
    many = few.needed / 1000
    assert not Paired(round(14 * many * 1.25), round(11 * many * 1.25), round(1000 * many * 1.25)).is_tie


def test_real_networks_are_ranked_the_same_whatever_the_threads():
    candidates = grid(width=[8, 1024], threshold=[0.5, 3.5], batch_size=[64])
    usual, tables = fewfire.threads(), []
    try:
        for threads in (1, 3):
            fewfire.set_threads(threads)
            found = rank(candidates, *problem(), rounds=2)
            tables.append(found.table)
    finally:
        fewfire.set_threads(usual)
    assert tables[0] == tables[1]
    assert found.best.name == "width 1024, threshold 0.5, batch_size 64"
    assert found.score == "validation"
    assert {row.by_chance for row in found.table} == {1, 2, 3, 4}
    assert all(row.kernel_error is not None for row in found.table)


def test_estimators_are_ranked_by_validation_beside_networks():
    candidates = {
        "linear": SGDClassifier(),
        "deep": {"width": [64, 64], "threshold": 0.5},
        "wide": {"width": 1024, "threshold": 0.5},
    }
    found = rank(candidates, *problem(), rounds=2)
    assert found.score == "validation"
    assert {row.name for row in found.table} == set(candidates)
    assert any("Left out for 2 of 3 of them" in remark for remark in found.remarks)
    with pytest.raises(
        ValueError, match="an estimator, whose losses are not known, squared in batches of 256"
    ):
        rank(candidates, *problem(), score="speed")


def test_what_diverges_is_named_and_is_last():
    candidates = {"sane": {"width": 256}, "wild": {"width": 256, "learning_rate": 1e30}}
    found = rank(candidates, *problem(), rounds=2)
    assert [row.name for row in found.table] == ["sane", "wild"]
    assert "Not finite: wild." in found.remarks


@pytest.mark.parametrize(
    ("candidates", "settings", "message"),
    [
        ([], {}, "a ranking must have candidates. Got none"),
        ([{"widht": 3}], {}, "a setting of a candidate must be one of .* Got 'widht'. Did you mean width"),
        ([3], {}, "a candidate must be settings, an estimator with partial_fit, or a function"),
        ([{}], {"keep": 0}, r"keep must lie in \(0, 1\], held_out in \(0, 1\). Got 0"),
        ([{}], {"score": "luck"}, "the score must be one of speed, validation, edge_dynamics"),
        (grid(loss=["squared", "softmax"], width=[64]), {"score": "speed"},
         "Got softmax in batches of 48, squared in batches of 48. Use score='validation'"),
        ([{"loss": "softmax", "width": 64}], {"score": "edge_dynamics"},
         "must have the squared loss. Got softmax: after a softmax the derivatives .* add up to 0"),
        ([{"width": 64}], {"score": "edge_dynamics"}, "must have two hidden layers at least"),
        ([GaussianNB()], {"score": "edge_dynamics"}, "must have a network's layers"),
    ],
)  # fmt: skip
def test_what_cannot_be_ranked_is_refused(candidates, settings, message):
    with pytest.raises(ValueError, match=message):
        rank(candidates, *problem(60), **settings)


def test_labels_that_are_no_classes_are_refused():
    samples, codes = problem(60)
    with pytest.raises(DataError, match="labels that are classes. Got real values"):
        rank([{"width": 64}], samples, codes + 0.5)
    with pytest.raises(DataError, match=r"rows of finite numbers with one label each. Got shapes \(60, 10\)"):
        rank([{"width": 64}], samples, codes[1:])


def by_edges(layers, sample, target):
    """The statistic from the matrix of all edges, for one sample."""
    activations, derivatives = [sample], []
    for weights, biases in layers[:-1]:
        before = weights @ activations[-1] + biases
        derivatives.append(before > 0)
        activations.append(np.maximum(before, 0))
    deltas = [layers[-1][0] @ activations[-1] + layers[-1][1] - target]
    for (weights, _), derivative in zip(reversed(layers[1:]), reversed(derivatives), strict=True):
        deltas.insert(0, (weights.T @ deltas[0]) * derivative)
    edges = [(layer, i, j) for layer, (weights, _) in enumerate(layers)
             for i in range(weights.shape[1]) for j in range(weights.shape[0])]  # fmt: skip
    matrix = np.zeros((len(edges), len(edges)))
    for row, (layer, i, j) in enumerate(edges):
        for column, (other, head, k) in enumerate(edges):
            if other == layer + 1 and head == j:
                matrix[row, column] = activations[layer][i] * derivatives[layer][j] * deltas[layer + 1][k]
    s_in, s_out = matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return (s_out * s_in).sum() / s_in.sum()


@pytest.mark.parametrize("sizes", [(3, 4, 5, 2), (2, 3, 4, 3, 2)])
def test_the_statistic_of_edges_is_that_of_the_matrix_of_all_edges(sizes):
    random = np.random.default_rng(0)
    layers = [(random.standard_normal((b, a)), random.standard_normal(b))
              for a, b in zip(sizes, sizes[1:], strict=False)]  # fmt: skip
    inputs, targets = random.standard_normal((6, sizes[0])), random.standard_normal((6, sizes[-1]))
    expected = np.nanmean([by_edges(layers, x, y) for x, y in zip(inputs, targets, strict=True)])
    assert edge_dynamics(layers, inputs, targets) == pytest.approx(expected)


def test_the_statistic_of_edges_ranks_modules_by_the_squared_loss():
    torch = pytest.importorskip("torch")
    from fewfire.torch import trials_of

    def maker(width):
        def make_module():
            sizes = (11, width, width, 3)
            layers = [torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)]
            return torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])

        def make(inputs, codes):
            targets = np.eye(3, dtype=np.float32)[codes]
            loss = torch.nn.functional.mse_loss
            return trials_of(make_module, inputs, targets, loss=loss, curvature=2 / 3, batch_size=64)

        return make

    candidates = {"narrow": maker(8), "wide": maker(32)}
    found = rank(candidates, *problem(), score="edge_dynamics", rounds=1)
    assert {row.name for row in found.table} == set(candidates)
    assert all(np.isfinite(row.score) for row in found.table)
