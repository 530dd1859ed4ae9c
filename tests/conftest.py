"""Settings of all tests: Hypothesis without a clock, and the machine left as it was found."""

import pytest
from hypothesis import settings

import fewfire

# The same examples each time, so that a change is to blame for a failure; `--hypothesis-profile=nightly`
# looks further.
settings.register_profile("fast", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("fast")


@pytest.fixture(autouse=True)
def _machine_as_it_was():
    threads, instruction_set = fewfire.threads(), fewfire.instruction_set()
    yield
    fewfire.set_threads(threads)
    fewfire.use_instruction_set(instruction_set)
