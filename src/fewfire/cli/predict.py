"""`fewfire predict`: labels or values for new samples."""

import csv
import json as json_format
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from fewfire.cli.options import Json, Quiet
from fewfire.cli.streams import console_of
from fewfire.data import load_inputs
from fewfire.data.table import few
from fewfire.errors import DataError
from fewfire.prepare import Classes, Features, TargetScaling
from fewfire.prepare.model import Model
from fewfire.prepare.scores import score_text, scores
from fewfire.prepare.targets import is_given
from fewfire.runs import RunFolder
from fewfire.system.files import write_atomically
from fewfire.system.words import why

STDOUT = Path("-")


def predict(
    run_folder: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Folder of a run, or a model file that an estimator saved."),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Samples in any of the formats of `train`, with labels, without, or with some.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="CSV file to write; by default RUN/predictions.csv. - for stdout, and all else on stderr."
        ),
    ] = None,
    proba: Annotated[
        bool,
        typer.Option("--proba", help="Beside each label also the probability of each class, calibrated."),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict labels or values of samples with a trained network.

    Examples:

      fewfire predict runs/digits digits
      fewfire predict runs/fashion new.csv --out labels.csv
      fewfire predict runs/wine new.csv --proba --out -
    """
    to_stdout = out == STDOUT
    if json and to_stdout:
        raise ValueError(
            "--json and --out - must not both write to stdout. Got both. Leave out either, or name a file."
        )
    model = RunFolder(run_folder).load_model() if run_folder.is_dir() else _model_in(run_folder)
    rows = load_inputs(data, model.features, model.targets)
    outputs = model.outputs(rows.inputs)
    predicted = model.labels_of(outputs)
    table = StringIO()
    lines = _table(predicted, model.features)
    if proba:
        shares = _shares(model, outputs, predicted)
        lines = [(*line, *share) for line, share in zip(lines, shares, strict=True)]
    csv.writer(table, lineterminator="\n").writerows(lines)
    console = console_of(json=json or to_stdout, quiet=quiet)
    path = out or (run_folder if run_folder.is_dir() else run_folder.parent) / "predictions.csv"
    if to_stdout:
        print(table.getvalue(), end="")
    else:
        write_atomically(path, table.getvalue())
        console.print(f"{len(predicted):,} predictions written to {path}", soft_wrap=True)
    if rows.features and (unseen := model.features.unseen_in(rows.features)):
        console.print(f"not seen in training, so coded as no category: {few(unseen)}", soft_wrap=True)
    found = {} if rows.labels is None else scores(predicted, rows.labels)
    if rows.labels is not None:
        what = "targets" if isinstance(model.targets, TargetScaling) else "labels"
        n_given = np.count_nonzero(is_given(rows.labels))
        some = "" if n_given == len(predicted) else f" ({n_given:,} of {len(predicted):,} rows)"
        for name, score in found.items():
            console.print(f"{name} on the {what} given{some}: {score_text(name, score)}")
    if json:
        figures = {name.replace(" ", "_").lower(): score for name, score in found.items()}
        print(json_format.dumps({"n_predictions": len(predicted), "predictions": str(path), **figures}))


def _model_in(path: Path) -> Model:
    """The model in a file.

    Raises
    ------
    DataError
        There is none.
    """
    if not path.is_file():
        return RunFolder(path).load_model()  # whose message says what must be there
    try:
        return Model.load(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"a model file must be one that fewfire saved. Got {why(error)}. Give a run, or what "
            "an estimator saved."
        ) from error


def _shares(model: Model, outputs: NDArray, predicted: NDArray) -> list[Sequence[object]]:
    """Header and rows of probabilities: of each class, or of each of the best labels."""
    shares = model.probabilities_of(outputs)
    names: Sequence[object] = model.targets.values.tolist() if isinstance(model.targets, Classes) else ()
    if predicted.ndim == 2:
        shares = np.take_along_axis(shares, predicted, axis=1)
        names = range(1, predicted.shape[1] + 1)
    head = [f"probability {name}" for name in names]
    return [head, *([f"{share:.6g}" for share in row] for row in shares.tolist())]


def _table(predicted: NDArray, features: Features) -> list[Sequence[object]]:
    """Header and rows: a column, or one for each of the best labels or of several targets."""
    if predicted.dtype.kind == "f":
        head, names = ["prediction"], list(features.targets.values())
        if (count := predicted.shape[1]) > 1:
            names = names if None not in names and len(names) == count else range(1, count + 1)
            head = [f"prediction {name}" for name in names]
        return [head, *([f"{value:.9g}" for value in row] for row in predicted.tolist())]
    if predicted.ndim == 1:
        return [("prediction",), *zip(predicted, strict=True)]
    return [[f"prediction {place + 1}" for place in range(predicted.shape[1])], *predicted]
