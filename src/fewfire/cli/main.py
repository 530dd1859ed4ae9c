"""The command `fewfire`: its sub-commands, and how errors end it."""

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

import fewfire
from fewfire.cli.train import TrainOptions, train_command
from fewfire.errors import FewfireError, TrainingError
from fewfire.memory import bytes_of

app = typer.Typer(
    name="fewfire",
    help="Train very wide neural networks while touching only the neurons that fire.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

USER_ERROR, TRAINING_FAILED, INTERRUPTED = 2, 1, 130


@app.command()
def train(
    data: Annotated[
        str, typer.Argument(help="'digits', a folder of IDX files, or an NPZ, CSV or svmlight file.")
    ],
    width: Annotated[int, typer.Option(help="Neurons in the hidden layer.")] = 65536,
    index: Annotated[str, typer.Option(help="Who fires? drift or exhaustive.")] = "drift",
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Samples a step.")] = 256,
    learning_rate: Annotated[str, typer.Option(help="A number, or auto for the largest safe one.")] = "auto",
    loss: Annotated[str, typer.Option(help="squared, softmax or logistic.")] = "squared",
    threshold: Annotated[str, typer.Option(help="A number, or paper for sqrt(0.4 ln width).")] = "paper",
    fire_rate: Annotated[
        float | None, typer.Option(help="Share of pairs that fire at first; sets the threshold.")
    ] = None,
    init: Annotated[
        str, typer.Option(help="Initial weights: gaussian, or structured for a faster build of the index.")
    ] = "gaussian",
    train_output_weights: Annotated[
        bool, typer.Option("--train-output-weights", help="Train the output weights too.")
    ] = False,
    test_fraction: Annotated[
        float, typer.Option(help="Rows kept for testing where the data have no test part.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the weights, the order of the samples and the split.")] = 0,
    threads: Annotated[
        int | None, typer.Option(help="Threads; by default one a core. No result depends on it.")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help="Memory of the process in training, such as 8GB; by default no limit.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/DATA-TIME.")] = None,
    compare_dense: Annotated[
        int, typer.Option(help="Then take this many steps in turn with dense PyTorch.")
    ] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with all figures last, on stdout.")
    ] = False,
) -> None:
    """Train a two-layer network and save it in a run folder.

    Examples:

      fewfire train digits --width 16384 --compare-dense 20

      fewfire train fashion_mnist/ --width 65536 --memory-limit 8GB --out runs/fashion
    """
    train_command(
        TrainOptions(
            data=data,
            width=width,
            index=index,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=_number("--learning-rate", learning_rate, "auto"),
            loss=loss,
            threshold=_number("--threshold", threshold, "paper"),
            fire_rate=fire_rate,
            init=init,
            train_output_weights=train_output_weights,
            test_fraction=test_fraction,
            seed=seed,
            threads=fewfire.threads() if threads is None else threads,
            memory_limit=None if memory_limit is None else bytes_of(memory_limit),
            out=out,
            compare_dense=compare_dense,
            json=json,
        )
    )


@app.command()
def predict(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    data: Annotated[
        str, typer.Argument(help="Samples in any of the formats of `train`, with or without labels.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write; by default RUN/predictions.csv.")
    ] = None,
) -> None:
    """Predict the labels of samples with a trained network.

    Example:

      fewfire predict runs/fashion new.csv --out labels.csv
    """
    from fewfire.cli.predict import predict_command

    predict_command(run_folder, data, out)


@app.command()
def info() -> None:
    """Print the version, the instruction set and the number of threads."""
    typer.echo(f"fewfire {fewfire.__version__}")
    available = ", ".join(fewfire.available_instruction_sets())
    typer.echo(f"instruction set: {fewfire.instruction_set()} (available: {available}; FEWFIRE_SIMD chooses)")
    typer.echo(f"threads: {fewfire.threads()} (FEWFIRE_NUM_THREADS chooses)")


def _number(option: str, text: str, word: str) -> float | str:
    """The number that a text means, or the word that may stand in its place."""
    if text == word:
        return word
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{option} must be a finite number or {word!r}. Got {text!r}. Write for example 0.5."
        )
    return number


def run() -> None:
    """Entry point: errors of the user end with one message and no traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except TrainingError as error:
        _fail(str(error), TRAINING_FAILED)
    except (FewfireError, ValueError) as error:
        _fail(str(error), USER_ERROR)
    except (MemoryError, OverflowError) as error:
        _fail(f"a run must fit in memory. Got: {error}. Lower --width or --batch-size.", USER_ERROR)
    except OSError as error:
        _fail(f"files must be readable and writable. Got: {error}. Check path and disk.", USER_ERROR)


def _fail(message: str, code: int) -> None:
    typer.echo(f"fewfire: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    run()
