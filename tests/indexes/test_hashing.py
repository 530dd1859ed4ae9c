"""The hashing index: what it finds is what theory says, and its codes are always those of the weights."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fewfire
from checks import assert_part, exhaustive_fire_set, mask_of
from fewfire import Inputs, MemoryLimitError, TwoLayerNetwork
from fewfire.core.rows import padded
from fewfire.indexes import HashingIndex, ScreenedIndex
from fewfire.indexes.hash_functions import HASHES
from fewfire.networks.layer import Layer
from fewfire.networks.momentum import Momentum
from problems import clustered_problem, let_coast, random_step
from strategies import seeds
from trainers import descent_trainer

FAMILY = pytest.mark.parametrize("hash", HASHES)


def unit_rows(count, n_features, random):
    rows = random.standard_normal((count, n_features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def layer_of(weights, threshold, dtype=np.float32):
    return Layer(padded(weights, dtype), weights.shape[1], threshold, 1.0)


def theory(agree, bits, tables):
    """Probability that two rows share a bucket, where each bit agrees with this one."""
    return 1 - (1 - agree**bits) ** tables


# What is found


@pytest.mark.parametrize(("bits", "tables"), [(4, 3), (9, 50), (12, 20)])
@pytest.mark.parametrize("cosine", [0.3, 0.6, 0.9])
def test_planted_pairs_are_found_as_often_as_theory_says(bits, tables, cosine):
    n, d, runs, found = 1500, 200, 3, 0
    for seed in range(runs):
        random = np.random.default_rng(seed)
        samples, others = unit_rows(n, d, random), unit_rows(n, d, random)
        others -= (others * samples).sum(axis=1, keepdims=True) * samples
        others /= np.linalg.norm(others, axis=1, keepdims=True)
        weights = cosine * samples + np.sqrt(1 - cosine**2) * others
        index, inputs = HashingIndex(bits=bits, tables=tables, audit=0, seed=seed), Inputs.of(samples)
        index.build(layer_of(weights, 0.9 * cosine), inputs)
        found += mask_of(index.fire_set(inputs)).diagonal().sum()
    expected = theory(1 - np.arccos(cosine) / np.pi, bits, tables)
    assert abs(found - runs * n * expected) < 3 * np.sqrt(runs * n * expected * (1 - expected))


@pytest.mark.parametrize(
    ("hash", "bits", "tables", "looked_at"),
    [
        ("simhash", 4, 3, theory(1 / 2, 4, 3)),
        ("simhash", 9, 50, theory(1 / 2, 9, 50)),
        ("wta", 3, 2, theory(1 / 8, 1, 2)),
        ("wta", 9, 40, theory(1 / 8, 3, 40)),
        ("dwta", 6, 5, theory(1 / 8, 2, 5)),
    ],
)
def test_of_random_pairs_as_many_are_looked_at_as_theory_says(hash, bits, tables, looked_at):
    random = np.random.default_rng(0)
    layer = layer_of(random.standard_normal((2000, 300)), 0.0)
    inputs = Inputs.of(unit_rows(500, 300, random))
    index = HashingIndex(hash, bits, tables, audit=0)
    index.build(layer, inputs)
    index.fire_set(inputs)
    assert index.work.dots / index.work.asked == pytest.approx(looked_at, rel=0.05)


@pytest.mark.parametrize(("bits", "tables"), [(6, 20), (9, 50), (12, 100)])
def test_recall_on_random_inputs_is_that_of_theory(bits, tables):
    random, d = np.random.default_rng(0), 100
    weights, inputs = random.standard_normal((4000, d)), Inputs.of(unit_rows(1000, d, random))
    index = HashingIndex(bits=bits, tables=tables, audit=0)
    layer = layer_of(weights, 2.0)
    index.build(layer, inputs)
    everything = exhaustive_fire_set(TwoLayerNetwork(weights, np.ones((4000, 1)), 2.0), inputs)
    cosines = everything.values / np.linalg.norm(weights, axis=1)[everything.neurons()]
    expected = theory(1 - np.arccos(cosines) / np.pi, bits, tables).mean()
    assert len(index.fire_set(inputs)) / len(everything) == pytest.approx(expected, rel=0.05)


def test_with_tables_enough_it_finds_all(dtype):
    problem = clustered_problem(dtype=dtype)
    index = HashingIndex(bits=1, tables=60, audit=1)
    index.build(problem.network.layer, problem.inputs)
    assert index.fire_set(problem.everything).identical(
        exhaustive_fire_set(problem.network, problem.everything)
    )
    assert index.audited.recall == 1
    assert index.audited.missed_mass == 0


def test_a_bias_is_hashed_with_the_other_weights():
    random = np.random.default_rng(0)
    weights, samples = random.standard_normal((500, 20)), unit_rows(100, 20, random)
    samples[:, -1] = 3.0
    weights[:250, -1] = 10.0
    index = HashingIndex(bits=9, tables=10, audit=0)
    inputs = Inputs.of(samples)
    index.build(layer_of(weights, 0.0), inputs)
    found = mask_of(index.pairs_above(inputs, -1e9))
    assert found[:250].mean() > 5 * found[250:].mean()


def test_a_centre_leaves_the_order_of_the_neurons_and_parts_them():
    random = np.random.default_rng(0)
    weights = random.standard_normal((2000, 50)) + 5 * unit_rows(1, 50, random)
    inputs = Inputs.of(unit_rows(200, 50, random))
    shares = {}
    for centre in (False, True):
        index = HashingIndex(bits=9, tables=20, centre=centre, audit=0)
        index.build(layer_of(weights, 0.0), inputs)
        per_sample = mask_of(index.pairs_above(inputs, -1e9)).mean(axis=0)
        shares[centre] = per_sample.std() / per_sample.mean()
        index.check_invariants()
    assert shares[True] < 0.5 * shares[False]


def test_zeros_of_sparse_inputs_win_no_bins_of_dwta():
    random = np.random.default_rng(0)
    samples = np.where(random.random((300, 400)) < 0.05, random.random((300, 400)), 0)
    samples[0] = 0
    near = Inputs.of(samples * random.uniform(0.9, 1.1, samples.shape))
    found = {}
    for hash in ("wta", "dwta"):
        index = HashingIndex(hash, bits=6, tables=20, audit=0)
        index.build(layer_of(samples, 0.1), near)
        found[hash] = mask_of(index.pairs_above(near, -1e9))
    assert found["dwta"].diagonal().mean() > 0.95
    assert found["dwta"].mean() < 0.7
    assert found["wta"].mean() > 0.99  # zeros share buckets with zeros


# Codes are those of the weights


@st.composite
def walks(draw):
    hash = draw(st.sampled_from([*HASHES]))
    return dict(
        hash=hash,
        bits=HASHES[hash].bits * draw(st.integers(1, 4)),
        tables=draw(st.integers(1, 12)),
        centre=hash == "simhash" and draw(st.booleans()),
        problem=dict(
            width=draw(st.integers(1, 200)),
            n_features=draw(st.sampled_from([1, 3, 17, 70, 150])),
            threshold=draw(st.sampled_from([0.0, 0.5])),
            dtype=draw(st.sampled_from([np.float32, np.float64])),
            seed=draw(seeds),
        ),
        rates=draw(st.lists(st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e3, -1.0]), max_size=12)),
        rule=draw(st.sampled_from([None, None, Momentum(0.9), Momentum(0, weight_decay=0.01)])),
    )


@given(walks())
def test_codes_are_those_of_fresh_tables_after_any_moves(walk):
    problem = clustered_problem(**walk["problem"])
    if walk["rule"] is not None:
        let_coast(problem.network, walk["rule"])
    index = HashingIndex(walk["hash"], walk["bits"], walk["tables"], centre=walk["centre"], audit=0)
    index.build(problem.network.layer, problem.inputs)
    random = np.random.default_rng(0)
    for rate in walk["rates"]:
        batch = problem.inputs.batch(np.sort(random.choice(50, 16, replace=False)))
        everything = exhaustive_fire_set(problem.network, batch)
        assert_part(index.fire_set(batch), problem.network, batch)
        index.moved(random_step(problem, batch, everything, rate, random))
        index.check_invariants()


@FAMILY
def test_values_are_those_of_float64_where_these_are_sure(hash, dtype):
    random = np.random.default_rng(0)
    rows = np.where(random.random((300, 70)) < 0.2, 0, random.standard_normal((300, 70))).astype(dtype)
    functions = HASHES[hash].draw(20, 2, 70, dtype, random)
    codes = np.empty((40, 300), np.uint32)
    fewfire._core.hash_codes(functions.core_view(dtype), 1, padded(rows, dtype), codes)
    exact = rows.astype(np.float64)
    if hash == "simhash":
        values = exact @ functions.normals[:, :70].astype(np.float64).T > 0
    else:
        inside = exact[:, functions.bins]
        values = np.where((inside == 0) & functions.passes_zeros, -np.inf, inside).argmax(axis=2)
    sure = functions.margins(exact) > 1e-3
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(codes.T[sure], values[sure])


@pytest.mark.parametrize("wrong", ["code", "life", "bucket"])
def test_what_is_wrong_is_found(wrong):
    problem = clustered_problem()
    index = HashingIndex(bits=4, tables=3)
    index.build(problem.network.layer, problem.inputs)
    index.check_invariants()
    if wrong == "code":
        index._arrays["codes"][1, 7] ^= 1
    elif wrong == "life":
        index._arrays["lives"][0, 1, 7] += 2
    else:
        index._arrays["ids"][2, [0, -1]] = index._arrays["ids"][2, [-1, 0]]
    with pytest.raises(AssertionError):
        index.check_invariants()


def test_a_value_is_worked_out_again_only_where_it_may_have_changed():
    problem = clustered_problem(width=512, n_features=70)
    index = HashingIndex(bits=6, tables=20, audit=0)
    index.build(problem.network.layer, problem.inputs)
    batch, random = problem.everything, np.random.default_rng(0)
    for rate, share in ((1e-3, 0.01), (1.0, 0.05)):
        before = index.work.copy()
        for _ in range(10):
            fires = exhaustive_fire_set(problem.network, batch)
            index.moved(random_step(problem, batch, fires, rate, random))
        assert 0 < (index.work - before).hashed < share * 10 * 512 * 6 * 20


def test_where_weights_coast_all_is_hashed_at_each_step():
    problem = clustered_problem()
    let_coast(problem.network, Momentum(0.9))
    index = HashingIndex(bits=4, tables=3, audit=0)
    index.build(problem.network.layer, problem.inputs)
    fires = index.fire_set(problem.everything)
    index.moved(random_step(problem, problem.everything, fires, 1.0, np.random.default_rng(0)))
    assert index.work.hashed == 2 * 300 * 12
    index.check_invariants()


def test_after_so_many_steps_all_is_hashed_anew():
    problem = clustered_problem()
    index = HashingIndex(bits=4, tables=3, rehash=3, audit=0)
    index.build(problem.network.layer, problem.inputs)
    codes, random = index._arrays["codes"].copy(), np.random.default_rng(0)
    for step in range(1, 7):
        fires = exhaustive_fire_set(problem.network, problem.everything)
        index.moved(random_step(problem, problem.everything, fires, 300.0, random))
        assert np.array_equal(index._arrays["codes"], codes) == (step % 3 > 0)
        codes = index._arrays["codes"].copy()
    assert index.work.hashed == 3 * 300 * 12
    with_lives = HashingIndex(bits=4, tables=3)
    with_lives.build(problem.network.layer, problem.inputs)
    assert with_lives.nbytes - index.nbytes == 5 * 64 * 12


def test_once_a_share_of_the_values_is_another_all_is_hashed_anew():
    problem = clustered_problem()
    layer, random = problem.network.layer, np.random.default_rng(0)
    index = HashingIndex(bits=6, tables=3, rehash=0.05, audit=0)
    index.build(layer, problem.inputs)
    renewed = 0
    for step in range(1, 31):
        fires = exhaustive_fire_set(problem.network, problem.everything)
        before = index._arrays["codes"].copy()
        index.moved(random_step(problem, problem.everything, fires, 30.0, random))
        index.check_invariants()
        fresh = HashingIndex(bits=6, tables=3, audit=0)
        fresh.build(layer, problem.inputs)
        codes = fresh._arrays["codes"]
        changed = np.unpackbits((before ^ codes).view(np.uint8)).mean() * 32 / 6
        expected = codes if changed > 0.05 else before
        assert np.array_equal(index._arrays["codes"], expected)
        renewed += changed > 0.05
        assert index.work.hashed == (1 + step) * 300 * 18
    assert 0 < renewed < 30


# In training


def weights_after(index, threads, epochs=3):
    fewfire.set_threads(threads)
    problem = clustered_problem()
    trainer = descent_trainer(
        problem.network, problem.inputs, problem.targets, index=index, batch_size=10, learning_rate=3.0
    )
    trainer.build()
    for _ in range(epochs):
        trainer.epoch()
    return problem.network.weights.tobytes(), trainer.history


@FAMILY
def test_weights_are_the_same_with_any_number_of_threads(hash):
    bits = 2 * HASHES[hash].bits
    one, *others = (weights_after(HashingIndex(hash, bits, 5), threads)[0] for threads in (1, 2, 3))
    assert all(weights == one for weights in others)
    assert one != weights_after(HashingIndex(hash, bits, 5, seed=1), 1)[0]
    assert one != weights_after("drift", 1)[0]


def test_the_recall_is_in_the_history():
    _, history = weights_after(HashingIndex(bits=4, tables=5, audit=1), 2)
    assert all(0 < record.recall < 1 and 0 < record.missed_mass < 1 for record in history)
    _, history = weights_after(HashingIndex(bits=4, tables=5, audit=0), 2)
    assert [(record.recall, record.missed_mass) for record in history] == [(None, None)] * 3
    _, history = weights_after("drift", 2)
    assert [(record.recall, record.missed_mass) for record in history] == [(None, None)] * 3


def test_an_audit_changes_no_weight():
    assert weights_after(HashingIndex(audit=1), 1)[0] == weights_after(HashingIndex(audit=0), 1)[0]


def test_a_run_goes_on_with_the_same_bits():
    weights, whole = weights_after(HashingIndex(bits=4, tables=5, audit=1), 1, epochs=4)
    problem = clustered_problem()

    def trainer(**settings):
        return descent_trainer(
            problem.network, problem.inputs, problem.targets, index=HashingIndex(bits=4, audit=1, **settings),
            batch_size=10, learning_rate=3.0,
        )  # fmt: skip

    first = trainer(tables=5)
    first.build()
    first.epoch(), first.epoch()
    state = first.state()
    assert state.terms["approximate_index"]["tables"] == 5
    problem = clustered_problem()
    for other in ({"tables": 6}, {"tables": 5, "seed": 1}):
        with pytest.raises(fewfire.DataError, match="was saved with approximate_index = "):
            trainer(**other).restore(state)
    second = trainer(tables=5)
    second.restore(state)
    second.build()
    second.epoch(), second.epoch()
    assert problem.network.weights.tobytes() == weights
    assert [record.loss for record in second.history] == [record.loss for record in whole]


# Memory, and what is refused


@pytest.mark.parametrize("rehash", ["drift", 5])
def test_memory_is_counted_and_its_limit_kept(rehash):
    problem = clustered_problem()
    index = HashingIndex(rehash=rehash)
    assert index.nbytes == 0
    index.build(problem.network.layer, problem.inputs)
    functions = vars(index._functions) | vars(index._functions.structure)
    held = [
        *index._arrays.values(),
        *(value for value in functions.values() if isinstance(value, np.ndarray)),
    ]
    assert index.nbytes == sum(array.nbytes for array in held)
    index.memory_limit = index.nbytes
    index.build(problem.network.layer, problem.inputs)
    before = index.fire_set(problem.everything)
    index.memory_limit -= 1
    with pytest.raises(MemoryLimitError, match="the hashing index must fit .* use the exhaustive index"):
        index.build(problem.network.layer, problem.inputs)
    assert index.fire_set(problem.everything).identical(before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hash": "minhash"}, "the hash must be one of simhash, wta, dwta. Got 'minhash'"),
        ({"bits": 0}, "bits must be from 1 to 20 in steps of 1 with simhash. Got 0"),
        ({"bits": 21}, "Got 21"),
        ({"hash": "wta", "bits": 8}, "in steps of 3 with wta. Got 8"),
        ({"tables": 0}, "tables must be a whole number >= 1. Got 0"),
        (
            {"rehash": 0},
            "a whole number of steps >= 1 or a share between 0 and 1. Got 0",
        ),
        ({"rehash": 1.5}, "Got 1.5"),
        ({"rehash": "often"}, "Got 'often'"),
        ({"hash": "wta", "centre": True}, "centre must go with simhash. Got it with wta"),
        ({"audit": 1.5}, "audit must be a share of the batches, from 0 to 1. Got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        HashingIndex(**arguments)


def test_the_index_is_open():
    network = TwoLayerNetwork.initialize(200, 9, 1, threshold=0.5)
    index, exact = HashingIndex(bits=2, tables=4, audit=0), ScreenedIndex()
    new = Inputs.of(unit_rows(30, 9, np.random.default_rng(0)))
    for one in (index, exact):
        one.build(network.layer, new)
    assert 0.5 < len(index.fire_set(new)) / len(exact.fire_set(new)) < 1


def test_numbers_of_numpy_are_taken_as_those_of_python():
    index = HashingIndex(bits=np.int64(9), tables=np.int64(5), rehash=np.float32(0.25))
    assert json.loads(json.dumps(index.terms))["rehash"] == 0.25
    assert isinstance(index.rehash, float)
