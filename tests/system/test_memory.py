"""Amounts of memory, read and written; and what this process holds."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewfire.system.memory import UNITS, available_bytes, bytes_of, peak_bytes, resident_bytes
from fewfire.system.words import bytes_text

POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@given(
    st.decimals(min_value=0, max_value=10**9, places=3, allow_nan=False),
    st.sampled_from(sorted(POWERS)),
    st.sampled_from(["", "B", "iB"]),
    st.sampled_from([str.upper, str.lower, str]),
    st.sampled_from(["", " ", "\t "]),
)
def test_a_number_and_a_unit_mean_their_product_exactly(number, letter, ending, case, space):
    if letter and not ending:
        ending = "B"
    elif not letter and ending == "iB":
        ending = "B"
    base = 1024 if ending == "iB" else 1000
    text = f"{space}{number:f}{space}{case(letter + ending)}{space}"
    assert bytes_of(text) == int(Fraction(number) * base ** POWERS[letter])


def test_amounts_as_people_write_them():
    assert bytes_of("8GB") == 8_000_000_000
    assert bytes_of("6.5GiB") == 6.5 * 2**30
    assert bytes_of("1000") == bytes_of("1 kb") == bytes_of("1000B") == 1000
    assert bytes_of("9" * 400 + "GB") > 10**400
    assert len(UNITS) == 10


@pytest.mark.parametrize(
    "text", ["", "GB", "8 G B", "8G", "-1GB", "1e9", "1,5GB", "8GBs", "8..5MB", "½GB", "nan"]
)
def test_anything_else_is_refused(text):
    message = rf"must be a number and a unit: B, KB.*Got {text!r}\. Write for example 8GB\."
    with pytest.raises(ValueError, match=message):
        bytes_of(text)


@given(st.integers(0, 10**16))
def test_what_is_written_can_be_read_back_to_three_digits(n_bytes):
    text = bytes_text(n_bytes)
    assert "e" not in text
    assert bytes_of(text) == pytest.approx(n_bytes, rel=0.006)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 KB"), (999_499, "999 KB"), (999_999, "1 MB"),
     (999_600_000, "1.00 GB"), (4_163_000_000, "4.16 GB"), (10**13, "10000.00 GB")],
)  # fmt: skip
def test_amounts_are_written_for_people(n_bytes, text):
    assert bytes_text(n_bytes) == text


def test_the_peak_is_never_below_what_is_held_now():
    before = resident_bytes()
    block = np.ones(10_000_000)
    assert before + 0.9 * block.nbytes <= resident_bytes() <= peak_bytes()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what a process holds")
def test_the_peak_is_not_that_of_the_parent_process():
    block = np.ones(50_000_000)
    code = "from fewfire.system.memory import peak_bytes; print(peak_bytes())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(child.stdout) < 0.9 * block.nbytes


def test_where_the_system_says_nothing_the_peak_stands_in(monkeypatch):
    monkeypatch.setattr("fewfire.system.memory._kilobytes", lambda field, status: None)
    assert resident_bytes() == peak_bytes() > 10_000_000
    assert available_bytes() is None


def test_the_memory_that_is_left_is_less_than_all():
    assert available_bytes() is None or 0 < available_bytes() < 2**50
