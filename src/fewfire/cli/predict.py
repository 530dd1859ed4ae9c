"""`fewfire predict`: labels for new samples."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from numpy.typing import NDArray

from fewfire.cli.display import console_of
from fewfire.data import load_inputs
from fewfire.data.table import few
from fewfire.runs.folder import RunFolder, scores
from fewfire.system.files import write_atomically


def predict_command(run: Path, data: str, out: Path | None, *, quiet: bool) -> None:
    model = RunFolder(run).load_model()
    rows = load_inputs(data, model.features)
    predicted = model.labels(rows.inputs)
    table = StringIO()
    csv.writer(table, lineterminator="\n").writerows(_table(predicted))
    path = out or run / "predictions.csv"
    write_atomically(path, table.getvalue())
    console = console_of(quiet=quiet)
    console.print(f"{len(predicted):,} predictions written to {path}", soft_wrap=True)
    if rows.features and (unseen := model.features.unseen_in(rows.features)):
        console.print(f"not seen in training, so coded as no category: {few(unseen)}", soft_wrap=True)
    if rows.labels is not None:
        for name, score in scores(predicted, rows.labels).items():
            console.print(f"{name} on the labels given: {score:.4f}")


def _table(predicted: NDArray) -> list[Sequence[object]]:
    """Header and rows: a column, or one for each of the best labels."""
    if predicted.ndim == 1:
        return [("prediction",), *zip(predicted, strict=True)]
    return [[f"prediction {place + 1}" for place in range(predicted.shape[1])], *predicted]
