"""`fewfire predict`: labels for new samples."""

import csv
from io import StringIO
from pathlib import Path

import typer

from fewfire.data import load_inputs
from fewfire.files import write_atomically
from fewfire.run_folder import RunFolder, scores


def predict_command(run: Path, data: str, out: Path | None) -> None:
    model = RunFolder(run).load_model()
    rows = load_inputs(data, model.features)
    predicted = model.labels(rows.inputs)
    header = (
        ["prediction"] if predicted.ndim == 1 else [f"prediction {k + 1}" for k in range(predicted.shape[1])]
    )
    table = StringIO()
    csv.writer(table, lineterminator="\n").writerows([header, *predicted.reshape(len(predicted), -1)])
    path = out or run / "predictions.csv"
    write_atomically(path, table.getvalue())
    typer.echo(f"{len(predicted):,} predictions written to {path}")
    if rows.labels is not None:
        for name, score in scores(predicted, rows.labels).items():
            typer.echo(f"{name} on the labels given: {score:.4f}")
