"""The command `fewfire`: its sub-commands, and how errors end it."""

import math
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import fewfire
from fewfire.cli.config import Config, ConfigCommand, PrintConfig
from fewfire.cli.display import discard
from fewfire.cli.options import (
    BatchSize,
    Categories,
    Data,
    DecayEvery,
    DecayGamma,
    Epochs,
    Json,
    LearningRate,
    Loss,
    MemoryLimit,
    Momentum,
    Nesterov,
    Quiet,
    Schedule,
    Seed,
    Target,
    Threads,
    Threshold,
    WeightDecay,
    Width,
    one_of,
)
from fewfire.cli.train import AUTO, GAUSS_NEWTON, INTERRUPTED, OPTIMIZERS, SGD, TrainOptions, train_command
from fewfire.errors import FewfireError, TrainingError
from fewfire.indexes import INDEXES
from fewfire.networks.two_layer import INITS
from fewfire.system.memory import bytes_of

app = typer.Typer(
    name="fewfire",
    help="Train very wide neural networks while touching only the neurons that fire.",
    epilog="Exit codes: 0 done, 1 training failed or output cut off, 2 a mistake in the command, its files "
    "or its data, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

study_app = typer.Typer(
    help="Train, and look closely at how it went or at what it costs.", no_args_is_help=True
)
app.add_typer(study_app, name="study")

USER_ERROR, TRAINING_FAILED, OUTPUT_CUT_OFF = 2, 1, 1
UsageError: Any = typer.BadParameter.__base__  # of Typer or of Click, by the version of Typer


@app.command(cls=ConfigCommand)
def train(
    data: Data,
    target: Target = None,
    categories: Categories = None,
    width: Width = 65536,
    index: Annotated[
        str,
        typer.Option(
            help=f"Who fires? {', '.join(INDEXES)}, or auto: the fastest by a short probe.",
            autocompletion=one_of([*INDEXES, "auto"]),
        ),
    ] = "drift",
    optimizer: Annotated[
        str,
        typer.Option(
            help="sgd, or gauss-newton: near zero loss in a handful of steps, each an epoch.",
            autocompletion=one_of(OPTIMIZERS),
        ),
    ] = SGD,
    epochs: Epochs = 10,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples a step; by default 256, or all with gauss-newton.")
    ] = None,
    learning_rate: LearningRate = "auto",
    schedule: Schedule = "constant",
    decay_every: DecayEvery = None,
    decay_gamma: DecayGamma = None,
    momentum: Momentum = 0.0,
    nesterov: Nesterov = False,
    weight_decay: WeightDecay = 0.0,
    ridge: Annotated[
        float, typer.Option(help="With gauss-newton: draws the weights to where they began.")
    ] = 0.0,
    loss: Loss = AUTO,
    threshold: Threshold = "paper",
    fire_rate: Annotated[
        float | None, typer.Option(help="Share of pairs that fire at first; sets the threshold.")
    ] = None,
    init: Annotated[
        str,
        typer.Option(
            help="Initial weights: gaussian, or structured for a faster build of the index.",
            autocompletion=one_of(INITS),
        ),
    ] = "gaussian",
    train_output_weights: Annotated[
        bool, typer.Option("--train-output-weights", help="Train the output weights too.")
    ] = False,
    test_fraction: Annotated[
        float, typer.Option(help="Rows kept for testing where the data have no test part.")
    ] = 0.2,
    seed: Seed = 0,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    checkpoint_every: Annotated[
        int,
        typer.Option(help="Epochs from one checkpoint to the next, for `resume`; 0: when interrupted."),
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/DATA-TIME.")] = None,
    compare_dense: Annotated[
        int, typer.Option(help="Then take this many steps in turn with dense PyTorch.")
    ] = 0,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Log the epochs for TensorBoard, in a folder in this one.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Train a two-layer network and save it in a run folder.

    Examples:

      fewfire train digits --width 16384 --compare-dense 20
      fewfire train fashion_mnist/ --memory-limit 8GB --out runs/fashion
      fewfire train digits --optimizer gauss-newton --epochs 6
      fewfire train digits --width 16384 --print-config > digits.toml
      fewfire train --config digits.toml --seed 1
    """
    if batch_size is None and optimizer != GAUSS_NEWTON:
        batch_size = 256
    train_command(
        TrainOptions(
            data=data,
            target=target,
            categories=tuple(categories.split(",")) if categories else (),
            width=width,
            index=index,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=_number("--learning-rate", learning_rate, "auto"),
            schedule=schedule,
            decay_every=decay_every,
            decay_gamma=decay_gamma,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
            ridge=ridge,
            loss=loss,
            threshold=_number("--threshold", threshold, "paper"),
            fire_rate=fire_rate,
            init=init,
            train_output_weights=train_output_weights,
            test_fraction=test_fraction,
            seed=seed,
            threads=fewfire.threads() if threads is None else threads,
            memory_limit=None if memory_limit is None else bytes_of(memory_limit),
            checkpoint_every=checkpoint_every,
            out=out,
            compare_dense=compare_dense,
            tensorboard=tensorboard,
            json=json,
            quiet=quiet,
        )
    )


@app.command()
def resume(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that was stopped.")],
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted or killed.

    It goes on from its last checkpoint, and ends with the weights of a run without a break, bit for bit.

    Example:

      fewfire resume runs/fashion
    """
    from fewfire.cli.resume import resume_command

    resume_command(run_folder, threads=threads, as_json=json, quiet=quiet)


@study_app.command(cls=ConfigCommand)
def drift(
    data: Data,
    width: Width = 65536,
    epochs: Epochs = 10,
    batch_size: BatchSize = 256,
    learning_rate: LearningRate = "auto",
    schedule: Schedule = "constant",
    decay_every: DecayEvery = None,
    decay_gamma: DecayGamma = None,
    momentum: Momentum = 0.0,
    nesterov: Nesterov = False,
    weight_decay: WeightDecay = 0.0,
    loss: Loss = AUTO,
    threshold: Threshold = "paper",
    seed: Seed = 0,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    every: Annotated[
        int | None,
        typer.Option(help="Steps a record is of; by default as few as make 1,000 records at the most."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/drift-DATA-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Train through the drift index and record what limits the run.

    How far neurons drift, what each filter lets through, and where the time
    goes: as a table, as pictures, and in one sentence.

    Examples:

      fewfire study drift digits --width 16384 --epochs 20 --out runs/drift
      fewfire study drift digits --every 1 --quiet --json > drift.json
    """
    from fewfire.cli.study import drift_command

    options = TrainOptions(
        data=data,
        width=width,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=_number("--learning-rate", learning_rate, "auto"),
        schedule=schedule,
        decay_every=decay_every,
        decay_gamma=decay_gamma,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        loss=loss,
        threshold=_number("--threshold", threshold, "paper"),
        seed=seed,
        threads=fewfire.threads() if threads is None else threads,
        memory_limit=None if memory_limit is None else bytes_of(memory_limit),
        out=out,
        json=json,
        quiet=quiet,
    )
    drift_command(options, every)


@study_app.command(cls=ConfigCommand)
def scaling(
    quick: Annotated[bool, typer.Option("--quick", help="Only the smallest sizes: a few seconds.")] = False,
    seed: Seed = 0,
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/scaling-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Measure how the cost of a step grows, through every index.

    Over width, samples and features: counted work, time, and the exponents
    of their growth, as a table and as pictures. Five minutes at the most.

    Examples:

      fewfire study scaling --out runs/scaling
      fewfire study scaling --quick --threads 1
    """
    from fewfire.cli.study import scaling_command

    threads = fewfire.threads() if threads is None else threads
    scaling_command(quick=quick, seed=seed, threads=threads, out=out, as_json=json, quiet=quiet)


@app.command()
def predict(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="Samples in any of the formats of `train`, with or without labels."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write; by default RUN/predictions.csv.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Predict the labels of samples with a trained network.

    Examples:

      fewfire predict runs/digits digits
      fewfire predict runs/fashion new.csv --out labels.csv
    """
    from fewfire.cli.predict import predict_command

    predict_command(run_folder, data, out, quiet=quiet)


@app.command()
def report(
    run_folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs that ended.")],
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file to write; by default RUN/report.html, ./report.html of several runs."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make one HTML page of a run, or of several side by side.

    Settings, curves, work beside dense training, time, memory, exactness.

    Examples:

      fewfire report runs/digits
      fewfire report runs/drift runs/exhaustive --out compared.html
    """
    from fewfire.cli.report import report_command

    report_command(run_folders, out, quiet=quiet)


@app.command()
def info() -> None:
    """Print the version, the instruction set and the number of threads.

    Examples:

      fewfire info
      FEWFIRE_NUM_THREADS=1 FEWFIRE_SIMD=base fewfire info
    """
    typer.echo(str(fewfire.info()))


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
    """Entry point: errors of the user end with one message and no traceback. SIGTERM is as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(prog_name="fewfire", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except UsageError as error:
        if not (message := error.format_message().rstrip(".?")):  # the help is shown in its place
            sys.exit(USER_ERROR)
        command = error.ctx.command_path if error.ctx else "fewfire"
        _fail(f"a command must be as its help says. Got: {message}. See {command} --help.", USER_ERROR)
    except BrokenPipeError:
        discard(sys.stdout)
        sys.exit(OUTPUT_CUT_OFF)
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
