"""Checkpoints: all that a trainer needs to go on with the same bits (docs/checkpoints.md)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fewfire.errors import DataError
from fewfire.system.tensors import read_tensors, write_tensors

KIND, VERSION = "fewfire checkpoint", 2


@dataclass(frozen=True)
class State:
    """What a trainer knows at the end of an epoch, beside its training set.

    Attributes
    ----------
    rows : arrays by name
        The padded rows that steps move, and others that they depend on.
    progress : numbers by name
        How far training has come.
    history : the figures of each epoch, by name
    terms : dict
        The settings on which the bits of the weights depend, and a checksum of the data. A trainer takes no
        state of other terms.
    origin : str
        Where the state comes from, for a person.
    """

    rows: Mapping[str, NDArray]
    progress: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    terms: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "a state of this process"

    @property
    def epochs(self) -> int:
        """How many were trained."""
        return len(self.history)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, atomically, with a checksum over all of it. No copy is made of the rows."""
        figures = {"progress": self.progress, "history": self.history, "terms": self.terms}
        notes = {name: json.dumps(value) for name, value in figures.items()}
        write_tensors(path, KIND, self.rows, notes, version=VERSION)

    @classmethod
    def load(cls, path: str | Path) -> "State":
        """Read a checkpoint.

        Raises
        ------
        DataError
            The file cannot be read, is cut off or changed, is no checkpoint, or is one of another version.
        MemoryLimitError
            The file and its arrays do not fit in memory.
        """
        try:
            rows, notes = read_tensors(path, KIND, version=VERSION)
            figures = {name: json.loads(notes[name]) for name in ("progress", "history", "terms")}
        except KeyError as error:
            raise _unusable(path, f"a file without {error}, so no {KIND}") from error
        except (ValueError, OSError) as error:
            raise _unusable(path, str(error)) from error
        return cls(rows, **figures, origin=str(path))

    def require_terms(self, terms: Mapping[str, Any]) -> None:
        """Raise DataError unless the state is of a training of these terms."""
        for name in [*terms, *self.terms]:
            saved, present = self.terms.get(name), terms.get(name)
            if saved != present:
                raise DataError(
                    f"this checkpoint belongs to another training run: {self.origin} was saved with {name} = "
                    f"{saved!r}, but the trainer has {present!r}. Use the data and settings it was saved "
                    "with, or start again."
                )


def _unusable(path: str | Path, why: str) -> DataError:
    return DataError(
        f"a checkpoint must be a file that fewfire saved, whole and unchanged. Got {path}: {why}. Give "
        "another one, or train anew."
    )
