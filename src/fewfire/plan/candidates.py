"""Candidates of a ranking: settings of a network, trials of any other, or an estimator."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.errors import TrainingError
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.plan.least_loss import best_rate
from fewfire.plan.network_trials import NetworkTrials, trials_of
from fewfire.plan.trials import Attempt, Trials
from fewfire.prepare.classes import Classes
from fewfire.prepare.scaling import InputScaling
from fewfire.system.words import require_one_of
from fewfire.tangent.empirical import firing_kernel
from fewfire.tangent.leave_one_out import leave_one_out
from fewfire.training.methods import GradientDescent

KERNEL_SAMPLES = 500
RIDGES = np.geomspace(1e-4, 1e2, 13)  # of which the best counts
OF_TRIALS = ("width", "threshold", "fire_rate", "init", "loss", "batch_size")
OF_METHOD = tuple(field.name for field in fields(GradientDescent))
SETTINGS = (*OF_TRIALS, *OF_METHOD, "constant")
MEASURED = "measured"  # a rate of its own, by trials
WIDTH, BATCH_SIZE = 8_192, 256  # where none is given

MakeTrials = Callable[[NDArray, NDArray], Trials]  # of inputs (n, d) and class codes (n,)


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to judge by, with the codes of their classes."""

    rows: NDArray
    codes: NDArray[np.int64]
    held_rows: NDArray
    held_codes: NDArray[np.int64]
    classes: Classes
    standardize: bool

    def scaled(self, constant: float | None) -> tuple[NDArray, NDArray]:
        scaling = InputScaling.fit(self.rows, standardize=self.standardize, constant=constant)
        both = scaling.transform(self.rows), scaling.transform(self.held_rows)
        return both[0].astype(np.float32), both[1].astype(np.float32)


class Runner(ABC):
    """A candidate of one seed on its way."""

    @abstractmethod
    def epoch(self) -> NDArray[np.float64]:
        """One epoch: the training loss of each step; none where it is not known, infinite where it failed."""

    @abstractmethod
    def codes(self) -> NDArray[np.int64]:
        """What it takes the held rows for."""


class Candidate(ABC):
    """What may be trained.

    Attributes
    ----------
    name : str
    size : int or None
        Parameters that train.
    alike : tuple or None
        What training losses depend on besides the candidate; None where they are not known.
    """

    name: str
    size: int | None
    alike: tuple[str, int] | None

    @abstractmethod
    def begin(self, seed: int) -> Runner: ...

    def kernel_error(self) -> float | None:
        """Error of leaving one sample out in the regression with its kernel, where there is one."""
        return None


class TrialsRunner(Runner):
    def __init__(self, candidate: "TrialsCandidate", seed: int) -> None:
        self.candidate, self.trials = candidate, candidate.trials
        self.attempt: Attempt | None = self.trials.begin(self.trials.rate, seed)

    def epoch(self) -> NDArray[np.float64]:
        steps = self.trials.steps_per_epoch
        try:
            if self.attempt is not None:
                return np.array([self.attempt.step().loss for _ in range(steps)])
        except TrainingError:
            self.attempt = None
        return np.full(steps, np.inf)

    def codes(self) -> NDArray[np.int64]:
        held = self.candidate.held_inputs
        if self.attempt is None:
            return np.full(len(held), -1)
        return self.attempt.outputs(held).argmax(axis=1)


class TrialsCandidate(Candidate):
    """A network of any kind, through its trials."""

    def __init__(self, name: str, trials: Trials, held_inputs: NDArray) -> None:
        self.name, self.trials, self.held_inputs = name, trials, held_inputs
        self.size, self.alike = trials.n_parameters, (trials.loss_name, trials.batch_size)

    def begin(self, seed: int) -> TrialsRunner:
        return TrialsRunner(self, seed)

    def kernel_error(self) -> float | None:
        network = self.trials.make(0) if isinstance(self.trials, NetworkTrials) else None
        if not isinstance(self.trials, NetworkTrials) or not isinstance(network, TwoLayerNetwork):
            return None
        problem = self.trials.problem
        ids = np.arange(min(len(problem), KERNEL_SAMPLES))
        few = Inputs.of(problem.inputs.samples[ids], problem.inputs.dtype)
        kernel = firing_kernel(network, few)
        targets = problem.targets[ids].astype(np.float64)
        size = max(float(np.trace(kernel)) / len(ids), np.finfo(float).tiny)
        return float(leave_one_out(kernel / size, targets - targets.mean(axis=0), RIDGES).min())


class EstimatorRunner(Runner):
    def __init__(self, estimator: Any, split: Split, seed: int) -> None:
        self.estimator, self.split, self.seed, self.epochs = copy.deepcopy(estimator), split, seed, 0
        if "random_state" in self.estimator.get_params():
            self.estimator.set_params(random_state=seed)

    def epoch(self) -> NDArray[np.float64]:
        self.epochs += 1
        order = np.random.default_rng([self.seed, self.epochs]).permutation(len(self.split.rows))
        classes = np.arange(len(self.split.classes))
        self.estimator.partial_fit(self.split.rows[order], self.split.codes[order], classes=classes)
        return np.empty(0)

    def codes(self) -> NDArray[np.int64]:
        return np.asarray(self.estimator.predict(self.split.held_rows))


class EstimatorCandidate(Candidate):
    """An estimator of scikit-learn's kind, an epoch of which is one `partial_fit` on all rows."""

    size = alike = None

    def __init__(self, name: str, estimator: Any, split: Split) -> None:
        self.name, self.estimator, self.split = name, estimator, split

    def begin(self, seed: int) -> EstimatorRunner:
        return EstimatorRunner(self.estimator, self.split, seed)


def grid(**settings: Any) -> list[dict[str, Any]]:
    """All combinations of settings, each of which is a list of values.

    Examples
    --------
    >>> grid(width=[512, 1024], threshold=[1.0])
    [{'width': 512, 'threshold': 1.0}, {'width': 1024, 'threshold': 1.0}]
    """
    return [dict(zip(settings, values, strict=True)) for values in product(*settings.values())]


def candidate_of(given: Any, split: Split, name: str | None = None) -> Candidate:
    """A candidate from settings, an estimator with `partial_fit`, or a function that makes trials.

    Raises
    ------
    ValueError
        It is none of them, or a setting is unknown.
    """
    if isinstance(given, Mapping):
        return _of_settings(given, split, name)
    if hasattr(given, "partial_fit") and hasattr(given, "get_params"):
        return EstimatorCandidate(name or repr(given), given, split)
    if callable(given):
        inputs, held = split.scaled(None)
        trials: Any = given(inputs, split.codes)
        return TrialsCandidate(name or getattr(given, "__name__", repr(given)), trials, held)
    raise ValueError(
        "a candidate must be settings, an estimator with partial_fit, or a function (inputs, codes) -> "
        f"Trials. Got {given!r}. Give for example {{'width': 4096, 'threshold': 1.0}}."
    )


def _of_settings(settings: Mapping[str, Any], split: Split, name: str | None) -> TrialsCandidate:
    for key in settings:
        require_one_of(key, SETTINGS, "a setting of a candidate")
    inputs, held = split.scaled(settings.get("constant"))
    of_trials = {"width": WIDTH, "batch_size": BATCH_SIZE}
    of_trials |= {key: settings[key] for key in OF_TRIALS if key in settings}
    method = GradientDescent(**{key: settings[key] for key in OF_METHOD if key in settings})
    trials = trials_of(inputs=inputs, targets=split.classes.one_hot(split.codes), method=method, **of_trials)  # type: ignore[arg-type]
    if method.learning_rate == MEASURED:
        trials.rate = best_rate(trials).rate
    said = ", ".join(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
                     for key, value in settings.items())  # fmt: skip
    return TrialsCandidate(name or said or "defaults", trials, held)
