"""The options of the commands: how each is spelled, explained and read. `TrainOptions` has the defaults."""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from fewfire.indexes import INDEXES
from fewfire.networks.initial import INITS
from fewfire.networks.losses import LOSSES
from fewfire.networks.threshold import BY_NAME
from fewfire.prepare.targets import AUTO, TASKS
from fewfire.runs.options import AS_ESTIMATOR, TrainOptions
from fewfire.system.memory import bytes_of
from fewfire.training import METHODS
from fewfire.training.methods.adversarial import SCHEMES
from fewfire.training.methods.gradient_descent import RATES
from fewfire.training.methods.schedules import SCHEDULES


def one_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Completes any of the names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object with all figures last, on stdout.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors, and what --json asks for.")
]
Threads = Annotated[
    int | None, typer.Option(help="Threads; by default one per core. No result depends on it.")
]
Seed = Annotated[int, typer.Option(help="Seed for the weights, the order of the samples and the split.")]

OPTIONS: dict[str, Any] = {  # by the field of TrainOptions
    "data": Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="'digits', 'openml:NAME', a folder of IDX files, or an NPZ, CSV, Parquet or svmlight file, "
            "or text of the Extreme Classification Repository.",
            autocompletion=one_of(["digits"]),
        ),
    ],
    "target": Annotated[
        str | None,
        typer.Option(
            help="Column of the labels in a table; a,b for several targets of a regression. By default "
            "target, label, class or the last one."
        ),
    ],
    "task": Annotated[
        str,
        typer.Option(
            help="classification or regression; auto: texts and few whole numbers are classes.",
            autocompletion=one_of(TASKS),
        ),
    ],
    "categories": Annotated[
        str | None,
        typer.Option(
            help="Columns of a table, a,b,c, whose numbers are categories. Columns of texts are so anyway."
        ),
    ],
    "drop": Annotated[
        str | None, typer.Option(help="Columns of a table, a,b,c, that are left out: numbers of rows, names.")
    ],
    "width": Annotated[
        str | None,
        typer.Option(
            help="Neurons in the hidden layer, or a,b in each of several; by default 65,536, or 8,192."
        ),
    ],
    "index": Annotated[
        str,
        typer.Option(
            help=f"Who fires? {', '.join(INDEXES)}, or auto: the fastest by a short probe.",
            autocompletion=one_of([*INDEXES, AUTO]),
        ),
    ],
    "optimizer": Annotated[
        str,
        typer.Option(
            help="sgd; gauss-newton: near zero loss in a handful of epochs, each by default one step on "
            "all samples, at threshold 0.48; estimator: coding, features, threshold and ridge are chosen as "
            "WideClassifier and WideRegressor do. auto: that for a table without settings of sgd, else sgd.",
            autocompletion=one_of((AUTO, AS_ESTIMATOR, *METHODS)),
        ),
    ],
    "epochs": Annotated[
        int | None, typer.Option(help="Passes over the training set; by default 10, of an estimator up to 5.")
    ],
    "batch_size": Annotated[int | None, typer.Option(help="Samples per step; by default 256.")],
    "learning_rate": Annotated[str, typer.Option(help="A number; auto: the largest safe one; or measured.")],
    "schedule": Annotated[
        str,
        typer.Option(
            help="How the rate changes: constant, cosine (to zero) or step.",
            autocompletion=one_of(SCHEDULES),
        ),
    ],
    "decay_every": Annotated[
        int | None,
        typer.Option(help="With the schedule step: epochs between decays; by default a third of all."),
    ],
    "decay_gamma": Annotated[
        float | None,
        typer.Option(help="With the schedule step: what a decay multiplies by; by default 0.1."),
    ],
    "momentum": Annotated[
        float, typer.Option(help="Momentum of a heavy ball, 0 to 1; the rate auto allows for it.")
    ],
    "nesterov": Annotated[bool, typer.Option("--nesterov", help="Nesterov's momentum in its place.")],
    "weight_decay": Annotated[float, typer.Option(help="Added to the gradient for each 1 of a weight.")],
    "ridge": Annotated[float, typer.Option(help="Not with sgd: draws the weights to where they began.")],
    "loss": Annotated[
        str,
        typer.Option(
            help="squared, softmax or logistic; auto: logistic for several labels per row, else squared.",
            autocompletion=one_of([*LOSSES, AUTO]),
        ),
    ],
    "threshold": Annotated[
        str,
        typer.Option(help="A number; paper for sqrt(0.4 ln width); auto: that, or more for wide networks."),
    ],
    "fire_rate": Annotated[
        str | None,
        typer.Option(help="Share of pairs that fire at first, or one per layer as a,b; sets the threshold."),
    ],
    "init": Annotated[
        str,
        typer.Option(
            help="Initial weights: gaussian; structured for a faster build; auto: that from 64 features on.",
            autocompletion=one_of((*INITS, AUTO)),
        ),
    ],
    "train_output_weights": Annotated[
        bool, typer.Option("--train-output-weights", help="Train the output weights too.")
    ],
    "test_fraction": Annotated[
        float, typer.Option(help="Rows kept for testing where the data have no test part.")
    ],
    "validation_fraction": Annotated[
        float,
        typer.Option(help="Share of the training rows held back to score each epoch; not as an estimator."),
    ],
    "patience": Annotated[
        int | None,
        typer.Option(help="With it: stop after so many epochs without a smaller loss on these rows."),
    ],
    "seed": Seed,
    "threads": Threads,
    "memory_limit": Annotated[
        str | None, typer.Option(help="Memory of the process in training, such as 8GB; by default no limit.")
    ],
    "checkpoint_every": Annotated[
        int,
        typer.Option(help="Epochs from one checkpoint to the next, for `resume`; 0: when interrupted."),
    ],
    "out": Annotated[Path | None, typer.Option(help="Run folder; by default runs/DATA-TIME.")],
    "compare_dense": Annotated[
        int, typer.Option(help="Then take this many steps in turn with dense PyTorch.")
    ],
    "attack": Annotated[
        str | None,
        typer.Option(help="Train against attacks: norm and radius as a share of the range, linf:8/255."),
    ],
    "adversarial": Annotated[
        str,
        typer.Option(
            help="With --attack: pgd, many steps per batch; fast, one, with a watch; free, replays that move "
            "weights and attack; trades, clean samples and how far outputs can be carried; certified, the "
            "worst outputs that are possible.",
            autocompletion=one_of(SCHEMES),
        ),
    ],
    "attack_steps": Annotated[
        int | None,
        typer.Option(help="Steps of an attack on a batch, by default 7; with free its replays, 8."),
    ],
    "trades": Annotated[
        float | None,
        typer.Option(help="With --adversarial trades: what weighs the change of outputs; by default 6."),
    ],
    "tensorboard": Annotated[
        Path | None, typer.Option(help="Log the epochs for TensorBoard, in a folder in this one.")
    ],
}


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with an option for each of these fields of `TrainOptions`.

    They stand before the parameters of the function, which gets what was read as its first, `options`.
    """

    def command_of(function: Callable[..., None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            asked = {name: _READ.get(name, _as_it_is)(given.pop(name)) for name in names}
            function(TrainOptions(**asked), **given)

        _, *own = inspect.signature(function).parameters.values()
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS[name],
                              annotation=OPTIONS[name])
            for name in names
        ]  # fmt: skip
        parameters = [*added, *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own)]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        return command

    return command_of


DEFAULTS: dict[str, Any] = {  # as the command line would give them
    field.name: inspect.Parameter.empty if field.default is MISSING else field.default
    for field in fields(TrainOptions)
} | {"target": None, "categories": None, "drop": None}


def _as_it_is(value: Any) -> Any:
    return value


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def number_or(words: Sequence[str], option: str) -> Callable[[str], float | str]:
    """Reads a number, or one of the words that may stand in its place."""

    def read(text: str) -> float | str:
        if text in words:
            return text
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(
                f"{option} must be a finite number, {' or '.join(map(repr, words))}. Got {text!r}. Write for "
                "example 0.5."
            )
        return number

    return read


def whole_numbers(text: str, option: str, *, example: str, least: int = 1) -> list[int]:
    """Reads whole numbers with commas between them."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) >= least for part in parts):
        raise ValueError(
            f"{option} must be whole numbers >= {least}, a,b,c. Got {text!r}. Write for example {example}."
        )
    return [int(part) for part in parts]


def real_numbers(text: str, option: str, *, example: str) -> list[float]:
    """Reads numbers with commas between them."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(
            f"{option} must be numbers, a,b,c. Got {text!r}. Write for example {example}."
        ) from error


def _number(option: str, kind: Callable[[str], float], what: str, example: str) -> Callable[[str], float]:
    """Reads a number of this kind."""

    def read(text: str) -> float:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(
                f"{option} must be {what}, or several as a,b. Got {text!r}. Write for example {example}."
            ) from None

    return read


def _one_or_several(text: str | None, read: Callable[[str], Any]) -> Any:
    """One value, or a tuple of those that stand between commas; none is one, too."""
    if text is None:
        return None
    first, *others = map(read, text.split(","))
    return (first, *others) if others else first


_READ: dict[str, Callable[[Any], Any]] = {  # texts that stand for something else
    "target": _listed,
    "categories": _listed,
    "drop": _listed,
    "learning_rate": number_or(RATES, "--learning-rate"),
    "threshold": lambda text: _one_or_several(text, number_or(tuple(BY_NAME), "--threshold")),
    "width": lambda text: _one_or_several(text, _number("--width", int, "a whole number", "16384")),
    "fire_rate": lambda text: _one_or_several(text, _number("--fire-rate", float, "a number", "0.05")),
    "memory_limit": lambda text: None if text is None else bytes_of(text),
}
