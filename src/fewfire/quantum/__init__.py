"""Quantum search, simulated: how often it would ask its oracle. No speed-up on any machine of today."""
