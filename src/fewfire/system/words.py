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
