"""What is proven of outputs for all inputs near a given one: bounds, labels, and implicit layers."""

from fewfire.adversarial.ball import Ball, Box
from fewfire.certify.certificate import Certificate, Margins, certify
from fewfire.certify.implicit import ImplicitLayer, Solution, StateBox
from fewfire.certify.prover import Bounds, bounds

__all__ = [
    "Ball",
    "Bounds",
    "Box",
    "Certificate",
    "ImplicitLayer",
    "Margins",
    "Solution",
    "StateBox",
    "bounds",
    "certify",
]
