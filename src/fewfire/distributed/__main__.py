"""`torchrun --nproc-per-node 2 -m fewfire.distributed train DATA`: train one network on several processes."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fewfire.core.inputs import Inputs
from fewfire.data import load_dataset
from fewfire.distributed import checkpoints
from fewfire.distributed.group import Group
from fewfire.distributed.shard import Shard
from fewfire.distributed.trainer import ShardTrainer
from fewfire.errors import DataError, TrainingError
from fewfire.indexes import DriftIndex
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.losses import predicted_classes
from fewfire.prepare import Classes, InputScaling
from fewfire.system.machine import set_threads
from fewfire.system.words import require_counts
from fewfire.training import GradientDescent
from fewfire.training.problem import Problem

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def every() -> None:
    """Train one wide network on several processes, which torchrun starts."""


@app.command()
def train(
    data: Annotated[str, typer.Argument(help="A source as `fewfire train` takes it.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints; training goes on from the newest.")],
    learning_rate: Annotated[float, typer.Option(help="Of gradient descent; `fewfire train` finds one.")],
    width: Annotated[int, typer.Option(help="Neurons in all; a power of two.")] = 65_536,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 256,
    threshold: Annotated[str, typer.Option(help="A number, auto or paper.")] = "auto",
    init: Annotated[str, typer.Option(help="gaussian or structured.")] = "structured",
    loss: Annotated[str, typer.Option(help="squared or softmax.")] = "squared",
    momentum: Annotated[float, typer.Option(help="As in torch.optim.SGD.")] = 0.0,
    seed: Annotated[int, typer.Option(help="For weights and the order of samples.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Of each process; by default its share.")] = None,
) -> None:
    """Train on classes; print the weights' checksum, which is the same for any number of processes."""
    require_counts(width=width, epochs=epochs)
    group = Group()
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    set_threads(max(1, (os.cpu_count() or 1) // here) if threads is None else threads)

    def say(text: str) -> None:
        if group.rank == 0:
            typer.echo(text)

    dataset = load_dataset(data, task="classification", seed=seed)
    classes = Classes.of(dataset.labels)
    if classes.several:
        raise DataError(
            f"training on several processes must have one label per row. Got several of {len(classes)} in "
            f"{data}. Use `fewfire train`."
        )
    scaling = InputScaling.fit(dataset.inputs, standardize=dataset.tabular)
    inputs = Inputs.of(scaling.transform(dataset.inputs))
    targets = classes.one_hot(classes.encode(dataset.labels))
    shard = Shard.draw(
        width, inputs.n_features, targets.shape[1], group, threshold=_number(threshold), init=init, seed=seed
    )
    problem = Problem.of(shard, inputs, targets, loss=loss, batch_size=batch_size, seed=seed)
    method = GradientDescent(learning_rate=learning_rate, momentum=momentum)
    trainer = ShardTrainer(problem, method, DriftIndex())
    place = checkpoints.latest(out)
    if place is not None:
        checkpoints.restore(trainer, place)
        say(f"going on after epoch {len(trainer.history)} of {place}")
    trainer.build()
    while len(trainer.history) < epochs:
        record = trainer.epoch()
        checkpoints.save(trainer, out)
        say(f"epoch {record.epoch}: loss {record.loss:.4f}, accuracy {record.accuracy:.4f}, fires "
            f"{record.fire_rate:.2%}, {record.seconds:.1f} s")  # fmt: skip
    outputs = predicted_outputs(shard, Inputs.of(scaling.transform(dataset.test_inputs)))
    right = classes.decode(predicted_classes(outputs)) == dataset.test_labels
    last = trainer.history[-1]
    figures = {
        "processes": group.size,
        "seconds_per_step": last.seconds / last.steps,
        "weights_sha256": shard.checksum(),
        "test_accuracy": float(np.mean(right)),
    }
    say(json.dumps(figures))
    group.leave()


def _number(threshold: str) -> float | str:
    try:
        return float(threshold)
    except ValueError:
        return threshold


def run() -> None:
    """Run the command; what goes wrong is one line, and exit code 1."""
    try:
        app()
    except (DataError, TrainingError, ValueError, OSError) as error:
        print(f"fewfire.distributed: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run()
