"""`fewfire plan`: what to train with, before it is trained."""

import json as json_format
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import Progress

from fewfire._version import __version__
from fewfire.cli.config import Config, PrintConfig, toml_content
from fewfire.cli.options import Json, Quiet, takes, whole_numbers
from fewfire.cli.streams import console_of
from fewfire.data import Dataset
from fewfire.errors import DataError
from fewfire.networks.deep import Network
from fewfire.plan import (
    Accuracy,
    Loss,
    MaxRate,
    NetworkTrials,
    RateLaw,
    Trial,
    best_rate,
    grid,
    max_rate,
    rank,
)
from fewfire.plan.network_trials import some_of
from fewfire.plan.ranking import VALIDATION
from fewfire.plan.rate_law import SHARPNESS
from fewfire.prepare.targets import REGRESSION
from fewfire.runs import TrainOptions
from fewfire.runs.prepare import first_network, load, prepare
from fewfire.training import GradientDescent
from fewfire.training.rates import BestRate

SHARE_OF_LOSS = 0.7  # success, where none is given and accuracy tells nothing
ACCURACY = 0.5
DEFAULT_CANDIDATES = grid(width=[2048, 4096, 8192], threshold=[0.0, 1.0, 2.0])
OF_TRIALS = (
    "data", "target", "task", "categories", "drop", "batch_size", "momentum", "nesterov", "weight_decay",
    "loss", "threshold", "fire_rate", "init", "train_output_weights", "test_fraction", "seed", "threads",
    "memory_limit",
)  # fmt: skip

Epochs = Annotated[int, typer.Option(help="Passes over the samples, at the most, of a run.")]
Seeds = Annotated[int, typer.Option(help="Networks from different seeds; their spread is the interval.")]
Samples = Annotated[int, typer.Option(help="Training samples that runs see, at the most.")]
Success = Annotated[
    str,
    typer.Option(
        help="What tells that training begins: accuracy:0.5, or loss:0.7 for a share of the first loss; "
        "auto: accuracy for classes with the squared loss, else loss."
    ),
]


@takes("width", *OF_TRIALS)
def rate(
    options: TrainOptions,
    epochs: Epochs = 2,
    seeds: Seeds = 3,
    success: Success = "auto",
    samples: Samples = 10_000,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Find the learning rate to start at, by short runs of fresh networks.

    The largest rate at which training begins, with its interval over seeds;
    the rate that lowers the loss most in a hundred steps; and where to start.

    Examples:

      fewfire plan rate digits --width 4096
      fewfire plan rate digits --width 4096 --loss softmax --json
    """
    console = console_of(json=json, quiet=quiet)
    dataset = load(options)
    trials = _trials(options, dataset, samples)
    asked = _success(success, trials)
    with console.status("trying rates") as status:
        best = best_rate(trials, seed=options.seed, on_trial=partial(_said, status.update))
        limit = _limit(trials, asked, epochs, seeds, status.update)
    start = min(best.rate, limit.start)
    for line in (
        f"{dataset.name}: {trials.n_samples:,} samples, {options.width_text}, {trials.loss_name} loss",
        f"{limit}",
        f"{best}",
        f"start at {start:.3g}: the smaller of the best and a quarter of the largest",
    ):
        console.print(line, soft_wrap=True)
    if json:
        print(json_format.dumps(_figures(options, best, limit) | {"start": start}))


@takes(*OF_TRIALS)
def law(
    options: TrainOptions,
    widths: Annotated[str, typer.Option(help="Widths that are measured, w1,w2,w3: three at least.")] = (
        "512,1024,2048,4096"
    ),
    depths: Annotated[str, typer.Option(help="Numbers of hidden layers, each measured at all widths.")] = "1",
    predict: Annotated[int, typer.Option(help="The width whose rate is foretold.")] = 32_768,
    predict_depth: Annotated[int, typer.Option(help="And its number of hidden layers.")] = 1,
    epochs: Epochs = 2,
    seeds: Seeds = 3,
    success: Success = "auto",
    samples: Samples = 10_000,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Foretell the largest rate of a shape that is too large to try.

    Measured at some widths and depths, and foretold with an 80 % interval: up to
    eight times the largest, and only where the law fits its own points.

    Examples:

      fewfire plan law digits --threshold 1 --predict 16384
      fewfire plan law digits --threshold 1 --depths 1,2 --predict-depth 2
    """
    console = console_of(json=json, quiet=quiet)
    dataset, measured = load(options), []

    def trials_of_shape(width: int, depth: int) -> NetworkTrials:
        return _trials(replace(options, width=(width,) * depth), dataset, samples)

    with console.status("trying rates") as status:
        for depth, width in product(
            whole_numbers(depths, "--depths", example="1,2"),
            whole_numbers(widths, "--widths", example="512,1024,2048"),
        ):
            shape, trials = _shape_text(width, depth), trials_of_shape(width, depth)

            def say(text: str, shape: str = shape) -> None:
                status.update(f"{shape}: {text}")

            measured.append(_limit(trials, _success(success, trials), epochs, seeds, say))
            console.print(f"{shape}: {measured[-1]}", soft_wrap=True)
        found, sharpness = RateLaw.fit(measured), None
        if found.form == SHARPNESS:
            status.update(f"{_shape_text(predict, predict_depth)}: its sharpness")
            sharpness = trials_of_shape(predict, predict_depth).sharpness
        foretold = found.predict(predict, predict_depth, sharpness=sharpness)
    console.print(f"\n{found}", soft_wrap=True)
    shape = _shape_text(predict, predict_depth)
    console.print(f"{shape}: largest rate {foretold}; start at a quarter of it", soft_wrap=True)
    if json:
        figures = {
            "fewfire": __version__,
            "data": options.data,
            "measured": [_limit_figures(one) for one in measured],
            "form": found.form,
            "exponents": list(found.exponents),
            "left_out_error": found.error,
            "left_out_errors": found.errors,
            "predicted_width": predict,
            "predicted_depth": predict_depth,
            **asdict(foretold),
        }
        print(json_format.dumps(figures))


@takes("data", "target", "task", "categories", "drop", "test_fraction", "seed", "threads")
def ranking(
    options: TrainOptions,
    candidates: Annotated[
        Path | None,
        typer.Option(
            help="TOML file: a table [grid] with lists of settings, or [[candidate]] with some of each. By "
            "default three widths and three thresholds."
        ),
    ] = None,
    epochs: Annotated[
        int, typer.Option(help="Epochs of the first round; each further one doubles them.")
    ] = 1,
    rounds: Annotated[int, typer.Option(help="After each of which bad candidates are stopped.")] = 3,
    seeds: Seeds = 2,
    score: Annotated[
        str,
        typer.Option(help="validation, the accuracy on held rows; speed, by training losses; edge_dynamics."),
    ] = VALIDATION,
    samples: Samples = 10_000,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Rank candidate networks by short runs, and stop the bad ones early.

    One table, the best first, with what cannot be told from it and how many
    rows would tell; beside it early accuracy, size, chance and halving.

    Examples:

      fewfire plan rank digits
      fewfire plan rank digits --rounds 2 --score speed --json
    """
    console = console_of(json=json, quiet=quiet)
    listed = DEFAULT_CANDIDATES if candidates is None else _candidates(candidates)
    dataset = load(options)
    if dataset.task == REGRESSION or dataset.labels.ndim > 1:
        raise DataError(
            f"candidates must have labels that are classes, one per row. Got {options.data} with others. Use "
            "fewfire plan rate, and compare runs by their test error."
        )
    order = np.random.default_rng(options.seed).permutation(len(dataset.inputs))[: max(0, samples)]
    order.sort()
    with Progress(console=console, transient=True, disable=not console.is_interactive) as progress:
        task = progress.add_task("ranking", total=1.0)
        found = rank(
            listed, dataset.inputs[order], dataset.labels[order], epochs=epochs, rounds=rounds, seeds=seeds,
            score=score, standardize=dataset.tabular, seed=options.seed,
            on_epoch=lambda done, most: progress.update(task, completed=done / most),
        )  # fmt: skip
    console.print(f"{found}", soft_wrap=True)
    if json:
        print(json_format.dumps({"fewfire": __version__, "data": options.data} | found.as_dict()))


def _candidates(path: Path) -> list[dict[str, Any]]:
    """Those that a TOML file names."""
    content = toml_content(path, "--candidates")
    listed, table = content.pop("candidate", []), content.pop("grid", None)
    lists = isinstance(listed, list) and all(isinstance(one, dict) for one in listed)
    values = table is None or (
        isinstance(table, dict) and all(isinstance(one, list) for one in table.values())
    )
    if content or not (lists and values):
        raise ValueError(
            f"{path} must hold a table [grid] of lists, or tables [[candidate]]. Got another form. Write for "
            "example [grid] and width = [2048, 8192] below it."
        )
    return [*listed, *(grid(**table) if table else [])]


def _trials(options: TrainOptions, dataset: Dataset, samples: int) -> NetworkTrials:
    """Trials of the network that these options would train, on so many of its samples at the most."""
    trainer = prepare(replace(options, optimizer=GradientDescent.name), dataset).trainer
    problem, method, network = trainer.problem, trainer.method, trainer.network
    assert isinstance(method, GradientDescent)
    if samples < 1:
        raise ValueError(f"--samples must be >= 1. Got {samples}. Leave it out for 10,000.")
    if len(problem) > samples:
        problem = some_of(problem, samples, min(problem.batch_size, samples))
    make = partial(_network, options, network.n_features, network.n_outputs)
    return NetworkTrials(problem, method, make)


def _network(options: TrainOptions, n_features: int, n_outputs: int, seed: int) -> Network:
    return first_network(replace(options, seed=options.seed + seed), n_features, n_outputs)


def _success(text: str, trials: NetworkTrials) -> Accuracy | Loss:
    """What tells success, as the option says."""
    if text == "auto":
        by_accuracy = trials.has_classes and trials.loss_name == "squared"
        return Accuracy(ACCURACY) if by_accuracy else Loss(SHARE_OF_LOSS)
    name, _, number = text.partition(":")
    try:
        return {"accuracy": Accuracy, "loss": Loss}[name](float(number))
    except (KeyError, ValueError):
        raise ValueError(
            f"--success must be accuracy:SHARE or loss:SHARE, between 0 and 1. Got {text!r}. Write for "
            "example accuracy:0.5."
        ) from None


def _limit(
    trials: NetworkTrials, success: Accuracy | Loss, epochs: int, seeds: int, say: Callable[[str], None]
) -> MaxRate:
    def tried(trial: Trial) -> None:
        begins = "begins" if trial.succeeded else "does not begin"
        say(f"seed {trial.seed}, rate {trial.rate:.3g}: training {begins}")

    return max_rate(trials, success=success, epochs=epochs, seeds=seeds, on_trial=tried)


def _said(say: Callable[[str], None], rate: float, loss: float) -> None:
    say(f"rate {rate:.3g}: " + (f"loss {loss:.4g}" if np.isfinite(loss) else "too large"))


def _shape_text(width: int, depth: int) -> str:
    return f"width {width:>7,}" + (f", depth {depth}" if depth > 1 else "")


def _figures(options: TrainOptions, best: BestRate, limit: MaxRate) -> dict[str, Any]:
    return {
        "fewfire": __version__,
        "data": options.data,
        "best": best.rate,
        "safe": best.safe_rate,
        "best_seconds": best.seconds,
        "losses": [[rate, _or_none(loss)] for rate, loss in best.losses.items()],
        **_limit_figures(limit),
    }


def _limit_figures(limit: MaxRate) -> dict[str, Any]:
    """The figures of a largest rate; null where there is none."""
    return {
        "width": limit.width,
        "depth": limit.depth,
        "largest": _or_none(limit.rate),
        "low": _or_none(limit.low) if math.isfinite(limit.rate) else None,
        "high": _or_none(limit.high),
        "spread": limit.spread,
        "monotone": limit.monotone,
        "by_seed": [_or_none(rate) for rate in limit.by_seed],
        "success": str(limit.success),
        "runs": len(limit.trials),
        "seconds": limit.seconds,
        "trials": [asdict(trial) | {"reached": _or_none(trial.reached)} for trial in limit.trials],
    }


def _or_none(number: float) -> float | None:
    return number if math.isfinite(number) else None
