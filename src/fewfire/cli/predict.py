"""`fewfire predict`: labels for new samples."""

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
    path = out or run / "predictions.csv"
    write_atomically(path, "prediction\n" + "".join(f"{label}\n" for label in predicted))
    typer.echo(f"{len(predicted):,} predictions written to {path}")
    if labels is not None:
        right = np.mean(model.classes.encode(labels) == model.classes.encode(predicted))
        typer.echo(f"accuracy on the labels given: {right:.4f}")
