"""From options and data to a trainer: data -> preparation -> network -> trainer."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace

import numpy as np

from fewfire.adversarial.ball import as_floats
from fewfire.core.inputs import Inputs
from fewfire.data import Dataset, load_dataset
from fewfire.errors import DataError
from fewfire.indexes import arrange
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.networks.near_kernel import near_kernel_network
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.plan import plan_trainer
from fewfire.plan.memory import training_memory
from fewfire.prepare import Classes, InputScaling, TargetScaling
from fewfire.prepare.link import Link
from fewfire.prepare.member import Member
from fewfire.prepare.model import Model
from fewfire.prepare.preparation import Preparation
from fewfire.prepare.scores import targets_of
from fewfire.prepare.targets import AUTO, REGRESSION
from fewfire.runs.attacks import attack_on
from fewfire.runs.options import TrainOptions
from fewfire.runs.robustness import UnderAttack
from fewfire.runs.settings import Settings
from fewfire.runs.validation import HeldOut, UntilNoBetter, divided
from fewfire.system.machine import set_threads, threads
from fewfire.system.memory import require_within, resident_bytes
from fewfire.training import Adversarial, GradientDescent, Method, Observer, Robust, Trainer

LINKS = {  # of losses whose outputs are logits, with the output on the boundary of a single class
    "softmax": (Link(sharpness=1.0, doubt=0.0), 0.5),
    "logistic": (Link(sharpness=0.5, doubt=0.0), 0.0),
}
SPARE_BYTES = 256_000_000  # work arrays and libraries, beside what is counted


@dataclass(frozen=True)
class Prepared:
    """A run that may begin.

    Attributes
    ----------
    dataset : Dataset
    model : Model
        At its start.
    trainers : tuple of Trainer
        What will train each network of the model.
    settings : Settings
    epochs : int
        At the most, of each trainer.
    watches : tuple of Observer
        What may end the training of each before that.
    surroundings : callable
        Makes the context in which they train.
    held_out : HeldOut, optional
        How the model does on rows that were held back.
    under_attack : UnderAttack, optional
        How the model stands attacks on test samples.
    """

    dataset: Dataset
    model: Model
    trainers: tuple[Trainer, ...]
    settings: Settings
    epochs: int
    watches: tuple[Observer, ...] = (Observer(),)
    surroundings: Callable[[], AbstractContextManager[None]] = nullcontext
    held_out: HeldOut | None = None
    under_attack: UnderAttack | None = None

    def measured(self) -> dict[str, float | None]:
        """How the model does now on rows that it does not learn from: further fields of an epoch's record."""
        measures = (self.held_out, self.under_attack)
        return {name: value for one in measures if one is not None for name, value in one().items()}

    @property
    def trainer(self) -> Trainer:
        """Of the first network."""
        return self.trainers[0]


def load(options: TrainOptions) -> Dataset:
    """Set the threads and read the data.

    Raises
    ------
    DataError
        The data cannot be read, or are not fit to train on.
    MemoryLimitError
        The rows do not fit in memory.
    """
    if options.threads is not None:
        set_threads(options.threads)
    return load_dataset(
        options.data,
        target=options.target,
        task=options.task,
        categories=options.categories,
        drop=options.drop,
        test_fraction=options.test_fraction,
        seed=options.seed,
    )


def prepare(options: TrainOptions, dataset: Dataset) -> Prepared:
    """The network at its start, with the way into it and out of it, and what will train it.

    Parameters
    ----------
    options : TrainOptions
        For the optimizer "auto", gradient descent; see `fewfire.runs.tables.resolved`.

    Raises
    ------
    DataError
        The inputs are not finite.
    MemoryLimitError
        The memory limit leaves nothing to the index.
    ValueError
        The options contradict each other or the data.
    """
    method = GradientDescent.name if options.optimizer == AUTO else options.optimizer
    options = replace(
        options, optimizer=method, width=options.widths, epochs=options.n_epochs,
        index=options.index_of_run,
    )  # fmt: skip
    held = None
    if options.validation_fraction:
        dataset, held = divided(dataset, options.validation_fraction, options.seed)
    scaling = InputScaling.fit(dataset.inputs, standardize=dataset.tabular)
    is_real = dataset.task == REGRESSION
    coding = TargetScaling.fit(dataset.labels) if is_real else Classes.of(dataset.labels)
    loss = _loss(options.loss, coding)
    targets = targets_of(coding, dataset.labels, loss)
    inputs = Inputs.of(scaling.transform(dataset.inputs))
    preparation = Preparation(dataset.features.one_hot, dataset.features.gaps, None, scaling)
    method = _method(options, dataset, preparation)  # whose copy of the samples counts below
    memory_limit = _left_to_the_index(options, inputs, targets.shape[1])
    network = first_network(options, inputs.n_features, targets.shape[1])
    arrange(network, inputs)
    trainer = plan_trainer(
        network,
        inputs,
        targets,
        method=method,
        index=options.index,
        loss=loss,
        batch_size=options.samples_per_step,
        seed=options.seed,
        memory_limit=memory_limit,
        epochs=options.n_epochs,
        units=coding.scale if isinstance(coding, TargetScaling) else None,
    )
    features = dataset.features
    member = Member(preparation, options.ridge, network)
    link, boundary = LINKS.get(trainer.problem.loss.name, (None, 0.5))
    model = Model((member,), features, coding, np.zeros(network.n_outputs), boundary, link)
    if isinstance(trainer.method, GradientDescent):
        model = replace(model, learning_rate=float(trainer.method.learning_rate))
    settings = Settings.of(options, dataset, trainer)
    held_out = under_attack = None
    if held is not None:
        held_out = HeldOut(model, held.test_rows, held.test_labels, trainer.problem.loss)
    if isinstance(method, Adversarial):
        under_attack = UnderAttack.of(model, dataset, method.attack, options.seed)
    stop = Observer() if options.patience is None else UntilNoBetter(options.patience)
    return Prepared(
        dataset, model, (trainer,), settings, options.n_epochs, (stop,), held_out=held_out,
        under_attack=under_attack,
    )  # fmt: skip


def _method(options: TrainOptions, dataset: Dataset, preparation: Preparation) -> Method:
    """How steps are taken: on the samples, or on attacked ones."""
    method = options.method
    if options.attack is None or not isinstance(method, GradientDescent):
        return method
    if not preparation.is_plain:
        raise DataError(
            "--attack must have columns of numbers without gaps. Got categories or gaps, which no small step "
            "changes. Leave those columns out with --drop."
        )
    scaling = preparation.scaling
    attack = attack_on(options.attack, dataset.inputs, scaling, steps=options.steps_of_attack)
    settings = {field.name: getattr(method, field.name) for field in fields(GradientDescent)}
    if options.trades is not None:
        settings |= {"beta": options.trades}
    if options.adversarial == "certified":
        settings |= {"robust": Robust(ramp=(options.n_epochs / 4, 3 * options.n_epochs / 4))}
    return Adversarial(
        **settings, attack=attack, samples=as_floats(dataset.inputs), scaling=scaling,
        scheme=options.adversarial,
    )  # fmt: skip


def _loss(name: str, coding: Classes | TargetScaling) -> str:
    """The loss of this name, or the one that suits."""
    several = isinstance(coding, Classes) and coding.several
    if name == AUTO:
        return "logistic" if several else "squared"
    if isinstance(coding, TargetScaling) and name != "squared":
        raise ValueError(
            f"the loss of a regression must be squared. Got {name}. Leave --loss out, or give --task "
            "classification if the targets are classes."
        )
    if several and name == "softmax":
        raise ValueError(
            "the loss softmax must have one label per row. Got data with several. Use --loss logistic."
        )
    return name


def first_network(options: TrainOptions, n_features: int, n_outputs: int) -> Network:
    """The network of these options at its start."""
    thresholds = options.first_thresholds
    if len(thresholds) > 1:
        return DeepNetwork.initialize(
            options.widths, n_features, n_outputs, threshold=thresholds, init=options.init_for(n_features),
            seed=options.seed,
        )  # fmt: skip
    make = near_kernel_network if options.second_order else TwoLayerNetwork.initialize
    return make(
        options.widths[0],
        n_features,
        n_outputs,
        threshold=thresholds[0],
        init=options.init_for(n_features),
        seed=options.seed,
    )


def _left_to_the_index(options: TrainOptions, inputs: Inputs, n_outputs: int) -> int | None:
    """What the limit on the process leaves to the index, once the network is there too."""
    if options.memory_limit is None:
        return None
    memory = training_memory(
        widths=options.widths,
        n_samples=len(inputs),
        n_features=inputs.n_features,
        n_outputs=n_outputs,
        batch_size=options.samples_per_step,
        fire_rates=options.first_fire_rates,
        momentum=options.momentum > 0,
        decay=options.weight_decay > 0,
        second_order=options.second_order,
        ridge=options.ridge > 0,
        structured=options.init_for(inputs.n_features) == "structured",
        threads=threads(),
    )
    used = resident_bytes() + memory.total + SPARE_BYTES
    require_within(
        options.memory_limit,
        used,
        "data and network, before any index,",
        "Raise it, or lower --width.",
        bound="--memory-limit",
    )
    return options.memory_limit - used
