"""csrc/selftest, built with sanitizers and run: the core without Python."""

import re

import pytest

from selftests import TOOLS, built_selftest, run


def run_selftest(program):
    """Under thread sanitizer some kernels place memory where it cannot be: then with fixed addresses."""
    try:
        return run(program)
    except AssertionError as error:
        if "unexpected memory mapping" not in str(error):
            raise
        return run("setarch", "-R", program)


@pytest.mark.slow
@pytest.mark.skipif(None in TOOLS, reason="needs cmake and ninja")
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_the_selftest_passes_without_a_word_from_the_sanitizers(sanitizers):
    program = built_selftest(sanitizers.replace(",", "-"), f"-DFEWFIRE_SANITIZE={sanitizers}")
    done = run_selftest(program)
    assert re.fullmatch(r"selftest: [1-9]\d{3,} checks passed, weights [0-9a-f]{16}\n", done.stdout)
    assert done.stderr == ""
