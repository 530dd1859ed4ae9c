"""The search as a circuit of gates, for Qiskit: at small sizes, to hold the amplitudes against it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fewfire.errors import FewfireError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FEWEST, MOST = 2, 6  # qubits: from a controlled gate on, up to what is simulated in milliseconds


def grover_circuit(n_qubits: int, marked: Iterable[int], iterations: int) -> "QuantumCircuit":
    """Grover iterations from the uniform state over 2^n_qubits items.

    Parameters
    ----------
    n_qubits : int, 2 .. 6
    marked : ids in 0 .. 2^n_qubits - 1
        Such as the neurons that fire on a sample. Qubit q holds bit q of an id.
    iterations : int, >= 0

    Returns
    -------
    QuantumCircuit
        Without measurements.

    Raises
    ------
    ValueError
        A number is out of its range.
    FewfireError
        Qiskit is absent.

    Notes
    -----
    The oracle turns the sign of each marked item by a Z that is controlled by all other qubits. It is made
    from a list of marked items, so it knows what a search is for: a circuit that computes <w, x> > b from
    stored weights would take far more qubits than can be simulated.
    """
    marked = sorted(set(marked))
    if not FEWEST <= n_qubits <= MOST:
        raise ValueError(
            f"n_qubits must be {FEWEST} .. {MOST}. Got {n_qubits}. Use GroverIndex to count more."
        )
    if marked and not 0 <= marked[0] <= marked[-1] < 2**n_qubits:
        raise ValueError(
            f"marked ids must be 0 .. {2**n_qubits - 1} with {n_qubits} qubits. "
            f"Got {marked[0]} .. {marked[-1]}. Take more qubits."
        )
    try:
        from qiskit import QuantumCircuit
    except ImportError as error:
        raise absent(error) from error
    circuit = QuantumCircuit(n_qubits)
    circuit.h(range(n_qubits))
    for _ in range(iterations):
        for item in marked:
            _turn_sign(circuit, item)
        circuit.h(range(n_qubits))  # the reflection about the uniform state, but for a sign of the whole
        _turn_sign(circuit, 0)
        circuit.h(range(n_qubits))
    return circuit


def _turn_sign(circuit: "QuantumCircuit", item: int) -> None:
    """Mark one item: flip its qubits that are 0, then apply Z to the last where all the others are 1."""
    *others, last = circuit.qubits
    zeros = [qubit for place, qubit in enumerate(circuit.qubits) if not item >> place & 1]
    if zeros:
        circuit.x(zeros)
    circuit.h(last)
    circuit.mcx(others, last)
    circuit.h(last)
    if zeros:
        circuit.x(zeros)


def measured_counts(circuit: "QuantumCircuit", shots: int, seed: int = 0) -> NDArray[np.int64]:
    """How often each item is measured on Qiskit's Aer simulator, (2^n_qubits,).

    Raises
    ------
    FewfireError
        Qiskit or qiskit-aer is absent.
    """
    try:
        from qiskit import transpile
        from qiskit_aer import AerSimulator
    except ImportError as error:
        raise absent(error) from error
    simulator = AerSimulator(seed_simulator=seed)
    measured = circuit.copy()
    measured.measure_all()
    result = simulator.run(transpile(measured, simulator), shots=shots).result()
    counts = np.zeros(2**circuit.num_qubits, np.int64)
    for item, count in result.get_counts().int_outcomes().items():
        counts[item] = count
    return counts


def absent(error: ImportError) -> FewfireError:
    return FewfireError(f"a circuit needs Qiskit. Got: {error}. Run pip install 'fewfire[quantum]'.")
