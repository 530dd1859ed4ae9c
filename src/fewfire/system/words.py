"""Words that messages share: each thing is said in one way."""

from collections.abc import Iterable


def require_one_of(value: object, names: Iterable[str], what: str) -> None:
    """Raise ValueError unless a value is one of these names.

    Parameters
    ----------
    what : str
        What the value is, with its article: "the loss".
    """
    known = list(names)
    if not (isinstance(value, str) and value in known):
        raise ValueError(f"{what} must be one of {', '.join(known)}. Got {value!r}. Choose one of them.")


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
