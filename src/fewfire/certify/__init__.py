"""What can be promised of outputs for all inputs near a given one."""

from fewfire.certify.implicit import ImplicitLayer, Solution, StateBox

__all__ = ["ImplicitLayer", "Solution", "StateBox"]
