"""The circuit of a search has the amplitudes that the simulation draws from."""

import sys

import numpy as np
import pytest

from checks import exhaustive_fire_set
from fewfire import FewfireError
from fewfire.quantum.circuit import grover_circuit, measured_counts
from fewfire.quantum.search import chances
from problems import clustered_problem

QUBITS = pytest.mark.parametrize("n_qubits", [2, 3, 4, 5, 6])


def firing_neurons(n_qubits):
    """Of a network of 2^n_qubits neurons on one sample on which some fire, but not most."""
    problem = clustered_problem(width=2**n_qubits, n_samples=1, n_outputs=1, threshold=0.8, seed=3)
    return exhaustive_fire_set(problem.network, problem.everything).neurons()


def expected_probabilities(n_qubits, marked, iterations):
    n_items = 2**n_qubits
    chance = float(chances(n_items, len(marked), iterations))
    probabilities = np.full(n_items, (1 - chance) / max(1, n_items - len(marked)))
    probabilities[list(marked)] = chance / max(1, len(marked))
    return probabilities


def assert_has_the_amplitudes(n_qubits, marked, iterations):
    quantum_info = pytest.importorskip("qiskit.quantum_info", reason="the extra quantum is not installed")
    found = quantum_info.Statevector(grover_circuit(n_qubits, marked, iterations)).probabilities()
    np.testing.assert_allclose(found, expected_probabilities(n_qubits, marked, iterations), atol=1e-9)


@QUBITS
@pytest.mark.parametrize("iterations", [0, 1, 2, 5])
def test_the_state_that_finds_the_firing_neurons_has_the_amplitudes(n_qubits, iterations):
    marked = firing_neurons(n_qubits)
    assert 0 < len(marked) < 2**n_qubits / 2
    assert_has_the_amplitudes(n_qubits, marked, iterations)


@QUBITS
@pytest.mark.parametrize("which", ["none", "first", "last", "all-but-one", "all"])
def test_any_items_may_be_marked(n_qubits, which):
    items = range(2**n_qubits)
    marked = {"none": [], "first": items[:1], "last": items[-1:], "all-but-one": items[1:], "all": items}[
        which
    ]
    assert_has_the_amplitudes(n_qubits, marked, 2)


@QUBITS
def test_measurements_are_distributed_as_the_amplitudes_say(n_qubits):
    pytest.importorskip("qiskit_aer", reason="the extra quantum is not installed")
    marked, shots = firing_neurons(n_qubits), 20_000
    counts = measured_counts(grover_circuit(n_qubits, marked, 1), shots, seed=1)
    expected = shots * expected_probabilities(n_qubits, marked, 1)
    assert counts.sum() == shots
    possible = expected > 1e-6
    assert not counts[~possible].any()
    chi_square = np.sum((counts - expected)[possible] ** 2 / expected[possible])
    freedom = np.count_nonzero(possible) - 1
    assert chi_square <= freedom + 3 * np.sqrt(2 * freedom)
    wrong = shots * expected_probabilities(n_qubits, marked, 0)
    assert np.sum((counts - wrong) ** 2 / wrong) > 10 * 2**n_qubits  # the test can fail


@pytest.mark.parametrize("n_qubits", [1, 7])
def test_the_number_of_qubits_is_bounded(n_qubits):
    with pytest.raises(ValueError, match=rf"n_qubits must be 2 \.\. 6\. Got {n_qubits}\. Use GroverIndex"):
        grover_circuit(n_qubits, [1], 1)


@pytest.mark.parametrize("marked", [[8], [-1], [0, 9]])
def test_marked_ids_must_be_items(marked):
    message = rf"marked ids must be 0 \.\. 7 with 3 qubits\. Got {min(marked)} \.\. {max(marked)}\. Take more"
    with pytest.raises(ValueError, match=message):
        grover_circuit(3, marked, 1)


def test_without_qiskit_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "qiskit", None)
    message = r"a circuit needs Qiskit\. Got: .*qiskit.*\. Run pip install 'fewfire\[quantum\]'\."
    with pytest.raises(FewfireError, match=message):
        grover_circuit(3, [1], 1)
    with pytest.raises(FewfireError, match=message):
        measured_counts(None, 10)
