"""Words that messages share: each thing is said in one way."""

from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral


def require_one_of(value: object, names: Iterable[str], what: str) -> None:
    """Raise ValueError unless a value is one of these names.

    Parameters
    ----------
    what : str
        What the value is, with its article: "the loss".
    """
    known = list(names)
    if not (isinstance(value, str) and value in known):
        near = did_you_mean(value, known) if isinstance(value, str) else ""
        raise ValueError(
            f"{what} must be one of {', '.join(known)}. Got {value!r}. {near}Choose one of them."
        )


def require_counts(**counts: object) -> None:
    """Raise ValueError unless each of these is a whole number >= 1."""
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name} must be a whole number >= 1. Got {count!r}. Use 1 or more.")


def bytes_text(n_bytes: int) -> str:
    """A number of bytes for a person: 4.16 GB."""
    for power, unit in enumerate(("B", "KB", "MB")):
        if n_bytes < 999.5 * 1000**power:  # else three digits would round to the next unit
            return f"{n_bytes / 1000**power:.3g} {unit}"
    return f"{n_bytes / 1000**3:.2f} GB"


def seconds_text(seconds: float) -> str:
    """A time for a person: 31.2 s, 46 ms."""
    if seconds < 0.9995:
        return f"{1e3 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 999.5 else f"{seconds:,.0f} s"


def did_you_mean(value: str, names: Iterable[str]) -> str:
    """A question, for a value that is nearly one of these names; else nothing."""
    return "".join(f"Did you mean {name}? " for name in get_close_matches(value, list(names), 1, 0.7))


def why(error: BaseException) -> str:
    """What went wrong, in one line without a number: for a file its path and what the system says of it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__
