"""Quantum search, simulated: how often it would ask its oracle. No speed-up on any machine of today."""

from fewfire.quantum.circuit import grover_circuit, measured_counts
from fewfire.quantum.search import (
    Searches,
    chances,
    draw_reports,
    draw_searches,
    expected_report,
    expected_searches,
)

__all__ = [
    "Searches",
    "chances",
    "draw_reports",
    "draw_searches",
    "expected_report",
    "expected_searches",
    "grover_circuit",
    "measured_counts",
]
