"""Pictures of a run or a study, with Matplotlib."""

from importlib.util import find_spec


def can_draw() -> bool:
    """Whether Matplotlib is there."""
    return find_spec("matplotlib") is not None
