"""One rule for categories: seen in training, missing, or new, whichever way rows come."""

import numpy as np
import pandas
import pytest

from fewfire import load_dataset
from fewfire.data import load_inputs
from fewfire.estimators import WideClassifier
from fewfire.prepare.categories import UNSEEN, OneHot, codes_of
from fewfire.prepare.cells import Coding
from fewfire.prepare.columns import Features

TRAINED = pandas.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "city": ["Rome", None, "Oslo", "Rome"]})


def columns_of(cities) -> list[list[float]]:
    """The columns of 0 and 1 that these cities become, after training with a missing one."""
    known = Coding.of(TRAINED)
    one_hot = OneHot.of(known.coded(TRAINED).to_numpy(float), known.categories)
    frame = pandas.DataFrame({"x": np.zeros(len(cities)), "city": cities})
    return one_hot.transform(known.coded(frame).to_numpy(float))[:, 1:].tolist()


def test_a_value_that_training_has_not_seen_is_zero_in_all_columns_and_not_missing():
    # The columns stand for Oslo, Rome and a missing value.
    assert columns_of(["Rome", "Oslo", None, np.nan, "Lima"]) == [
        [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0],
    ]  # fmt: skip


def test_a_missing_value_that_is_new_is_zero_in_all_columns():
    trained = pandas.DataFrame({"city": ["Rome", "Oslo"]})
    known = Coding.of(trained)
    one_hot = OneHot.of(known.coded(trained).to_numpy(float), known.categories)
    coded = known.coded(pandas.DataFrame({"city": [None, "Lima", "Oslo"]})).to_numpy(float)
    assert one_hot.transform(coded).tolist() == [[0, 0], [0, 0], [1, 0]]


def test_an_estimator_tells_an_unseen_value_from_a_missing_one():
    random = np.random.default_rng(0)
    city = random.choice(np.array(["Rome", "Oslo", None], object), 120)
    frame = pandas.DataFrame({"x": random.standard_normal(120), "city": city})
    missing = np.array([value is None for value in city]).astype(int)  # which alone decides the class
    model = WideClassifier(width=512, random_state=0).fit(frame, missing)
    rows = pandas.DataFrame({"x": [0.0, 0.0], "city": [None, "Lima"]})
    assert model.predict(rows[:1]).tolist() == [1]
    decisions = model.decision_function(rows)
    assert decisions[0] != decisions[1]


def test_the_command_codes_by_the_same_rule():
    trained = Features(1, categories={0: ("Oslo", "Rome", "")})  # "" is a missing cell
    found = Features(1, categories={0: ("Lima", "Rome", "")})
    rows = trained.recoded(np.array([[0.0], [1.0], [2.0]]), found)
    assert trained.coded(rows).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_all_marks_of_a_missing_value_are_one_category_in_the_command(tmp_path):
    """Each was a category of its own, and one that training did not have was a value not seen."""
    rows = ["1,Rome,a", "2,?,b", "3,,a", "4,NA,b", "5,Oslo,a"]
    (tmp_path / "towns.csv").write_text("\n".join(["x,city,y", *rows * 8]))
    towns = load_dataset(tmp_path / "towns.csv")
    assert towns.features.categories == {1: ("Oslo", "Rome", "")}
    (tmp_path / "new.csv").write_text("x,city\n1,#N/A\n1,?\n1,Lima\n1,Oslo\n")
    found = load_inputs(tmp_path / "new.csv", towns.features)
    coded = towns.features.coded(found.inputs)[:, 1:]
    assert coded.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert towns.features.unseen_in(found.features) == ["'Lima' in city"]


def test_a_missing_value_keeps_the_way_in_which_it_is_written_where_that_is_one_alone(tmp_path):
    (tmp_path / "towns.csv").write_text("\n".join(["x,city,y", *["1,Rome,a", "2,?,b", "3,Oslo,a"] * 8]))
    towns = load_dataset(tmp_path / "towns.csv")
    assert towns.features.categories == {1: ("Oslo", "Rome", "?")}
    (tmp_path / "new.csv").write_text("x,city\n1,\n1,Rome\n1,?\n")
    rows = load_inputs(tmp_path / "new.csv", towns.features).inputs
    assert towns.features.coded(rows)[:, 1:].tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1]]


def test_codes():
    assert codes_of(["b", "z", "a"], ["a", "b"]).tolist() == [1, UNSEEN, 0]


def test_without_categories_nothing_is_copied():
    inputs = np.arange(6.0).reshape(3, 2)
    assert OneHot.of(inputs, []).transform(inputs) is inputs


@pytest.mark.parametrize("columns", [[1], [0, 1], [2, 0]])
def test_numbers_keep_their_order_before_the_categories(columns):
    inputs = np.array([[1.0, 5, 2], [3.0, 5, 2], [1.0, 6, 2]])
    coded = OneHot.of(inputs, columns).transform(inputs)
    kept = [column for column in range(3) if column not in columns]
    np.testing.assert_array_equal(coded[:, : len(kept)], inputs[:, kept])
    assert coded.shape[1] == len(kept) + sum(len(np.unique(inputs[:, column])) for column in columns)
    np.testing.assert_array_equal(coded[:, len(kept) :].sum(axis=1), len(columns))
