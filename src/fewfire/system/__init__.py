"""The machine, its memory and its files."""

from fewfire.system.intervals import wilson
from fewfire.system.machine import (
    Info,
    available_instruction_sets,
    instruction_set,
    use_instruction_set,
)
from fewfire.system.memory import bytes_of

__all__ = [
    "Info",
    "available_instruction_sets",
    "bytes_of",
    "instruction_set",
    "use_instruction_set",
    "wilson",
]
