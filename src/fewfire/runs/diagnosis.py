"""What `fewfire diagnose` looks at: data before training, or a run and what training changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.data import Dataset
from fewfire.diagnose import (
    KernelReport,
    QuantumCost,
    TaylorShares,
    kernel_report,
    quantum_costs,
    taylor_shares,
)
from fewfire.errors import DataError
from fewfire.networks.deep import Network
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare import Classes
from fewfire.prepare.model import Model
from fewfire.prepare.scores import targets_of
from fewfire.runs.folder import Run, RunFolder
from fewfire.runs.options import AS_ESTIMATOR, TrainOptions
from fewfire.runs.prepare import load, prepare
from fewfire.tangent import Layers
from fewfire.training import GaussNewton, GradientDescent

Floats = NDArray[np.float64]
Progress = Callable[[str], None]
FILE, PICTURE = "diagnosis.json", "diagnosis.png"
TESTED = 256  # test samples of the quantum report
WITHIN = 16  # moments of an epoch whose foretold losses stand for all


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Reports of kernels, and what was foretold beside what happened.

    Attributes
    ----------
    name : str
        Of the data or the run.
    start : KernelReport or None
        Of the network as it began; None where only what became of it is known.
    end : KernelReport or None
        Of the trained network; None before training.
    layers : tuple of KernelReport
        Of limits of great width, by depth.
    foretold, recorded : tuple of float
        The mean loss of each epoch; empty where none was foretold, as for other losses than the squared.
    quantum : tuple of QuantumCost
        Empty unless asked for.
    classes : tuple of str
        Those two that the quantum report is of.
    taylor : TaylorShares or None
        Of first and of higher order in what training changed, on some training samples; of a run of one
        hidden layer whose start is known.
    """

    name: str
    start: KernelReport | None
    end: KernelReport | None
    layers: tuple[KernelReport, ...]
    foretold: tuple[float, ...] = ()
    recorded: tuple[float, ...] = ()
    quantum: tuple[QuantumCost, ...] = ()
    classes: tuple[str, ...] = ()
    taylor: TaylorShares | None = None

    @property
    def report(self) -> KernelReport:
        """The one to show first."""
        found = self.start or self.end
        assert found is not None
        return found

    def as_dict(self) -> dict[str, Any]:
        """All figures by name, as JSON takes them."""
        return {
            "name": self.name,
            "start": None if self.start is None else self.start.as_dict(),
            "end": None if self.end is None else self.end.as_dict(),
            "layers": [report.as_dict() for report in self.layers],
            "foretold": [loss if np.isfinite(loss) else None for loss in self.foretold],
            "recorded": list(self.recorded),
            "quantum": [cost.as_dict() for cost in self.quantum],
            "quantum_classes": list(self.classes),
            "taylor": None if self.taylor is None else self.taylor.as_dict(),
            "text": [list(line) for line in self.report.lines()],
            "verdicts": self.report.verdicts,
        }


@dataclass(frozen=True, eq=False)
class _Problem:
    """Samples and targets as a network is trained on them."""

    network: Network
    inputs: Inputs
    targets: Floats


def diagnose_data(
    options: TrainOptions,
    *,
    samples: int = 1024,
    depths: Sequence[int] = (1, 2, 3),
    quantum: bool = False,
    say: Progress = lambda _: None,
) -> Diagnosis:
    """Look at data, and at the network that `fewfire train` would begin with.

    Parameters
    ----------
    options : TrainOptions
    samples : int
        Looked at.
    depths : sequence of int
        Hidden layers of the limits of great width beside it, at the network's threshold.
    quantum : bool
        Whether the quantum costs of the two largest classes are counted, too.
    say : callable
        Called with what comes next.

    Raises
    ------
    DataError, MemoryLimitError, ValueError
        See `fewfire.runs.train_run` and `fewfire.diagnose.kernel_report`.
    """
    say("reading the data")
    dataset = load(options)
    prepared = prepare(_plainly(options, 1.0), dataset)
    problem = prepared.trainer.problem
    known = _Problem(problem.network, problem.inputs, problem.targets.astype(np.float64))
    say("the network's kernel")
    start = kernel_report(known.network, known.inputs, known.targets, samples=samples, seed=options.seed)
    layers = _limits(known, depths, samples, options.seed, say)
    costs, classes = _quantum(dataset, options.seed, say) if quantum else ((), ())
    return Diagnosis(dataset.name, start, None, layers, quantum=costs, classes=classes)


def diagnose_run(
    path: Path,
    *,
    samples: int = 1024,
    depths: Sequence[int] = (1, 2, 3),
    quantum: bool = False,
    say: Progress = lambda _: None,
) -> Diagnosis:
    """Look at a run that ended: its kernel as it began and ended, and the loss that the first foretold.

    The first is known of runs by gradient descent and Gauss-Newton steps, whose start can be drawn again; it
    foretells the squared loss of plain descent at a constant rate.

    Parameters
    ----------
    path : Path
        The run folder.
    samples, depths, quantum, say
        See `diagnose_data`.

    Raises
    ------
    DataError
        The folder holds no run with a model, or its data are others than when it began.

    And what `diagnose_data` raises.
    """
    folder = RunFolder(path)
    run, model = folder.load_run(), folder.load_model()
    say("reading the data")
    dataset = load(run.settings.to_resume)
    seed, start, taylor = run.settings.options.seed, None, None
    if run.settings.options.optimizer == AS_ESTIMATOR:
        known = _of_estimator(model, dataset)
    else:
        prepared = prepare(_plainly(run.settings.to_resume, run.settings.learning_rate), dataset)
        problem = prepared.trainer.problem
        if problem.data_checksum != run.settings.training_data:
            raise DataError(
                "a run must be diagnosed on the data that it began with. Got others in "
                f"{run.settings.options.data}, as their checksum shows. Bring back the file as it was."
            )
        say("the kernel as it began")
        targets = problem.targets.astype(np.float64)
        start = kernel_report(
            problem.network, problem.inputs, targets, samples=samples, seed=seed, rate=_pace(run) or "auto"
        )
        known = _Problem(model.network, problem.inputs, targets)
        if isinstance(problem.network, TwoLayerNetwork) and isinstance(model.network, TwoLayerNetwork):
            some = np.random.default_rng(seed).permutation(len(problem.inputs))[:samples]
            taylor = taylor_shares(problem.network, model.network, problem.inputs.batch(np.sort(some)))
    say("the kernel as it is now")
    end = kernel_report(known.network, known.inputs, known.targets, samples=samples, seed=seed)
    layers = _limits(known, depths, samples, seed, say)
    costs, classes = _quantum(dataset, seed, say) if quantum else ((), ())
    foretold, recorded = _losses(run, start)
    return Diagnosis(
        path.resolve().name,
        start,
        end,
        layers,
        foretold,
        recorded,
        quantum=costs,
        classes=classes,
        taylor=taylor,
    )


def _plainly(options: TrainOptions, rate: float) -> TrainOptions:
    """The same start without what takes time, or takes other steps."""
    descends = options.optimizer != GaussNewton.name
    plain = replace(
        options, index="exhaustive", attack=None, adversarial="pgd", attack_steps=None, trades=None
    )
    return replace(plain, optimizer=GradientDescent.name, learning_rate=rate) if descends else plain


def _of_estimator(model: Model, dataset: Dataset) -> _Problem:
    """The first network, with the rows that taught it."""
    member, rows, labels = model.members[0], dataset.rows, dataset.labels
    if model.division is not None:
        ids = model.division.parts(rows)[0]
        rows, labels = rows[ids], labels[ids]
    targets = targets_of(model.targets, labels, "squared").astype(np.float64) - model.mean
    return _Problem(member.network, Inputs.of(member.preparation.transform(rows)), targets)


def _limits(
    known: _Problem, depths: Sequence[int], samples: int, seed: int, say: Progress
) -> tuple[KernelReport, ...]:
    found = []
    for depth in depths:
        say(f"the limit of {depth} layers")
        layers = Layers(depth, known.network.layer.threshold, trained="all" if depth > 1 else "hidden")
        found.append(kernel_report(layers, known.inputs.samples, known.targets, samples=samples, seed=seed))
    return tuple(found)


def _pace(run: Run) -> float | None:
    """The constant rate of plain descent on the squared loss, with what momentum adds; or None."""
    options = run.settings.options
    plain = (
        options.optimizer == GradientDescent.name
        and options.schedule == "constant"
        and options.loss == "squared"
        and options.attack is None
        and not options.weight_decay
        and not options.train_output_weights
    )
    return run.settings.learning_rate / (1 - options.momentum) if plain else None


def _losses(run: Run, start: KernelReport | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """By epoch: foretold from the kernel at the start, and recorded; nothing where none can be foretold."""
    if start is None or _pace(run) is None or not run.history:
        return (), ()
    foretold, done = [], 0
    for record in run.history:
        moments = done + np.linspace(0, record.steps - 1, min(WITHIN, record.steps))
        foretold.append(float(np.mean([start.foretold.loss_after(moment) for moment in moments])))
        done += record.steps
    return tuple(foretold), tuple(record.loss for record in run.history)


def _quantum(dataset: Dataset, seed: int, say: Progress) -> tuple[tuple[QuantumCost, ...], tuple[str, ...]]:
    """Costs of telling the two largest classes apart."""
    if dataset.task == "regression" or dataset.labels.ndim > 1:
        raise DataError(
            "quantum costs must be of classes, one per row. Got other targets. Leave --quantum out."
        )
    classes = Classes.of(dataset.labels)
    codes, test_codes = classes.encode(dataset.labels), classes.encode(dataset.test_labels)
    pair = np.sort(np.argsort(-np.bincount(codes))[:2])
    say(f"quantum costs of {classes.values[pair[0]]} against {classes.values[pair[1]]}")
    own, tested = np.isin(codes, pair), np.flatnonzero(np.isin(test_codes, pair))[:TESTED]
    if not len(tested):
        raise DataError("quantum costs must have test rows of both classes. Got none. Leave --quantum out.")
    costs = quantum_costs(
        dataset.inputs[own],
        np.where(codes[own] == pair[1], 1, -1),
        dataset.test_inputs[tested],
        np.where(test_codes[tested] == pair[1], 1, -1),
        seed=seed,
    )
    return tuple(costs), tuple(str(classes.values[code]) for code in pair)
