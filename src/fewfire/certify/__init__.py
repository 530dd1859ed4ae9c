"""What can be promised of outputs for all inputs near a given one."""

from fewfire.certify.implicit import ImplicitLayer, Solution, StateBox

__all__ = ["ImplicitLayer", "Solution", "StateBox"]
"""What a network says near a sample, proven: bounds of its outputs, and labels that no move can change."""

from fewfire.adversarial.ball import Ball, Box
from fewfire.certify.certificate import Certificate, Margins, certify
from fewfire.certify.prover import Bounds, bounds

__all__ = ["Ball", "Bounds", "Box", "Certificate", "Margins", "bounds", "certify"]
