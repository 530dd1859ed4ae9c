"""What state machines over an index have in common."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import fewfire
from fewfire.system import machine


class OnAnyMachine(RuleBasedStateMachine):
    """In the midst of it all the number of threads and the instruction set change."""

    def teardown(self):
        machine.use_instruction_set(machine.available_instruction_sets()[0])

    @rule(count=st.integers(1, 4))
    def change_threads(self, count):
        fewfire.set_threads(count)

    @rule(name=st.sampled_from(machine.available_instruction_sets()))
    def change_instruction_set(self, name):
        machine.use_instruction_set(name)
