"""Trained networks with the way into them and out of them, and the one file that keeps all of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.errors import DataError
from fewfire.networks.deep import Network
from fewfire.networks.two_layer import KIND
from fewfire.prepare.classes import Classes
from fewfire.prepare.columns import Features
from fewfire.prepare.division import Division, outputs_of
from fewfire.prepare.link import Link
from fewfire.prepare.member import Member
from fewfire.prepare.spread import Spread
from fewfire.prepare.targets import TargetScaling
from fewfire.system.tensors import read_tensors, write_tensors

Floats = NDArray[np.float64]
N_BEST = 5  # predictions for a row that may have several labels
NOTE = "model"  # in the metadata of the file


@dataclass(frozen=True, eq=False)
class Model:
    """Some networks, of whose outputs the mean counts, or each for its own part of the rows.

    From rows as read to labels as written.

    Attributes
    ----------
    members : tuple of Member
        At least one; each has its own way to prepare rows.
    features : Features
    targets : Classes or TargetScaling
        What outputs stand for: classes, or real values.
    mean : (c,)
        Added to the networks' outputs.
    boundary : float
        Above it a single output stands for the second of two classes, and one of several labels for that
        label.
    link : Link or None
        How outputs become probabilities; None in a regression, or where outputs were not finite.
    importances : (features.n_columns,) or None
        The share of each column in what was learned of the columns.
    learning_rate : float or None
        Of gradient descent; None after Gauss-Newton steps.
    division : Division or None
        Which network answers for which rows; None where their mean answers for all.
    spread : Spread or None
        How far outputs of a regression may be off, for rows as the first member prepares them; None where
        no estimator has chosen for it.
    """

    members: tuple[Member, ...]
    features: Features
    targets: Classes | TargetScaling
    mean: Floats
    boundary: float = 0.5
    link: Link | None = None
    importances: Floats | None = None
    learning_rate: float | None = None
    division: Division | None = None
    spread: Spread | None = None

    @property
    def network(self) -> Network:
        """That of the first member."""
        return self.members[0].network

    @property
    def names_a_class(self) -> bool:
        """Whether it predicts one class for each row."""
        return isinstance(self.targets, Classes) and not self.targets.several

    def outputs(self, rows: NDArray) -> Floats:
        """Outputs (n, c) for rows (n, features.n_columns) with the codes of `features`, NaN for a gap.

        Raises
        ------
        DataError
            A row is not finite, or the rows are not two-dimensional.
        """
        return outputs_of(self.members, self.division, rows) + self.mean

    def labels(self, rows: NDArray) -> NDArray:
        """Predicted labels (n,) of rows; see `outputs` and `labels_of`."""
        return self.labels_of(self.outputs(rows))

    def labels_of(self, outputs: Floats) -> NDArray:
        """The labels (n,) that outputs (n, c) stand for.

        Where a row may have several labels: the best five (n, 5) or all of them, the likeliest first. In a
        regression: values (n, c) in the units of the targets.
        """
        if isinstance(self.targets, TargetScaling):
            return self.targets.inverse(outputs)
        if self.targets.several:
            return self.targets.decode(np.argsort(-outputs, axis=1, kind="stable")[:, :N_BEST])
        if outputs.shape[1] == 1:
            return self.targets.decode((outputs[:, 0] > self.boundary).astype(np.int64))
        return self.targets.decode(outputs.argmax(axis=1))

    def probabilities_of(self, outputs: Floats) -> Floats:
        """The probability (n, k) of each class, or of each of several labels, that outputs (n, c) stand for.

        Raises
        ------
        DataError
            The model has no classes, or its link was not learned.
        """
        if isinstance(self.targets, TargetScaling):
            raise DataError(
                "Probabilities must be those of classes. Got a model of a regression. Predict its values."
            )
        if self.link is None:
            raise DataError(
                "Probabilities must be calibrated on outputs that are finite. Got a model whose outputs "
                "for its test rows are not. Train anew, with a smaller learning rate."
            )
        several = self.targets.several
        shares = self.link.probabilities(sides(outputs, self.boundary, several=several))
        return shares[:, 1].reshape(outputs.shape) if several else shares

    def save(self, path: str | PathLike[str]) -> None:
        """Write all of it to one safetensors file, atomically, with a checksum.

        `TwoLayerNetwork.load`, or `DeepNetwork.load`, reads the first network from it.

        Raises
        ------
        OSError
            The file cannot be written; one that was there is as it was.
        """
        tensors: dict[str, NDArray] = {"mean": self.mean}
        for number, member in enumerate(self.members):
            tensors |= {_prefix(number) + name: array for name, array in member.state().items()}
        notes: dict[str, Any] = {
            "features": self.features.state(),
            "boundary": self.boundary,
            "learning_rate": self.learning_rate,
        }
        if isinstance(self.targets, TargetScaling):
            tensors |= self.targets.state()
        else:
            notes |= {"classes": self.targets.state(), "several_labels": self.targets.several}
        if self.link is not None:
            notes["link"] = [self.link.sharpness, self.link.doubt]
        if self.division is not None:
            tensors |= self.division.state()
        if self.spread is not None:
            tensors |= self.spread.state()
        if self.importances is not None:
            tensors["importances"] = self.importances
        write_tensors(path, KIND, tensors, {NOTE: json.dumps(notes)})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Model":
        """The inverse of `save`.

        Raises
        ------
        ValueError
            The file is not one that `save` wrote, or it was cut off or changed.
        OSError
            The file cannot be read.
        MemoryLimitError
            The file and its arrays do not fit in memory.
        """
        try:
            tensors, metadata = read_tensors(path, KIND)
            if NOTE not in metadata:
                raise ValueError("a network without the way into it, as fewfire saved it before 0.3")
            return cls._from_state(tensors, json.loads(metadata[NOTE]))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise ValueError(f"{path} is no model that fewfire saved, but {error}") from error

    @classmethod
    def _from_state(cls, tensors: Mapping[str, NDArray], notes: Mapping[str, Any]) -> "Model":
        members = []
        while _prefix(len(members)) + "output_weights" in tensors:
            prefix = _prefix(len(members))
            part = {name.removeprefix(prefix): array for name, array in tensors.items()
                    if name.startswith(prefix)}  # fmt: skip
            members.append(Member.from_state(part))
        features = Features.from_state(notes["features"])
        targets: Classes | TargetScaling = (
            Classes.from_state(notes["classes"], several=bool(notes["several_labels"]))
            if "classes" in notes
            else TargetScaling.from_state(tensors)
        )
        link = Link(*map(float, notes["link"])) if "link" in notes else None
        model = cls(
            tuple(members), features, targets, tensors["mean"], float(notes["boundary"]), link,
            tensors.get("importances"), notes["learning_rate"], Division.from_state(tensors),
            Spread.from_state(tensors),
        )  # fmt: skip
        model.require_fitting()
        return model

    def require_fitting(self) -> None:
        """Raise ValueError unless all parts have as many columns and outputs as the others."""
        n_outputs = {member.network.n_outputs for member in self.members} | {len(self.mean)}
        known = {len(self.targets)}
        if isinstance(self.targets, Classes) and len(self.targets) == 2:
            known |= {1}
        n_columns = {member.preparation.one_hot.n_features for member in self.members}
        if self.division is not None and self.division.n_parts != len(self.members):
            raise ValueError(f"{len(self.members)} networks for {self.division.n_parts} parts")
        if len(n_outputs) != 1 or not n_outputs <= known or n_columns != {self.features.n_columns}:
            what = "classes" if isinstance(self.targets, Classes) else "targets"
            raise ValueError(
                f"networks of {sorted(n_outputs)} outputs for {sorted(n_columns)} columns, beside features "
                f"for {self.features.n_columns}, {len(self.targets)} {what}"
            )


def sides(outputs: Floats, boundary: float, *, several: bool) -> Floats:
    """Outputs of classes that exclude each other: (n, k), or (n k, 2) of k labels that do not."""
    if several or outputs.shape[1] == 1:
        return np.column_stack([2 * boundary - outputs.ravel(), outputs.ravel()])
    return outputs


def _prefix(number: int) -> str:
    """What the names of a network's arrays begin with; the first stands as a network alone would."""
    return "" if number == 0 else f"network {number + 1}: "
