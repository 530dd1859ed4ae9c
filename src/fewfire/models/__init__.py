"""Representations before the wide layer, and a head of second order in its place, behind scikit-learn's API.

The two classes need the extra `sklearn` and are loaded when they are asked for; what they compute does not.
docs/theory/hierarchical.md.
"""

from typing import TYPE_CHECKING, Any

from fewfire.system.later import with_scikit_learn

if TYPE_CHECKING:
    from fewfire.models.quadratic import QuadraticHead
    from fewfire.models.representation import Representation

_LATER = {"QuadraticHead": "quadratic", "Representation": "representation"}

__all__ = ["QuadraticHead", "Representation"]


def __getattr__(name: str) -> Any:
    """The classes, which load scikit-learn."""
    if name not in _LATER:
        raise AttributeError(f"module 'fewfire.models' has no attribute {name!r}")
    return with_scikit_learn(f"fewfire.models.{_LATER[name]}", name, f"fewfire.models.{name}")


def __dir__() -> list[str]:
    return [*globals(), *_LATER]
