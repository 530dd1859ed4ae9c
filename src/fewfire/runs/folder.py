"""The folder that a training run leaves: all that prediction needs, and what happened.

model.safetensors    all that prediction needs: weights, output weights, threshold, and how rows are prepared
settings.json        what was asked for; in the end also the features and the classes, for people
history.jsonl        one record an epoch
result.json          the figures of the whole run: it is finished
history.png          loss, accuracy, fire rate and work by epoch
attacked.png         test samples that an attack turned, where pictures were trained against attacks

Until it is finished, checkpoint-NUMBER.safetensors hold what training knows after so many epochs: the last
two are kept. All but the history, the result and the pictures are sealed by a checksum.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewfire.errors import DataError
from fewfire.prepare.model import Model
from fewfire.runs.kinds import record_of
from fewfire.runs.result import Result
from fewfire.runs.settings import Settings
from fewfire.system.files import OutputFolder, remove_temporaries, write_atomically
from fewfire.system.tensors import sha256
from fewfire.system.words import why
from fewfire.training import AdversarialRecord, EpochRecord, GaussNewtonRecord, State

KEPT = 2  # checkpoints
ATTACKED = "attacked.png"
FILES = ("*.safetensors", "settings.json", "history.jsonl", "history.png", ATTACKED, "result.json")


@dataclass(frozen=True)
class Run:
    """What a run folder says of its run; result is None where the run did not finish."""

    path: Path
    settings: Settings
    history: list[EpochRecord]
    result: Result | None

    def as_dict(self) -> dict[str, Any]:
        """Settings and figures, as in result.json; a figure takes the place of a setting of its name."""
        figures = {} if self.result is None else self.result.as_dict()
        return self.settings.begun().as_dict() | figures


class RunFolder(OutputFolder):
    """Reads and writes one run folder; each file is whole or absent."""

    kind = "run"

    @property
    def picture(self) -> Path:
        return self.path / "history.png"

    @property
    def how_to_go_on(self) -> str:
        newest = self.checkpoints()[-1:]
        start = f"from {newest[0].name}" if newest else "from the beginning"
        return f"; `fewfire resume {self.path}` goes on {start}"

    @property
    def finished(self) -> bool:
        return (self.path / "result.json").exists()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile no other process trains the run. What a killed one had half written is removed.

        Raises
        ------
        DataError
            Another process trains it.
        """
        handle = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(
                    f"a run must be trained by one process at a time. Got {self.path}, which another one "
                    "trains now. Wait for it, or end it first."
                ) from error
            except OSError:
                pass  # a file system without locks
            remove_temporaries(self.path, *FILES)
            yield
        finally:
            os.close(handle)

    def require_free(self) -> None:
        """An earlier run is never overwritten."""
        if (self.path / "settings.json").exists():
            raise DataError(
                f"the run folder must not hold another run. Got {self.path}, which has a settings.json. "
                "Give another --out, or remove that folder."
            )

    def take_back(self) -> None:
        """Undo `create` and the first `save_settings`, where nothing else was saved."""
        if not self.checkpoints() and not (self.path / "model.safetensors").exists():
            (self.path / "settings.json").unlink(missing_ok=True)
        self.remove_if_empty()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Meanwhile a file that cannot be written is named, with what to do.

        Raises
        ------
        DataError
            In place of an OSError. The checkpoints before are as they were.
        """
        try:
            yield
        except OSError as error:
            raise DataError(
                f"a run must fit on its disk. Got {why(error)}. Make room{self.how_to_go_on}."
            ) from error

    def save_settings(self, settings: Settings) -> None:
        write_atomically(self.path / "settings.json", _sealed(settings.as_dict()))

    def load_settings(self) -> Settings:
        """What `save_settings` wrote.

        Raises
        ------
        ValueError
            It is not that, or was changed since.
        OSError
            It cannot be read.
        """
        path = self.path / "settings.json"
        try:
            content = path.read_bytes()
            settings = dict(json.loads(content))
            del settings["sha256"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"{path} is not what `fewfire train` wrote, or cut off: {error}") from error
        if _sealed(settings).encode() != content:
            raise ValueError(f"{path} has another checksum than when it was written: it was changed")
        try:
            return Settings.from_dict(settings)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is not what this version of fewfire wrote: {error}") from error

    def save_model(self, model: Model, settings: Settings) -> None:
        model.save(self.path / "model.safetensors")
        self.save_settings(settings.with_model(model))

    def checkpoints(self) -> list[Path]:
        """Their files, the newest last."""
        return sorted(self.path.glob("checkpoint-*.safetensors"))

    def save_checkpoint(self, state: State) -> None:
        """Write a checkpoint; only once it is in its place the oldest is removed."""
        state.save(self.path / f"checkpoint-{state.epochs:06}.safetensors")
        for old in self.checkpoints()[:-KEPT]:
            old.unlink()

    def newest_checkpoint(self, say: Callable[[str], None]) -> State | None:
        """The newest checkpoint that is whole, or None where none was written yet.

        Training from an older one ends with the same bits: those that are damaged are passed over, and told
        of.

        Raises
        ------
        DataError
            All of them are damaged.
        """
        damaged = []
        for path in reversed(self.checkpoints()):
            try:
                state = State.load(path)
            except DataError as error:
                damaged.append(error)
                continue
            for error in damaged:
                say(f"{error}\n{path.name} takes its place.")
            return state
        if damaged:
            raise DataError(
                f"a run that goes on must have a checkpoint that is whole. Got {len(damaged)} that are not. "
                f"{damaged[0]} Without any of them, the run would begin anew."
            ) from damaged[0]
        return None

    def remove_checkpoints(self) -> None:
        for path in self.checkpoints():
            path.unlink()

    def save_history(self, history: Sequence[EpochRecord]) -> None:
        lines = [json.dumps(record.as_dict()) + "\n" for record in history]
        write_atomically(self.path / "history.jsonl", "".join(lines))

    def save_result(self, run: Run) -> None:
        write_atomically(self.path / "result.json", json.dumps(run.as_dict(), indent=2) + "\n")

    def load_model(self) -> Model:
        """The model of a finished run.

        Raises
        ------
        DataError
            The folder is not a run folder, or one of its files cannot be read.
        """
        try:
            return Model.load(self.path / "model.safetensors")
        except (OSError, ValueError) as error:
            raise DataError(
                f"a run folder must hold a model that `fewfire train` saved. Got {self.path}: {why(error)}. "
                "Give the folder named by --out of a finished run."
            ) from error

    def load_result(self) -> Result | None:
        """The figures of the run; None where it did not finish.

        Raises
        ------
        ValueError
            The file is not what `save_result` wrote.
        OSError
            It cannot be read.
        """
        path = self.path / "result.json"
        return Result.from_dict(dict(json.loads(path.read_text()))) if path.exists() else None

    def load_history(self) -> list[EpochRecord]:
        lines = (self.path / "history.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [record_of(_kind_of(record), record, "its history.jsonl") for record in records]

    def load_run(self) -> Run:
        """What happened in a run: finished, interrupted, failed, or still under way.

        Raises
        ------
        DataError
            The folder is not a run folder, or one of its files cannot be read.
        """
        has_history = (self.path / "history.jsonl").exists()
        try:
            settings, history = self.load_settings(), self.load_history() if has_history else []
            return Run(self.path, settings, history, self.load_result())
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise DataError(
                f"a run folder must hold what `fewfire train` saved. Got {self.path}: {why(error)}. Give the "
                "folder named by --out of a run that has ended."
            ) from error


def _sealed(settings: dict[str, Any]) -> str:
    """As text, with a checksum."""
    seal = sha256(json.dumps(settings).encode())
    return json.dumps(settings | {"sha256": seal}, indent=2) + "\n"


def _kind_of(record: Mapping[str, Any]) -> type[EpochRecord]:
    """The class whose own figures an epoch's record has."""
    own = {"damping": GaussNewtonRecord, "seconds_attack": AdversarialRecord}
    return next((kind for name, kind in own.items() if name in record), EpochRecord)
