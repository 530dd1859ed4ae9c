"""Memory: how much this process holds, and limits as people write them."""

import re
import sys
from fractions import Fraction
from pathlib import Path

from fewfire.errors import MemoryLimitError
from fewfire.system.words import bytes_text

SELF, MACHINE = Path("/proc/self/status"), Path("/proc/meminfo")
UNITS = {"": 1, "B": 1} | {
    unit: base**power
    for power, letter in enumerate("KMGT", start=1)
    for unit, base in [(f"{letter}B", 1000), (f"{letter}IB", 1024)]
}


def bytes_of(text: str) -> int:
    """The number of bytes that a text such as 8GB, 500MB or 6.5GiB means (GB: 10^9, GiB: 2^30).

    Raises
    ------
    ValueError
        The text is no number with such a unit.

    Examples
    --------
    >>> bytes_of("1.5GB"), bytes_of("1KiB")
    (1500000000, 1024)
    """
    match = re.fullmatch(r"\s*([0-9]{1,4000}(?:\.[0-9]{1,4000})?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].upper() not in UNITS:
        raise ValueError(
            "an amount of memory must be a number and a unit: B, KB, MB, GB, TB or KiB to TiB. "
            f"Got {text!r}. Write for example 8GB."
        )
    return int(Fraction(match[1]) * UNITS[match[2].upper()])


def require_within(
    limit: int | None, needed: int, what: str, remedy: str, bound: str = "the memory limit"
) -> None:
    """Raise MemoryLimitError if more bytes are needed than a limit allows (None: there is none).

    Parameters
    ----------
    what : str
        What needs the memory, with its article: "the drift index".
    remedy : str
        What to do, as whole sentences: "Raise the limit."
    bound : str
        What the limit is, with its article.
    """
    if limit is not None and needed > limit:
        raise MemoryLimitError(
            f"{what} must fit in {bound} of {limit:,} bytes. Got a need of {needed:,} bytes. {remedy}"
        )


def resident_bytes() -> int:
    """Bytes of memory that this process holds now (where the system does not say: its peak)."""
    return _kilobytes("VmRSS", SELF) or peak_bytes()


def peak_bytes() -> int:
    """The most memory that this process has held."""
    known = _kilobytes("VmHWM", SELF)
    if known is not None:
        return known
    import resource

    # On Linux this would begin at the peak of the process that started this one.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def available_bytes() -> int | None:
    """Bytes of memory that are left to processes of this machine; None where the system does not say."""
    return _kilobytes("MemAvailable", MACHINE)


def require_free_memory(n_bytes: int, got: str, where: str) -> None:
    """Raise MemoryLimitError if so many bytes are more than the memory that is free.

    Parameters
    ----------
    got : str
        Begins the message: what must fit in memory, and what was found.
    where : str
        Ends the message: "table.csv. Keep fewer columns."
    """
    free = available_bytes()
    if free is not None and n_bytes > free:
        raise MemoryLimitError(
            f"{got}, {bytes_text(n_bytes)} beside {bytes_text(free)} that are free, in {where}"
        )


def _kilobytes(field: str, status: Path) -> int | None:
    """Bytes in a field of what Linux says of its memory; None where there is no such thing."""
    found = re.search(rf"{field}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return None if found is None else 1024 * int(found[1])
