"""The settings of a run, as settings.json holds them: what was asked for, what became of it, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from fewfire._version import __version__
from fewfire.data import Dataset
from fewfire.data.load import DIGITS
from fewfire.prepare import TargetScaling
from fewfire.prepare.model import Model
from fewfire.runs.options import AS_ESTIMATOR, TrainOptions
from fewfire.system import machine
from fewfire.training import Constant, GradientDescent, Schedule, Trainer

OF_COLUMNS = ("target", "categories", "drop")  # lists of columns of a table
# Options that say what is done beside training: no settings of the run. A schedule holds those of its decay.
BESIDE = ("out", "compare_dense", "tensorboard", "decay_every", "decay_gamma")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run was asked for, and what was left to fewfire, filled in.

    Attributes
    ----------
    options : TrainOptions
        As asked for, with the absolute path of the data, the threads, the task, the batch size and the loss
        filled in, and the width that the network has: Gauss-Newton steps raise an odd one by one.
    threshold, learning_rate, schedule : as resolved
    fewfire, instruction_set : str
        The version, and what the kernels used.
    n_samples, n_features, n_outputs, n_test : int
    training_data : str
        Checksum of the training set.
    features, classes, several_labels
        The way into the network and out of it; None until the model is saved. A regression has no classes.
    approximate : dict, or None
        The settings of the index where it is approximate: the weights are not those of exact indexes.
    failed : str or None
        Why training failed.
    interrupted : bool
    """

    options: TrainOptions
    threshold: float | list[float]
    learning_rate: float
    schedule: Mapping[str, Any]
    fewfire: str
    instruction_set: str
    n_samples: int
    n_features: int
    n_outputs: int
    n_test: int
    training_data: str
    features: Mapping[str, Any] | None = None
    classes: list[Any] | None = None
    several_labels: bool | None = None
    approximate: Mapping[str, Any] | None = None
    failed: str | None = None
    interrupted: bool = False

    @classmethod
    def of(cls, options: TrainOptions, dataset: Dataset, trainer: Trainer) -> "Settings":
        """The settings of a run that is about to begin."""
        method, problem = trainer.method, trainer.problem
        network = problem.network
        widths = tuple(layer.width for layer in network.layers)
        thresholds = [layer.threshold for layer in network.layers]
        schedule: Schedule = Constant()
        rate = 1.0
        if isinstance(method, GradientDescent):
            schedule, rate = method.schedule, float(method.learning_rate)
        is_file = options.data != DIGITS and Path(options.data).exists()
        asked = replace(
            options,
            data=str(Path(options.data).absolute()) if is_file else options.data,
            width=widths,
            task=dataset.task,
            threads=machine.threads(),
        )
        if options.optimizer != AS_ESTIMATOR:  # which fills them in by itself
            asked = replace(asked, batch_size=problem.batch_size, loss=problem.loss.name)
        return cls(
            options=asked,
            threshold=thresholds if len(thresholds) > 1 else thresholds[0],
            learning_rate=rate,
            schedule=schedule.as_dict(),
            fewfire=__version__,
            instruction_set=machine.instruction_set(),
            n_samples=len(problem),
            n_features=network.n_features,
            n_outputs=network.n_outputs,
            n_test=len(dataset.test_inputs),
            training_data=problem.data_checksum,
            approximate=trainer.index.terms or None,
        )

    def as_dict(self) -> dict[str, Any]:
        """The keys and values of settings.json, without those that are not known yet."""
        asked = {
            field.name: getattr(self.options, field.name)
            for field in fields(TrainOptions)
            if field.name not in BESIDE
        }
        asked |= {name: list(getattr(self.options, name)) for name in OF_COLUMNS}
        asked |= {name: list(value) for name, value in asked.items() if isinstance(value, tuple)}
        own = {name: getattr(self, name) for name in OWN}
        known = {name: value for name, value in own.items() if name not in WHERE_KNOWN or value}
        if self.several_labels is not None:
            known["several_labels"] = self.several_labels
        return asked | known

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Settings":
        """The inverse of `as_dict`; settings that an earlier version did not have are their defaults.

        Raises
        ------
        ValueError
            The content lacks a setting that every run has, or an option is none that this version knows.
        """
        if missing := [name for name in NEEDED if name not in content]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        asked = {field.name: content[field.name] for field in fields(TrainOptions) if field.name in content}
        schedule, target = content["schedule"], content.get("target") or ()
        asked["target"] = (target,) if isinstance(target, str) else tuple(target)  # a text, in version 0.2
        asked |= {name: tuple(content.get(name, ())) for name in ("categories", "drop")}
        asked["schedule"] = schedule["name"]
        asked |= {"decay_every": schedule.get("every"), "decay_gamma": schedule.get("gamma")}
        asked.setdefault("optimizer", GradientDescent.name)
        if asked["optimizer"] != GradientDescent.name:
            del asked["learning_rate"]  # which is 1 with every other optimizer, and no option there
        if content.get("fire_rate") is not None or asked["optimizer"] == AS_ESTIMATOR:
            del asked["threshold"]  # which follows from it, or was chosen
        own = {name: content[name] for name in OWN if name in content}
        return cls(options=TrainOptions(**asked), **own)

    @property
    def to_resume(self) -> TrainOptions:
        """The options with which the run goes on: what depended on the data is as it was found."""
        if self.options.optimizer == AS_ESTIMATOR:
            return self.options
        asked = self.threshold if isinstance(self.threshold, float | int) else tuple(self.threshold)
        return replace(self.options, threshold=asked, fire_rate=None)

    def begun(self) -> "Settings":
        """The same settings as when the run began."""
        return replace(self, **{name: None for name in OUTCOMES} | {"interrupted": False})

    def with_model(self, model: Model) -> "Settings":
        """The same settings beside a model that is saved."""
        with_features = replace(self, features=model.features.state())
        if isinstance(model.targets, TargetScaling):
            return with_features
        classes = model.targets
        return replace(with_features, classes=classes.state(), several_labels=classes.several)


OUTCOMES = ("features", "classes", "several_labels", "failed", "interrupted")
OWN = [field.name for field in fields(Settings) if field.name != "options"]
WHERE_KNOWN = (*OUTCOMES, "approximate")
NEEDED = ["data", "width", "index", "epochs", *(name for name in OWN if name not in WHERE_KNOWN)]
