"""Decomposition of symmetric tensors: its gradient, its paths, what it finds and how often."""

from functools import reduce
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import eig

from fewfire import DataError
from fewfire.lab import OverparameterizedCP, SymmetricTensor, regime, study_tensors
from fewfire.lab.overparameterized_cp import loss_and_gradient, merged
from fewfire.lab.tensor_study import random_tensor


def dense(vectors, weights, order):
    """sum_k c_k u_k^(x l) as an array."""
    outer = [reduce(np.multiply.outer, [vector] * order) for vector in vectors]
    return np.tensordot(weights, outer, 1)


def dense_loss(components, signs, target, penalty):
    norms = np.linalg.norm(components, axis=1)
    model = dense(components / norms[:, None], signs * norms**2, target.ndim)
    return np.square(model - target).sum() / 2 + penalty * np.square(components).sum()


@given(
    order=st.integers(3, 5), features=st.integers(1, 4), count=st.integers(1, 4), rank=st.integers(1, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_loss_and_gradient_are_those_of_the_dense_tensor(order, features, count, rank, seed):
    random = np.random.default_rng(seed)
    components, signs = random.standard_normal((count, features)), random.choice([-1.0, 1.0], count)
    vectors, weights = random.standard_normal((rank, features)), random.standard_normal(rank)
    target = dense(vectors, weights, order)
    for tensor in (
        SymmetricTensor.from_factors(vectors, weights, order=order), SymmetricTensor.from_array(target)
    ):  # fmt: skip
        loss, gradient = loss_and_gradient(components, signs, tensor, 0.3)
        assert loss == pytest.approx(dense_loss(components, signs, target, 0.3), rel=1e-10)
        assert tensor.squared_norm == pytest.approx(np.square(target).sum(), rel=1e-10)
        scale = 1 + np.abs(gradient).max()
        for place in np.ndindex(components.shape):
            move = np.zeros_like(components)
            move[place] = 1e-6 * np.linalg.norm(components[place[0]])
            slope = (
                dense_loss(components + move, signs, target, 0.3)
                - dense_loss(components - move, signs, target, 0.3)
            ) / (2 * move[place])
            assert gradient[place] == pytest.approx(slope, abs=1e-5 * scale)


@pytest.mark.parametrize("order", [3, 4])
def test_samples_are_the_tensor_of_their_moment(order):
    random = np.random.default_rng(order)
    for count in (5, 500):  # kept as factors, and turned into an array
        samples = random.standard_normal((count, 4))
        tensor = SymmetricTensor.from_samples(samples, order=order)
        assert (tensor.array is None) == (count == 5)
        moment = SymmetricTensor.from_array(dense(samples, np.full(count, 1 / count), order))
        directions = random.standard_normal((3, 4))
        expected = moment.contracted(directions)
        within = 1e-10 * np.abs(expected).max()
        np.testing.assert_allclose(tensor.contracted(directions), expected, atol=within)
        assert tensor.squared_norm == pytest.approx(moment.squared_norm, rel=1e-10)


def test_a_rotated_target_and_start_give_the_rotated_path_and_permuted_components_the_permuted_one():
    random = np.random.default_rng(0)
    tensor, start = random_tensor(4, 6, 3, seed=1), 0.1 * random.standard_normal((7, 6))
    settings = {"n_components": 7, "steps": 100, "tolerance": 1e-12}
    plain = OverparameterizedCP(**settings).fit(tensor, start)
    turn, _ = np.linalg.qr(random.standard_normal((6, 6)))
    turned_tensor = SymmetricTensor.from_factors(tensor.vectors @ turn, tensor.weights, order=4)
    turned = OverparameterizedCP(**settings).fit(turned_tensor, start @ turn)
    np.testing.assert_allclose(turned.vectors_, plain.vectors_ @ turn, atol=1e-9)
    order = random.permutation(7)
    permuted = OverparameterizedCP(**settings).fit(tensor, start[order])
    np.testing.assert_allclose(permuted.vectors_, plain.vectors_[order], atol=1e-9)
    np.testing.assert_allclose(permuted.norms_curve_, plain.norms_curve_[:, order], atol=1e-9)


def test_three_times_the_rank_or_new_components_succeed_where_as_many_as_the_rank_fail():
    plain = {m: OverparameterizedCP(m, tolerance=1e-3) for m in (5, 15)}
    anew = OverparameterizedCP(5, tolerance=1e-4, reinit_every=600, steps=6000)
    tensor = random_tensor(4, 10, 5, seed=0)
    assert plain[15].success(tensor) == 1
    assert plain[5].success(tensor) == 0.25  # stored
    for seed in range(20):
        model = OverparameterizedCP(**vars_of(anew), random_state=seed).fit(tensor)
        assert model.loss_ <= 1e-4
        assert regime(model, tensor).worst > 0.99
        assert model.rank_ == 5


def vars_of(model):
    return {"n_components": model.n_components, "tolerance": model.tolerance,
            "reinit_every": model.reinit_every, "steps": model.steps}  # fmt: skip


def test_a_large_start_is_lazy_and_a_small_one_finds_the_components():
    for seed in range(20):
        tensor = random_tensor(4, 10, 5, seed)
        large = OverparameterizedCP(200, start=1.0, signs="random", random_state=seed, tolerance=1e-3)
        small = OverparameterizedCP(15, random_state=seed, tolerance=1e-5)
        lazy, rich = (regime(model.fit(tensor), tensor) for model in (large, small))
        assert (lazy.name, rich.name) == ("lazy", "features")
        assert 1 - lazy.turned >= 0.9
        assert lazy.aligned < 0.5
        assert 1 - rich.turned <= 0.75
        assert rich.worst > 0.99
        np.testing.assert_allclose(rich.weights.sum(), 1)
    assert large.moved_ < small.moved_


def test_between_lazy_and_features_there_is_room():
    tensor = random_tensor(4, 10, 5, 0)
    model = OverparameterizedCP(60, start=1.0, signs="random", tolerance=1e-3, steps=1500).fit(tensor)
    assert regime(model, tensor).name == "between"


def test_the_components_are_those_of_simultaneous_diagonalization():
    """At order 3 and a rank up to d two random slices have the factors as their eigenvectors."""
    random = np.random.default_rng(5)
    vectors = random.standard_normal((4, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = np.array([1.0, 0.9, 0.8, 0.7])
    array = dense(vectors, weights, 3)
    basis = np.linalg.svd(array.reshape(6, -1))[0][:, :4]
    core = np.einsum("abc,ai,bj,ck->ijk", array, basis, basis, basis)
    one, other = (core @ random.standard_normal(4) for _ in range(2))
    found = (basis @ np.real(eig(one, other)[1])).T
    found = np.linalg.pinv(found @ basis).T @ basis.T  # eigenvectors of the pencil are dual to the factors
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    model = OverparameterizedCP(4, tolerance=1e-9, reinit_every=600, steps=6000).fit(
        SymmetricTensor.from_factors(vectors, weights, order=3)
    )
    assert model.rank_ == 4
    np.testing.assert_allclose(np.abs(model.components_ @ found.T).max(axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(model.weights_, weights, atol=1e-3)


@pytest.mark.parametrize(("order", "signs"), [(4, (1, 1, 1)), (3, (1, -1, 1))])
def test_duplicates_of_one_component_are_merged_into_rank_1(order, signs):
    """At an odd order -v counts as -1 times v."""
    sign = np.array(signs, float)
    units = np.array([[0.6, 0.8]] * 3) * (sign if order == 3 else np.array([1, -1, 1]))[:, None]
    components, weights = merged(units, sign * [0.2, 0.3, 0.5], order)
    np.testing.assert_allclose(np.abs(components), [[0.6, 0.8]])
    np.testing.assert_allclose(weights, [1.0])


def test_components_of_other_signs_and_small_ones_are_not_merged():
    units = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    components, weights = merged(units, np.array([1.0, -0.5, 0.001]), 4)
    np.testing.assert_allclose(weights, [1.0, -0.5])
    assert components.shape == (2, 2)


def test_a_tensor_of_one_dimension_and_one_component():
    tensor = SymmetricTensor.from_factors([[2.0]], [3.0], order=3)
    model = OverparameterizedCP(1).fit(tensor)
    np.testing.assert_allclose(model.weights_ * model.components_[:, 0] ** 3, [24.0], rtol=1e-2)


def test_units_do_not_count():
    tensor = random_tensor(3, 5, 2, 0)
    larger = SymmetricTensor.from_factors(tensor.vectors, 1e6 * tensor.weights, order=3)
    one, other = (OverparameterizedCP(6).fit(some) for some in (tensor, larger))
    np.testing.assert_allclose(other.weights_, 1e6 * one.weights_)


def test_descent_ends_where_nothing_is_gained():
    tensor = random_tensor(4, 10, 5, 0)
    model = OverparameterizedCP(1, steps=20_000).fit(tensor)
    assert len(model.loss_curve_) < 2000
    assert model.loss_ > 0.1


def test_the_study_counts_starts_and_gives_advice():
    shares = []
    study = study_tensors(dim=6, rank=3, components=(3, 9), starts=(0.1,), seeds=3, progress=shares.append)
    kinds = [(row.n_components, row.reinit_every) for row in study.rows]
    assert kinds == [(3, None), (9, None), (3, 600), (9, 600)]
    assert all(0 <= row.successes <= row.starts == 3 for row in study.rows)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(study.table().splitlines()) == 5
    assert study.regimes["large start"]["turned_most"] < study.regimes["small start"]["turned_least"]
    plain = study.rows[0]
    if plain.successes < 3:
        assert f"3 components reached the tolerance in {plain.successes} of 3 starts. Use" in study.advice
    assert study.as_dict()["advice"] == study.advice


def test_what_cannot_be_decomposed_is_refused():
    with pytest.raises(ValueError, match=r"an order of at least 3 is needed.* Got 2. Use numpy.linalg.eigh"):
        SymmetricTensor.from_factors(np.eye(2), np.ones(2), order=2)
    with pytest.raises(ValueError, match="an order of at least 3 is needed"):
        SymmetricTensor.from_array(np.eye(2))
    lopsided = np.zeros((2, 2, 2))
    lopsided[0, 0, 1] = 1
    for array in (lopsided, np.zeros((2, 3, 2)), np.full((2, 2, 2), np.nan)):
        with pytest.raises(DataError, match="must be finite, and the same under all orders of its axes"):
            SymmetricTensor.from_array(array)
    assert SymmetricTensor.from_array(sum(np.transpose(lopsided, axes) for axes in permutations(range(3))))
    with pytest.raises(DataError, match=r"factors must be finite .* Got shapes \(2, 2\) and \(3,\)"):
        SymmetricTensor.from_factors(np.eye(2), np.ones(3), order=3)
    with pytest.raises(DataError, match="must not be 0"):
        OverparameterizedCP(2).fit(SymmetricTensor.from_factors(np.eye(2), np.zeros(2), order=3))
    with pytest.raises(DataError, match="even order with positive signs fits only"):
        OverparameterizedCP(2).fit(SymmetricTensor.from_factors(np.eye(2), [1.0, -1.0], order=4))
    cube = SymmetricTensor.from_array(np.ones((2, 2, 2)))
    with pytest.raises(DataError, match="must be of a tensor whose factors are known. Got an array"):
        regime(OverparameterizedCP(2).fit(cube), cube)
    for settings, message in (
        ({"n_components": 0}, "n_components must be a whole number"),
        ({"n_components": 2, "reinit_every": 0}, "reinit_every must be a whole number"),
        ({"n_components": 2, "signs": "mixed"}, "signs must be one of positive, random"),
        ({"n_components": 2, "start": 0.0}, "start must be a finite number > 0. Got 0.0"),
        ({"n_components": 2, "rate": -1.0}, "rate must be a finite number > 0"),
    ):
        with pytest.raises(ValueError, match=message):
            OverparameterizedCP(**settings).fit(cube)


def test_starts_and_penalties_that_cannot_be_are_refused_and_change_nothing():
    tensor = SymmetricTensor.from_factors(np.eye(4)[:2], [1.0, 0.5], order=4)
    model = OverparameterizedCP(3).fit(tensor)
    before = model.start_
    for start in (np.ones((2, 4)), np.zeros((3, 4)), np.full((3, 4), np.nan)):
        with pytest.raises(ValueError, match=r"start must be finite components \(3, 4\), not all 0"):
            model.fit(tensor, start=start)
    assert model.start_ is before
    for penalty in (-1.0, np.nan):
        with pytest.raises(ValueError, match="penalty must be a finite number >= 0"):
            OverparameterizedCP(3, penalty=penalty).fit(tensor)
