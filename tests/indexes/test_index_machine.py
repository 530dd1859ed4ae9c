"""Any sequence of what can happen to a drift index leaves it exact."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from checks import exhaustive_fire_set
from fewfire.indexes import DriftIndex
from fewfire.networks.momentum import Momentum
from machines import OnAnyMachine
from problems import clustered_problem, let_coast, random_descent, random_step
from strategies import seeds


class DriftIndexMachine(OnAnyMachine):
    @initialize(
        width=st.integers(1, 200),
        n_features=st.sampled_from([1, 3, 17, 70]),
        n_samples=st.integers(1, 40),
        threshold=st.sampled_from([0.0, 0.5, 1.5]),
        dtype=st.sampled_from([np.float32, np.float64]),
        sketch_size=st.sampled_from([None, 0, 1, 20]),
        optimizer=st.sampled_from(
            [
                Momentum(),
                Momentum(0.9),
                Momentum(0.5, nesterov=True),
                Momentum(0, weight_decay=0.01),
                Momentum(0.9, weight_decay=0.001),
                Momentum(0.9, nesterov=True, weight_decay=0.1),
            ]
        ),
        in_half_bytes=st.booleans(),
        seed=seeds,
    )
    def start(
        self, width, n_features, n_samples, threshold, dtype, sketch_size, optimizer, in_half_bytes, seed
    ):
        self.problem = clustered_problem(
            width, n_features, n_samples, threshold=threshold, dtype=dtype, seed=seed
        )
        let_coast(self.problem.network, optimizer)
        self.random = np.random.default_rng(seed)
        self.index = DriftIndex(sketch_size=sketch_size)
        self.build()
        if in_half_bytes:
            self.index.memory_limit = self.index.nbytes - 1
            self.build()
            assert self.index.table_bits == 4

    def some_batch(self, data):
        ids = data.draw(st.lists(st.integers(0, len(self.problem.inputs) - 1), min_size=1, max_size=50))
        return self.problem.inputs.batch(np.array(ids))

    @rule()
    def build(self):
        self.index.build(self.problem.network.layer, self.problem.inputs)

    @rule(data=st.data(), rate=st.sampled_from([1e-3, 1.0, 100.0, 1e4]))
    def step(self, data, rate):
        batch = self.some_batch(data)
        fires = self.index.fire_set(batch)
        self.index.moved(random_step(self.problem, batch, fires, rate, self.random))

    @rule(rate=st.sampled_from([1.0, 100.0]))
    def step_back_and_forth(self, rate):
        for direction in (rate, -rate):
            batch = self.problem.everything
            fires = self.index.fire_set(batch)
            self.index.moved(random_step(self.problem, batch, fires, direction, np.random.default_rng(0)))

    @rule(data=st.data(), rate=st.sampled_from([1e-3, 1.0, 100.0]))
    def step_and_find_who_fires_next(self, data, rate):
        batch, following = self.some_batch(data), self.some_batch(data)
        descent = random_descent(self.problem, batch, self.index.fire_set(batch), rate, self.random)
        found = self.index.descend(descent, following)
        assert found.identical(exhaustive_fire_set(self.problem.network, following))

    @rule()
    def settle(self):
        coasting, network = self.problem.network.layer.velocities, self.problem.network
        if coasting is None:
            return
        present = network.layer.present_weights()
        self.index.settle()
        coasting.settle()
        assert network.weights.tobytes() == present.tobytes()

    @rule(data=st.data())
    def refresh_some_blocks_at_the_next_step(self, data):
        blocks = len(self.index._wasted)
        self.index._wasted[data.draw(st.integers(0, blocks - 1)) :] = np.inf

    @rule(data=st.data())
    def ask(self, data):
        batch = self.some_batch(data)
        assert self.index.fire_set(batch).identical(exhaustive_fire_set(self.problem.network, batch))

    @invariant()
    def the_fire_set_of_everything_is_that_of_the_exhaustive_index(self):
        batch = self.problem.everything
        assert self.index.fire_set(batch).identical(exhaustive_fire_set(self.problem.network, batch))

    @invariant()
    def all_bounds_hold(self):
        self.index.check_invariants()


TestDriftIndexMachine = DriftIndexMachine.TestCase
TestDriftIndexMachine.settings = settings(stateful_step_count=25)
