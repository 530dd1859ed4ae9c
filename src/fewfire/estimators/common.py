"""What classifier and regressor share: choose, prepare, train, and give outputs.

What is not given is chosen by `fewfire.plan.preparation`: which columns hold categories, the size of the
constant feature, the threshold and the ridge, by the leave-one-out error of the network's kernel.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fewfire.diagnose.regime import Start
from fewfire.estimators.choices import (
    CENTRED_FROM,
    chosen_for,
    is_deep,
    may_be_centred,
    solves_outputs,
    widths_of,
)
from fewfire.estimators.coded_tables import CodedTables
from fewfire.estimators.members import Beginning, deep_network, jobs
from fewfire.estimators.saving import SavedModel
from fewfire.estimators.stopping import UntilNothingImproves, held_out
from fewfire.indexes import INDEXES, rules
from fewfire.indexes.approximate import warn_if_approximate
from fewfire.networks.deep import Network
from fewfire.networks.near_kernel import (
    mirrored_network,
    near_kernel_network,
    near_kernel_ridge,
    orthogonal_network,
    readout_network,
)
from fewfire.networks.threshold import fire_rate_at
from fewfire.plan import plan_trainer
from fewfire.prepare.division import Division, outputs_of
from fewfire.prepare.member import Member
from fewfire.prepare.preparation import Preparation
from fewfire.system.deadline import NEVER, Deadline
from fewfire.system.machine import one_blas_thread, using_threads
from fewfire.training import (
    CentredGaussNewton,
    GaussNewton,
    GradientDescent,
    OutputRidge,
    Trainer,
    train_epochs,
)
from fewfire.training.methods.gauss_newton import THREADED_ROWS
from fewfire.training.methods.gradient_descent import DescentStepper

SGD, GAUSS_NEWTON = GradientDescent.name, GaussNewton.name
SMALL = 100_000  # samples up to which Gauss-Newton steps are the default
EPOCHS = {GAUSS_NEWTON: 5, SGD: 20}
BATCH_SIZE, MOMENTUM = 256, 0.9  # of gradient descent
FINER_RIDGES = (1.0, 0.2, 0.04, 0.008)  # of the one chosen on fewer samples: more need less
N_CENTRES, LEAST_CENTRES = 6_000, 500  # with a time limit fewer than the most
PART_ROWS = 4_000  # of a division, at the most; with a time limit fewer
PART_RIDGES = (25.0, 5.0, 1.0, 0.2, 0.04)  # of the one chosen on all columns' whole range
OUTPUTS_AT_ONCE = 5  # of Gauss-Newton steps: so many take as long again
FOR_ONE = 2.0  # of the time that is left: for the kernel of one network


class WideNetwork(SavedModel, CodedTables):
    """What classifier and regressor have in common."""

    def __init__(
        self,
        width: int = 8_192,
        *,
        hidden_layers: Sequence[int] | None = None,
        n_members: int | str = "auto",
        threshold: float | str = "auto",
        fire_rate: float | None = None,
        optimizer: str = "auto",
        ridge: float | str = "auto",
        constant: float | str = "auto",
        features: str = "auto",
        categories: Sequence[int | str] | str = "auto",
        index: str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int | str = "auto",
        max_epochs: int | None = None,
        time_limit: float | None = None,
        tol: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        warm_start: bool = False,
        verbose: bool | int = False,
        n_threads: int | None = None,
        memory_limit: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.width = width
        self.hidden_layers = hidden_layers
        self.n_members = n_members
        self.threshold = threshold
        self.fire_rate = fire_rate
        self.optimizer = optimizer
        self.ridge = ridge
        self.constant = constant
        self.features = features
        self.categories = categories
        self.index = index
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.time_limit = time_limit
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_threads = n_threads
        self.memory_limit = memory_limit
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags

    @property
    def _goes_on(self) -> bool:
        """Whether `fit` begins with the network that is there."""
        return self.warm_start and hasattr(self, "members_")

    @property
    def network_(self) -> Network:
        """The network that errs least alone."""
        return self.members_[0].network

    @property
    def preparation_(self) -> Preparation:
        """How rows are prepared for it."""
        return self.members_[0].preparation

    @property
    def threshold_(self) -> float:
        return self.network_.layer.threshold

    @property
    def ridge_(self) -> float:
        return self.members_[0].ridge

    def _fit(self, inputs: NDArray, targets: NDArray, weights: NDArray | None) -> None:
        """Train on targets (n, c), from the start unless it is a warm one."""
        deadline = Deadline.after(self.time_limit)
        if self.index in INDEXES:
            warn_if_approximate(INDEXES[self.index], stacklevel=3)
        inputs, targets, weights = _that_count(inputs, targets, weights)
        with self._surroundings(len(inputs)):
            if self._goes_on:
                self.members_ = [member.copy() for member in self.members_]
                self._through_centres = False
            else:
                self._begin(inputs, targets, weights, deadline=deadline)
            centred, held = targets - self.mean_, None
            if self.early_stopping:
                ids, held_ids = held_out(self._codes(targets), self.validation_fraction, self._seed)
                held = inputs[held_ids], centred[held_ids], None if weights is None else weights[held_ids]
                inputs, centred = inputs[ids], centred[ids]
                weights = None if weights is None else weights[ids]
            history = list(self.history_) if self.warm_start else []
            for number, (member, part) in enumerate(jobs(self, inputs, centred, weights)):
                before = deadline.left
                trainer = self._trainer(member, *part)
                start = Start.of(trainer) if number == 0 else None
                finished = self._train(member, trainer, self._watch(member, held, deadline))
                if start is not None:  # the first network speaks for all
                    self.history_ = [*history, *trainer.history]
                    self.regime_ = start.regime(member.network)
                if not finished:
                    warnings.warn("Training was interrupted: the network is as it was then.", stacklevel=3)
                took = before - deadline.left
                late = deadline.is_set and deadline.left < took  # the next would take as long
                if not finished or (late and self.division_ is None):
                    if self.division_ is None:  # a mean of fewer; parts are all needed
                        self.members_ = self.members_[: number + 1]
                    break

    def _codes(self, targets: NDArray) -> NDArray:
        """The class (n,) of each sample; all one where there are none."""
        return np.zeros(len(targets), int)

    def _partial_fit(self, inputs: NDArray, targets: NDArray, weights: NDArray | None) -> None:
        """One pass of gradient descent over these samples, from where the network is."""
        inputs, targets, weights = _that_count(inputs, targets, weights)
        with self._threads():
            if hasattr(self, "members_"):
                self.members_ = [member.copy() for member in self.members_]
            else:
                self._begin(inputs, targets, weights, SGD)
            self.optimizer_ = SGD
            for number, (member, part) in enumerate(jobs(self, inputs, targets - self.mean_, weights)):
                trainer = self._trainer(member, *part, momentum=0.0, index=rules.for_one_pass())
                trainer.build()
                trainer.epoch()
                if number == 0:
                    self.history_ = [*self.history_, *trainer.history]

    @contextmanager
    def _surroundings(self, n_samples: int) -> Iterator[None]:
        """The threads that suit a fit to so many samples."""
        few = n_samples < THREADED_ROWS
        with self._threads(), one_blas_thread() if few else nullcontext():
            yield

    def _threads(self) -> AbstractContextManager:
        return nullcontext() if self.n_threads is None else using_threads(int(self.n_threads))

    def _begin(
        self,
        inputs: NDArray,
        targets: NDArray,
        weights: NDArray | None,
        default: str | None = None,
        deadline: Deadline = NEVER,
    ) -> None:
        """Choose, and make the networks."""
        if default is None:
            small = len(inputs) <= SMALL or may_be_centred(self, *targets.shape)
            default = GAUSS_NEWTON if small and not is_deep(self) else SGD
        self.optimizer_ = default if self.optimizer == "auto" else self.optimizer
        if self.optimizer_ == SGD and self.ridge != "auto":
            raise ValueError(
                f"ridge must go with optimizer='{GAUSS_NEWTON}'. Got ridge={self.ridge} for gradient "
                "descent. Leave either out."
            )
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.mean_ = np.average(targets, axis=0, weights=weights)
        second_order = self.optimizer_ == GAUSS_NEWTON
        self._through_centres = second_order and may_be_centred(self, *targets.shape)
        selection = chosen_for(self, inputs, targets - self.mean_, weights, deadline)
        self._n_centres, part_rows = N_CENTRES, PART_ROWS
        if deadline.is_set and self._through_centres:
            pairs = FOR_ONE * deadline.left / selection.seconds_per_pair
            affordable = max(LEAST_CENTRES, int(pairs / len(inputs)))
            self._n_centres, part_rows = min(N_CENTRES, affordable), min(PART_ROWS, affordable)
            steps = len(inputs) ** 2 * (1 + targets.shape[1] / OUTPUTS_AT_ONCE)
            self._through_centres = len(inputs) > CENTRED_FROM or pairs < steps
        make = near_kernel_network if second_order else mirrored_network
        if self._through_centres:
            make = orthogonal_network
        elif solves_outputs(self):
            make = readout_network
        if is_deep(self):
            make = deep_network
        beginning = Beginning(make, widths_of(self), targets.shape[1], second_order, self._seed)
        chosen, self.division_ = selection.members, None
        if self._divides(len(inputs), len(chosen)):
            self.division_ = Division.of(chosen[0].preparation, inputs, part_rows)
            self.members_ = beginning.of_parts(chosen[0], self.division_, inputs, weights, self.constant)
        else:
            self.members_ = beginning.members(chosen, inputs)
        self.error_ = selection.error
        self.feature_importances_ = np.mean([one.importances for one in chosen], axis=0)
        judged = selection.judged
        counts = None if weights is None else weights[judged]
        self._learn_doubt(inputs[judged], selection.outputs + self.mean_, targets[judged], counts)
        self.learning_rate_: float | None = None
        self.history_: list[Any] = []

    def _divides(self, n_samples: int, n_members: int) -> bool:
        """Whether each network learns a part of the samples, and answers for it alone."""
        many = self._through_centres and n_samples > CENTRED_FROM
        return many and n_members == 1 and not self.early_stopping

    def _learn_doubt(self, inputs: NDArray, outputs: NDArray, targets: NDArray, weights: Any) -> None:
        """Learn how sure predictions are, from outputs of samples that these outputs have not seen."""

    def _trainer(
        self,
        member: Member,
        inputs: NDArray,
        targets: NDArray,
        weights: NDArray | None,
        *,
        momentum: float = MOMENTUM,
        index: str | None = None,
    ) -> Trainer:
        """What trains the network of a member as it is."""
        rate = self.learning_rate
        if rate == "auto" and self.learning_rate_ is not None and momentum == 0:
            rate = self.learning_rate_  # of the first samples: the same for all that come in parts
        second_order = self.optimizer_ == GAUSS_NEWTON
        ridge = near_kernel_ridge(member.ridge, float(np.abs(member.network.output_weights).max()))
        if solves_outputs(self):
            method = OutputRidge(ridge=member.ridge)
        elif second_order:
            method = GaussNewton(ridge=ridge)
            if self._through_centres:
                shares = PART_RIDGES if self.division_ is not None else FINER_RIDGES
                if not isinstance(self.ridge, str) or (self.time_limit and self.division_ is None):
                    shares = (1.0,)
                ridges = [ridge * share for share in shares]
                method = CentredGaussNewton(ridges=ridges, n_centres=self._n_centres)
        else:
            momentum = 0.0 if is_deep(self) else momentum
            method = GradientDescent(learning_rate=rate, momentum=momentum, nesterov=momentum > 0)
        if index is None:
            index = "drift" if self.index == "auto" and is_deep(self) else self.index
        if second_order and index == "auto":
            index = rules.for_few_steps(fire_rate_at(member.network.layer.threshold))
        batch_size = None if isinstance(self.batch_size, str) else self.batch_size
        trainer = plan_trainer(
            member.network,
            member.preparation.transform(inputs),
            targets,
            method=method,
            index=index,
            batch_size=batch_size if second_order else batch_size or BATCH_SIZE,
            sample_weight=weights,
            seed=self._seed,
            memory_limit=self.memory_limit,
            epochs=self._most_epochs(),
        )
        if isinstance(trainer.stepper, DescentStepper):
            self.learning_rate_ = trainer.stepper.learning_rate
        return trainer

    def _most_epochs(self) -> int:
        return EPOCHS[self.optimizer_] if self.max_epochs is None else self.max_epochs

    def _watch(
        self,
        member: Member,
        held: tuple[NDArray, NDArray, NDArray | None] | None = None,
        deadline: Deadline = NEVER,
    ) -> UntilNothingImproves:
        """What ends the training of a member."""
        return UntilNothingImproves(
            tol=self.tol,
            patience=self.n_iter_no_change,
            held_error=None if held is None else partial(_error, member, *held),
            deadline=deadline,
            say=print if self.verbose else None,
        )

    def _train(self, member: Member, trainer: Trainer, watch: UntilNothingImproves) -> bool:
        """Epochs until nothing improves; with samples held out, back to where they were fitted best.

        Whether it was not interrupted.
        """
        finished = True
        try:
            train_epochs(trainer, self._most_epochs(), watch)
        except KeyboardInterrupt:
            finished = False
        if watch.best_rows is not None:
            for layer, rows in zip(member.network.layers, watch.best_rows, strict=True):
                layer.weight_rows[:] = rows
        member.network.layer.velocities = None
        return finished

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Outputs (n, c), with the mean of the targets."""
        check_is_fitted(self, "members_")
        inputs = self._numbers(X, reset=False)
        return outputs_of(self.members_, self.division_, inputs) + self.mean_


def _error(member: Member, inputs: NDArray, targets: NDArray, weights: NDArray | None) -> float:
    errors = np.square(member.outputs(inputs) - targets).mean(axis=1)
    return float(np.average(errors, weights=weights))


def descends(estimator: WideNetwork) -> bool:
    """Whether samples may come in parts."""
    if estimator.optimizer == GAUSS_NEWTON:
        raise AttributeError(f"partial_fit takes gradient steps: it is not there with '{GAUSS_NEWTON}'.")
    return True


@contextmanager
def all_or_nothing(estimator: WideNetwork) -> Iterator[None]:
    """What is done to an estimator while it is open is undone where an error ends it."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        for name in vars(estimator).keys() - before.keys():
            delattr(estimator, name)
        vars(estimator).update(before)
        raise


def _that_count(
    inputs: NDArray, targets: NDArray, weights: NDArray | None
) -> tuple[NDArray, NDArray, NDArray | None]:
    """These samples without those of no weight."""
    if weights is None or weights.all():
        return inputs, targets, weights
    counts = weights > 0
    return inputs[counts], targets[counts], weights[counts]
