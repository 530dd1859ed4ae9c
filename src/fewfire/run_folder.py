"""The folder that a training run leaves: all that prediction needs, and what happened.

model.safetensors    weights, output weights, threshold
scaling.safetensors  how inputs were scaled
settings.json        what was asked for, the features and the classes
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

from fewfire.data import Classes, Features, InputScaling
from fewfire.errors import DataError
from fewfire.files import OutputFolder, write_atomically
from fewfire.inputs import Inputs
from fewfire.loss import predicted_classes
from fewfire.network import TwoLayerNetwork
from fewfire.training import EpochRecord, GaussNewtonRecord, predict

N_BEST = 5  # predictions for a row that may have several labels


@dataclass(frozen=True)
class Model:
    """A network with the way into it and out of it: from features as read to labels as written."""

    network: TwoLayerNetwork
    features: Features
    scaling: InputScaling
    classes: Classes

    def labels(self, samples: NDArray) -> NDArray:
        """Predicted labels (n,) of samples (n, features.n_inputs) as read.

        Where a row may have several labels: the best five (n, 5) or all of them, the likeliest first.
        """
        inputs = Inputs.of(self.scaling.transform(samples, self.network.dtype), self.network.dtype)
        outputs = predict(self.network, inputs)
        if self.classes.several:
            return self.classes.decode(np.argsort(-outputs, axis=1, kind="stable")[:, :N_BEST])
        return self.classes.decode(predicted_classes(outputs))


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
        settings = settings | {
            "features": model.features.state(),
            "classes": model.classes.state(),
            "several_labels": model.classes.several,
        }
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
            features = Features.from_state(settings["features"])
            classes = Classes.from_state(settings["classes"], several=settings["several_labels"])
            _require_fitting(network, features, scaling, classes)
        except (OSError, SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"a run folder must hold a model that `fewfire train` saved. Got {self.path}: {error}. "
                "Give the folder named by --out of a finished run."
            ) from error
        return Model(network, features, scaling, classes)

    def load_history(self) -> list[EpochRecord]:
        lines = (self.path / "history.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [(GaussNewtonRecord if "damping" in record else EpochRecord)(**record) for record in records]


def _require_fitting(
    network: TwoLayerNetwork, features: Features, scaling: InputScaling, classes: Classes
) -> None:
    """The files are of one run: as many features and outputs in each."""
    n_outputs = {1, 2} if len(classes) == 2 else {len(classes)}
    n_inputs = {features.n_inputs + 1, len(scaling.mean) + 1}
    if n_inputs != {network.n_features} or network.n_outputs not in n_outputs:
        raise ValueError(
            f"a model of {network.n_features} features and {network.n_outputs} outputs beside a scaling of "
            f"{len(scaling.mean)} and the constant, features for {features.n_inputs}, {len(classes)} classes"
        )


def scores(predicted: NDArray, labels: NDArray) -> dict[str, float]:
    """How good predictions are: "accuracy", or "precision at k" for the best five of several labels.

    Parameters
    ----------
    predicted : (n,), or (n, 5) columns of labels
        What `Model.labels` gives.
    labels : (n,), compared as texts: one that training never saw is predicted wrongly; or (n, k) booleans

    Notes
    -----
    Precision at k is the share of the first k predictions that are labels of their row, over all rows.
    """
    if predicted.ndim == 1:
        return {"accuracy": float(np.mean(labels.astype(str) == predicted.astype(str)))}
    right = np.take_along_axis(labels, predicted, axis=1)
    return {f"precision at {k}": float(right[:, :k].mean()) for k in (1, 3, 5) if k <= right.shape[1]}


def targets_of(classes: Classes, labels: NDArray, loss: str) -> NDArray[np.float32]:
    """One-hot targets of labels; a single column of 0 and 1 for two classes with the logistic loss.

    Labels of booleans (n, k) become 0 and 1 each.
    """
    if classes.several:
        return labels.astype(np.float32)
    codes = classes.encode(labels)
    if loss == "logistic" and len(classes) == 2:
        return codes[:, None].astype(np.float32)
    return classes.one_hot(codes, np.float32)
