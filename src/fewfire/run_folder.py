"""The folder that a training run leaves: all that prediction needs, and what happened.

model.safetensors    weights, output weights, threshold
scaling.safetensors  how inputs were scaled
settings.json        what was asked for, and the classes
history.jsonl        one record an epoch
result.json          the figures of the whole run
history.png          loss, accuracy, fire rate and work by epoch
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.data import Classes, InputScaling
from fewfire.errors import DataError
from fewfire.files import OutputFolder, write_atomically
from fewfire.inputs import Inputs
from fewfire.loss import predicted_classes
from fewfire.network import TwoLayerNetwork
from fewfire.training import EpochRecord, GaussNewtonRecord, predict

NEEDED = {"data", "width", "n_features", "index", "epochs"}  # of the settings, to report on a run


@dataclass(frozen=True)
class Model:
    """A network with the way into it and out of it: from features as read to labels as written."""

    network: TwoLayerNetwork
    scaling: InputScaling
    classes: Classes

    @property
    def n_features(self) -> int:
        """Features of the data, without the constant one."""
        return self.network.n_features - 1

    def labels(self, samples: NDArray) -> NDArray:
        """Predicted labels (n,) of samples (n, n_features) as read."""
        inputs = Inputs.of(self.scaling.transform(samples, self.network.dtype), self.network.dtype)
        return self.classes.decode(predicted_classes(predict(self.network, inputs)))


@dataclass(frozen=True)
class Run:
    """What a run folder says of its run; result is None where the run did not finish."""

    path: Path
    settings: dict[str, Any]
    history: list[EpochRecord]
    result: dict[str, Any] | None


class RunFolder(OutputFolder):
    """Reads and writes one run folder; each file is whole or absent."""

    kind = "run"

    @property
    def picture(self) -> Path:
        return self.path / "history.png"

    def require_free(self) -> None:
        """An earlier run is never overwritten."""
        if (self.path / "settings.json").exists():
            raise DataError(
                f"the run folder must not hold another run. Got {self.path}, which has a settings.json. "
                "Give another --out, or remove that folder."
            )

    def save_model(self, model: Model, settings: dict[str, Any]) -> None:
        from safetensors.numpy import save

        model.network.save(self.path / "model.safetensors")
        write_atomically(self.path / "scaling.safetensors", save(model.scaling.state()))
        settings = settings | {"classes": model.classes.state()}
        write_atomically(self.path / "settings.json", json.dumps(settings, indent=2) + "\n")

    def save_history(self, history: Sequence[EpochRecord]) -> None:
        lines = [json.dumps(record.as_dict()) + "\n" for record in history]
        write_atomically(self.path / "history.jsonl", "".join(lines))

    def save_result(self, result: dict[str, Any]) -> None:
        write_atomically(self.path / "result.json", json.dumps(result, indent=2) + "\n")

    def load_model(self) -> Model:
        """The model of a finished run.

        Raises
        ------
        DataError
            The folder is not a run folder, or one of its files cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            network = TwoLayerNetwork.load(self.path / "model.safetensors")
            scaling = InputScaling.from_state(load_file(self.path / "scaling.safetensors"))
            settings = json.loads((self.path / "settings.json").read_text())
            classes = Classes.from_state(settings["classes"])
            _require_fitting(network, scaling, classes)
        except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"a run folder must hold a model that `fewfire train` saved. Got {self.path}: {error}. "
                "Give the folder named by --out of a finished run."
            ) from error
        return Model(network, scaling, classes)

    def load_history(self) -> list[EpochRecord]:
        lines = (self.path / "history.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [(GaussNewtonRecord if "damping" in record else EpochRecord)(**record) for record in records]

    def load_run(self) -> Run:
        """What happened in a run: finished, interrupted, failed, or still under way.

        Raises
        ------
        DataError
            The folder is not a run folder, or one of its files cannot be read.
        """
        result, history = self.path / "result.json", self.path / "history.jsonl"
        try:
            settings = json.loads((self.path / "settings.json").read_text())
            if not isinstance(settings, dict) or not settings.keys() >= NEEDED:
                raise ValueError(f"its settings.json lacks one of {', '.join(sorted(NEEDED))}")
            figures = json.loads(result.read_text()) if result.exists() else None
            return Run(self.path, settings, self.load_history() if history.exists() else [], figures)
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"a run folder must hold what `fewfire train` saved. Got {self.path}: {error}. Give the "
                "folder named by --out of a run that has ended."
            ) from error


def _require_fitting(network: TwoLayerNetwork, scaling: InputScaling, classes: Classes) -> None:
    """The files are of one run: as many features and outputs in each."""
    n_outputs = {1, 2} if len(classes) == 2 else {len(classes)}
    if network.n_features != len(scaling.mean) + 1 or network.n_outputs not in n_outputs:
        raise ValueError(
            f"a model of {network.n_features} features and {network.n_outputs} outputs beside a scaling of "
            f"{len(scaling.mean)} and the constant, and {len(classes)} classes"
        )


def targets_of(classes: Classes, codes: NDArray[np.int64], loss: str) -> NDArray[np.float32]:
    """One-hot targets; a single column of 0 and 1 for two classes with the logistic loss."""
    if loss == "logistic" and len(classes) == 2:
        return codes[:, None].astype(np.float32)
    return classes.one_hot(codes, np.float32)
