"""How a cell of text is written: as a number, or as something that a person would read as an amount."""

import math
import re

PADDED = re.compile(r"^[ \t]*0\d+[ \t]*$", re.MULTILINE)
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
DATE = re.compile(
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})|\d{4}-(?:0[1-9]|1[0-2])"
    rf"|\d{{1,2}}[-. ]*{MONTH}[-, ]*\d{{2,4}}|{MONTH} \d{{1,2}},? \d{{4}})(?:[T ,]+\d{{1,2}}:\S.*)?"
    r"|\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[ap]m)?",
    re.IGNORECASE,
)
AMOUNT = re.compile(
    r"[-+\u2212(]?\s*(?:[$€£¥]|[A-Z]{3}\s)?\s*[-+]?"
    r"(?:\d{1,3}(?:[.,'\u2019\s]\d{3})+(?:[.,]\d*)?|\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
    r"\s*(?:%|[$€£¥]|[A-Z]{3})?\)?"
)


def is_number(cell: str) -> bool:
    """Whether a cell is a number: not NaN, without Python's underscores, and no code such as 00123."""
    try:
        return not math.isnan(float(cell)) and "_" not in cell and not PADDED.fullmatch(cell)
    except ValueError:
        return False


def is_padded(cell: str) -> bool:
    """Whether a cell is a whole number with zeros before it, as identifiers are written."""
    return PADDED.fullmatch(cell) is not None


def is_date(cell: str) -> bool:
    """Whether a cell is a date or a time of day."""
    return DATE.fullmatch(cell.strip()) is not None


def advice(cell: str) -> str:
    """How a cell that is none becomes a number."""
    if is_date(cell):
        return "Turn dates and times into numbers, such as days since the first one"
    if is_amount(cell):
        return "Write numbers as 1234.5: with a decimal point, without thousands separators, units and quotes"
    if is_padded(cell):
        return "Write numbers without zeros before them"
    return (
        "Store numbers as numbers, not as texts" if is_number(cell) else "Correct that cell or remove its row"
    )


def is_amount(cell: str) -> bool:
    """Whether a cell is a date, or a number with a decimal comma, thousands marks, units or quotes."""
    try:
        float(cell)
    except ValueError:
        bare = cell.strip().strip("'")
        return AMOUNT.fullmatch(bare) is not None or is_date(bare)
    return False
