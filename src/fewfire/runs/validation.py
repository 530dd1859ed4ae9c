"""Rows that a run holds back from training: how it does on them after each epoch, and when to stop."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fewfire.data import Dataset
from fewfire.data.split import split_ids
from fewfire.networks.losses import Loss
from fewfire.prepare.model import Model
from fewfire.prepare.scores import scores, targets_of
from fewfire.training import EpochRecord, Observer, Trainer

SCORES = ("accuracy", "R2", "precision at 1")  # the one that is recorded


def divided(dataset: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """The data set without a share of its training rows, and one with these rows as its test part.

    Raises
    ------
    DataError
        There are too few rows.
    """
    ids, held = split_ids(dataset.labels, fraction, seed, f"the training part of {dataset.name}")
    kept = replace(dataset, rows=dataset.rows[ids], labels=dataset.labels[ids])
    return kept, replace(kept, test_rows=dataset.rows[held], test_labels=dataset.labels[held])


@dataclass(frozen=True, eq=False)
class HeldOut:
    """How a model in training does on rows that were held back."""

    model: Model
    rows: NDArray
    labels: NDArray
    loss: Loss

    def __call__(self) -> dict[str, float | None]:
        """Mean loss, and accuracy, R2 or precision at 1: fields of `EpochRecord`.

        Cost: a prediction of all these rows.
        """
        outputs = self.model.outputs(self.rows)
        targets = targets_of(self.model.targets, self.labels, self.loss.name)
        found = scores(self.model.labels_of(outputs), self.labels)
        score = next((found[name] for name in SCORES if name in found), None)
        return {
            "validation_loss": float(self.loss.values(outputs, targets).mean()),
            "validation_score": score,
        }


class UntilNoBetter(Observer):
    """Stops training after so many epochs without a smaller loss on the rows that were held back.

    All is in the history: a run that goes on stops where it would have.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def epoch_done(self, record: EpochRecord, trainer: Trainer) -> bool:
        losses = [one.validation_loss for one in trainer.history]
        return len(losses) - 1 - int(np.argmin(np.array(losses, float))) >= self.patience
