"""Options that several commands share."""

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from fewfire.networks.losses import LOSSES
from fewfire.training.methods.schedules import SCHEDULES


def one_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Completes any of the names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="'digits', 'openml:NAME', a folder of IDX files, or an NPZ, CSV, Parquet or svmlight file, or "
        "text of the Extreme Classification Repository.",
        autocompletion=one_of(["digits"]),
    ),
]
Target = Annotated[
    str | None,
    typer.Option(help="Column of the labels in a table; by default target, label, class or the last one."),
]
Categories = Annotated[
    str | None,
    typer.Option(
        help="Columns of a table, a,b,c, whose numbers are categories. Columns of texts are so anyway."
    ),
]
Width = Annotated[int, typer.Option(help="Neurons in the hidden layer.")]
Epochs = Annotated[int, typer.Option(help="Passes over the training set.")]
BatchSize = Annotated[int, typer.Option(help="Samples a step.")]
LearningRate = Annotated[str, typer.Option(help="A number, or auto for the largest safe one.")]
Schedule = Annotated[
    str,
    typer.Option(
        help="How the rate changes: constant, cosine (to zero) or step.",
        autocompletion=one_of(SCHEDULES),
    ),
]
DecayEvery = Annotated[
    int | None, typer.Option(help="With the schedule step: epochs between decays; by default a third of all.")
]
DecayGamma = Annotated[
    float | None, typer.Option(help="With the schedule step: what a decay multiplies by; by default 0.1.")
]
Momentum = Annotated[float, typer.Option(help="Of a heavy ball, 0 to 1; the rate auto allows for it.")]
Nesterov = Annotated[bool, typer.Option("--nesterov", help="Nesterov's momentum in its place.")]
WeightDecay = Annotated[float, typer.Option(help="Added to the gradient for each 1 of a weight.")]
Loss = Annotated[
    str,
    typer.Option(
        help="squared, softmax or logistic; auto: logistic for several labels a row, else squared.",
        autocompletion=one_of([*LOSSES, "auto"]),
    ),
]
Threshold = Annotated[
    str, typer.Option(help="A number, or paper for the paper's sqrt(0.4 ln width), 0.48 with gauss-newton.")
]
Seed = Annotated[int, typer.Option(help="Of the weights, the order of the samples and the split.")]
Threads = Annotated[int | None, typer.Option(help="Threads; by default one a core. No result depends on it.")]
MemoryLimit = Annotated[
    str | None, typer.Option(help="Memory of the process in training, such as 8GB; by default no limit.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object with all figures last, on stdout.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors, and what --json asks for.")
]
