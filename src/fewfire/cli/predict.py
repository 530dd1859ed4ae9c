"""`fewfire predict`: labels for new samples."""

import csv
from io import StringIO
from pathlib import Path

import numpy as np
import typer

from fewfire.data import load_inputs
from fewfire.files import write_atomically
from fewfire.run_folder import RunFolder


def predict_command(run: Path, data: str, out: Path | None) -> None:
    model = RunFolder(run).load_model()
    samples, labels = load_inputs(data, model.n_features)
    predicted = model.labels(samples)
    table = StringIO()
    csv.writer(table, lineterminator="\n").writerows([("prediction",), *zip(predicted, strict=True)])
    path = out or run / "predictions.csv"
    write_atomically(path, table.getvalue())
    typer.echo(f"{len(predicted):,} predictions written to {path}")
    if labels is not None:  # as texts: a label that training never saw is predicted wrongly, and no error
        right = np.mean(labels.astype(str) == predicted.astype(str))
        typer.echo(f"accuracy on the labels given: {right:.4f}")
