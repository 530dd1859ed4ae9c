"""`fewfire predict`: labels for new samples."""

import csv
from io import StringIO
from pathlib import Path

import numpy as np

from fewfire.cli.display import console_of
from fewfire.data import load_inputs
from fewfire.files import write_atomically
from fewfire.run_folder import RunFolder


def predict_command(run: Path, data: str, out: Path | None, *, quiet: bool) -> None:
    model = RunFolder(run).load_model()
    samples, labels = load_inputs(data, model.n_features)
    predicted = model.labels(samples)
    table = StringIO()
    csv.writer(table, lineterminator="\n").writerows([("prediction",), *zip(predicted, strict=True)])
    path = out or run / "predictions.csv"
    write_atomically(path, table.getvalue())
    console = console_of(quiet=quiet)
    console.print(f"{len(predicted):,} predictions written to {path}", soft_wrap=True)
    if labels is not None:  # as texts: a label that training never saw is predicted wrongly, and no error
        right = np.mean(labels.astype(str) == predicted.astype(str))
        console.print(f"accuracy on the labels given: {right:.4f}")
