"""The training loop: epochs of gradient steps through an index."""

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import ROWS_AT_A_TIME
from fewfire.core.work import Work
from fewfire.errors import DataError, TrainingError
from fewfire.indexes import Index, index_named
from fewfire.indexes.base import Progress
from fewfire.networks.descent import Descent
from fewfire.networks.losses import Loss, loss_named, predicted_classes
from fewfire.networks.momentum import Momentum
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.networks.velocities import Velocities
from fewfire.system.machine import instruction_set
from fewfire.system.tensors import sha256
from fewfire.training.checkpoint import State
from fewfire.training.history import EpochRecord
from fewfire.training.methods.schedules import Constant, Schedule

log = logging.getLogger("fewfire")


class Trainer:
    """Gradient descent over the weights of a network, touching only the neurons that fire.

    Parameters
    ----------
    network : TwoLayerNetwork
        Trained in place.
    inputs : (n, d) array or Inputs
    targets : (n, c) array
        Real values, or one-hot rows; (n, 1) of 0 and 1 for a single logistic output.
    sample_weight : (n,) array, >= 0, optional
        What the loss of each sample counts; by default 1.
    index : str or Index
        A name of INDEXES, or an index that was not built yet. "auto": the one that a short probe of each
        finds fastest, in `build`; the weights are the same.
    loss : "squared", "softmax", "logistic" or a Loss
    batch_size : int, optional
        Samples a step at the most; by default all of them (full-batch gradient descent).
    learning_rate : float > 0 or "auto"
        For the mean loss of a batch. "auto": see `stable_learning_rate`.
    schedule : Schedule
        How the rate changes from step to step; by default not at all.
    momentum : float in [0, 1)
    nesterov : bool
        Nesterov's momentum; else that of a heavy ball.
    weight_decay : float >= 0
        What is added to the gradient for each 1 of a weight. All three as in torch.optim.SGD.
    train_output_weights : bool
        Whether the output weights move too, at the same rate and by the same rules.
    seed : int
        Of the order of the samples: epoch e is shuffled by (seed, e).
    memory_limit : int, optional
        Bytes that an index made from a name may hold.
    epochs : int
        How many are planned; only the choice of index="auto" depends on it.

    Attributes
    ----------
    history : list of EpochRecord
    learning_rate : float
        The base rate, which the schedule takes a share of.
    optimizer : Momentum
    steps_taken : int
    finished : bool
        Whether no step is left to be taken: never, in gradient descent.
    choice : Choice or None
        Once index="auto" was resolved: what was chosen, and why. Until then the exhaustive index stands in.

    Notes
    -----
    With every exact index, with any number of threads, and with every instruction set that has fused
    multiply-add, the weights are the same bit for bit.

    With momentum or weight decay a neuron coasts on while it does not fire, and its row in
    `network.weights` is brought up to date only when it fires, at the end of an epoch, and by `settle`: to
    be called before they are read in between. Momentum needs twice the memory for weights.

    `save` writes a checkpoint, from which a trainer made as this one was goes on after `restore`. The weights
    are those of training without a break, bit for bit (docs/checkpoints.md):

        trainer = Trainer(network, inputs, targets)
        if path.exists():
            trainer.restore(path)
        trainer.build()
        while len(trainer.history) < epochs:
            trainer.epoch()
            trainer.save(path)
    """

    record_type: ClassVar[type[EpochRecord]] = EpochRecord
    progress_names: ClassVar[tuple[str, ...]] = ("steps_taken", "finished")  # attributes in a checkpoint

    def __init__(
        self,
        network: TwoLayerNetwork,
        inputs: ArrayLike | Inputs,
        targets: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        index: str | Index = "drift",
        loss: str | Loss = "squared",
        batch_size: int | None = None,
        learning_rate: float | str = "auto",
        schedule: Schedule = Constant(),  # noqa: B008  frozen
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        train_output_weights: bool = False,
        seed: int = 0,
        memory_limit: int | None = None,
        epochs: int = 10,
    ) -> None:
        self.optimizer = Momentum(momentum, nesterov, weight_decay)
        self.network = network
        self.inputs = inputs if isinstance(inputs, Inputs) else Inputs.of(inputs, network.dtype)
        self.targets = _checked_targets(targets, len(self.inputs), network)
        self.sample_weight = _checked_weights(sample_weight, len(self.inputs), network)
        self.memory_limit, self.epochs = memory_limit, epochs
        self.choice: Any = None
        self._to_be_chosen = index == "auto"
        name = "exhaustive" if self._to_be_chosen else index
        self.index = index_named(name, memory_limit) if isinstance(name, str) else name
        self.loss = loss_named(loss) if isinstance(loss, str) else loss
        self.batch_size = _checked_batch_size(batch_size, len(self.inputs))
        self.schedule = _checked_schedule(schedule)
        self.train_output_weights = train_output_weights
        self.seed = seed
        self.history: list[EpochRecord] = []
        self.steps_taken = 0
        self.finished = False
        self.seconds: dict[str, float] = dict.fromkeys(("find", "forward", "move"), 0.0)
        self._ahead: tuple[NDArray[np.int64], Inputs, FireSet] | None = None  # found for the next step
        self._epoch_ahead: tuple[int, list[NDArray[np.int64]]] | None = None  # its number and batches
        self._classes = _classes_of(self.targets)
        self._index_is_stale = False  # the weights moved and it was not told
        self._begun: State | None = None  # at the beginning of an epoch that is not done yet
        if network.coasting is not None:  # of a trainer before this one
            network.coasting.settle()
            network.coasting = None
        self.learning_rate = self._checked_rate(learning_rate)
        self.optimizer.require_stable(self.learning_rate)
        if self.optimizer.coasts:
            network.coasting = Velocities(network.weight_rows, network.output_rows, self.optimizer)

    def _checked_rate(self, rate: float | str) -> float:
        if rate == "auto":
            from fewfire.plan.learning_rate import stable_learning_rate

            return stable_learning_rate(self.network, self.inputs, self.loss, self.batch_size,
                                        sample_weight=self.sample_weight,
                                        output_weights=self.train_output_weights,
                                        momentum=self.optimizer.momentum, seed=self.seed)  # fmt: skip
        if isinstance(rate, str) or not (np.isfinite(rate) and rate > 0):
            raise ValueError(
                f"learning_rate must be a finite number > 0, or 'auto'. Got {rate!r}. "
                "Use 'auto' for the largest safe one."
            )
        return float(rate)

    def build(self, progress: Progress | None = None) -> None:
        """Build the index on the training set, once it is chosen."""
        self._ahead = None
        if self._to_be_chosen:
            from fewfire.plan.index import choose_index

            self.choice = choose_index(self, self.epochs)
            log.info("%s", self.choice)
            known, self.index = self.index.work, index_named(self.choice.name, self.memory_limit)
            self.index.work.go_on_from(known)
            self._to_be_chosen = False
        self.index.build(self.network, self.inputs, progress)
        self._index_is_stale = False

    def sliced(self, neurons: NDArray[np.int64], index: str) -> "Trainer":
        """A trainer of copies of these neurons alone, through an index of its own.

        At first a neuron moves as far in a step as it would among all the others: outputs of fewer neurons
        have a larger scale, and the rate is lower by as much.
        """
        network, share = self.network, len(neurons) / self.network.width
        limit = self.memory_limit
        return Trainer(
            TwoLayerNetwork(
                network.weights[neurons], network.output_weights[neurons], network.threshold,
                network.dtype,
            ),
            self.inputs,
            self.targets,
            sample_weight=self.sample_weight,
            index=index,
            loss=self.loss,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate * share**0.5,
            schedule=self.schedule,
            momentum=self.optimizer.momentum,
            nesterov=self.optimizer.nesterov,
            weight_decay=self.optimizer.weight_decay,
            train_output_weights=self.train_output_weights,
            seed=self.seed,
            # What an index keeps of the samples alone is no less for fewer neurons.
            memory_limit=None if limit is None else int(limit * share) + self.inputs.rows.nbytes,
        )  # fmt: skip

    def settle(self) -> None:
        """Bring the weights of the network up to date, where they coast (momentum or weight decay).

        They are so at the end of each epoch. The weights of later steps may depend on when this is called,
        in their last bits.
        """
        coasting = self.network.coasting
        if coasting is None or coasting.settled:
            return
        was_stale, self._index_is_stale = self._index_is_stale, True
        if not was_stale:
            self.index.settle()
        coasting.settle()
        self._index_is_stale = was_stale

    @property
    def method(self) -> str:
        """How steps are taken, for a person."""
        return f"learning rate {self.learning_rate:g}"

    @property
    def steps_per_epoch(self) -> int:
        """As few batches as batch_size allows."""
        return -(-len(self.inputs) // self.batch_size)

    def rate_of(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.learning_rate * self.schedule.share(step, self.steps_per_epoch)

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Sample ids of each batch of an epoch (from 1), shuffled by the seed and the epoch.

        Their sizes differ by one at most: a short last batch would take a step that is too long for it.
        Within a batch the ids ascend: the sum over a batch has no order, and an index reads its tables in
        one.
        """
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.inputs))
        return [np.sort(ids) for ids in np.array_split(order, self.steps_per_epoch)]

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> tuple[float, int]:
        """One gradient step on these samples.

        Parameters
        ----------
        ids : sample ids of the batch
        next_ids : optional
            Those of the next step. Who fires on them is then found in the same pass over the weights, and
            kept for it.

        Returns
        -------
        (loss, correct)
            Mean loss of the batch before the step, and how many of its samples were classified rightly.

        Raises
        ------
        TrainingError
            The loss is not finite. The weights were not moved by this step.
        """
        if self._index_is_stale:  # after training that failed or was interrupted
            self.build()
        start = perf_counter()
        batch, fires = self._found(ids)
        found = perf_counter()
        targets = self.targets[ids]
        outputs = self.network.outputs(fires)
        # An overflow is reported below, with its cause, rather than as a warning of NumPy's.
        with np.errstate(over="ignore", invalid="ignore"):
            loss = float(self._losses(outputs, ids).mean())
            residuals = self.loss.residuals(outputs, targets)
        if self.sample_weight is not None:
            residuals *= self.sample_weight[ids, None]
        self._require_finite("the loss", loss)
        correct = self._correct(outputs, ids)
        decided = perf_counter()
        self._index_is_stale = True
        rate = self.rate_of(self.steps_taken)
        output_rate = rate if self.train_output_weights else 0.0
        descent = Descent(self.network, batch, fires, residuals, rate, output_rate)
        if next_ids is None:
            self.index.moved(descent.take())
        else:
            next_batch = self.inputs.batch(next_ids)
            self._ahead = next_ids, next_batch, self.index.descend(descent, next_batch)
        self.steps_taken += 1
        self._index_is_stale = False
        if self.network.coasting is not None and self.network.coasting.due:
            self.settle()
        taken = perf_counter()
        self.seconds["find"] += found - start
        self.seconds["forward"] += decided - found
        self.seconds["move"] += taken - decided
        return loss, correct

    def _losses(self, outputs: NDArray, ids: NDArray[np.int64]) -> NDArray:
        """The loss of each of these samples, (n,), as it counts."""
        values = self.loss.values(outputs, self.targets[ids])
        return values if self.sample_weight is None else values * self.sample_weight[ids]

    def _correct(self, outputs: NDArray, ids: NDArray[np.int64]) -> int:
        """How many of these samples are classified rightly; 0 for real-valued targets."""
        if self._classes is None:
            return 0
        return int((predicted_classes(outputs) == self._classes[ids]).sum())

    def fire_set(self, batch: Inputs) -> FireSet:
        """Who fires now on a batch of the training set, by the index; built anew where the weights have moved
        and it was not told, as by a step that was taken back."""
        if self._index_is_stale:
            self.build()
        return self.index.fire_set(batch)

    def _found(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The batch and who fires on it: found by the step before, or now."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is ids:
            return ahead[1:]
        batch = self.inputs.batch(ids)
        return batch, self.index.fire_set(batch)

    def _require_finite(self, what: str, value: float) -> None:
        if not np.isfinite(value):
            raise TrainingError(
                f"{what} must stay finite. Got {value} at learning_rate={self.learning_rate:g}. "
                "Use a smaller one, or 'auto'."
            )

    def _batches_now_and_next(self, epoch: int) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
        """Those of this epoch and of the next: its first batch is asked about in this epoch's last step."""
        known = self._epoch_ahead
        now = known[1] if known is not None and known[0] == epoch else self.batches(epoch)
        following = self.batches(epoch + 1)
        self._epoch_ahead = epoch + 1, following
        return now, following

    def epoch(self, on_step: Callable[[int, int], None] | None = None) -> EpochRecord:
        """One pass over the training set; its record is added to the history.

        Parameters
        ----------
        on_step : callable, optional
            Called with (steps done, steps in the epoch).

        Raises
        ------
        TrainingError
            The loss or a weight is not finite. The network holds the weights it had when the epoch began.
        """
        number = len(self.history) + 1
        self.settle()
        moving = self._moving_rows()
        begun = State({name: rows.copy() for name, rows in moving.items()}, self._progress(), self._figures())
        self._begun = begun
        work, seconds, begin = self.index.work.copy(), dict(self.seconds), perf_counter()
        total_loss, total_correct = 0.0, 0
        batches, following = self._batches_now_and_next(number)
        done = 0
        try:
            ahead = [*batches[1:], following[0]]
            for done, (ids, next_ids) in enumerate(zip(batches, ahead, strict=True), start=1):
                loss, correct = self.step(ids, next_ids)
                total_loss += loss * len(ids)
                total_correct += correct
                if on_step is not None:
                    on_step(done, len(batches))
            self.settle()
            for rows in moving.values():  # a neuron of NaN never fires, and no loss would show it
                self._require_finite("every weight", float(rows.max(initial=0)))
                self._require_finite("every weight", float(rows.min(initial=0)))
        except TrainingError as error:
            self._return_to(begun)
            raise TrainingError(
                f"{error} This was step {done} of epoch {number}; the weights are those of the "
                f"end of epoch {number - 1}."
            ) from None

        n = len(self.inputs)
        moved = _distances(self.network.weight_rows, begun.rows["weights"])
        spent = self.index.work - work
        asked = max(spent.asked, 1)  # of none where no step was worth taking
        parts = {f"seconds_{part}": self.seconds[part] - before for part, before in seconds.items()}
        record = self.record_type(
            epoch=number,
            steps=len(batches),
            learning_rate=self.rate_of(self.steps_taken - 1),
            loss=total_loss / n,
            accuracy=None if self._classes is None else total_correct / n,
            fire_rate=spent.fired / asked,
            near_rate=spent.near / asked,
            dot_rate=spent.dots / asked,
            work_share=spent.share_of_dense(self.network.n_features),
            seconds=perf_counter() - begin,
            refreshes=spent.refreshed,
            index_bytes=self.index.nbytes,
            moved_mean=float(moved.mean()),
            moved_max=float(moved.max()),
            **parts,
            **self._further_figures(),
        )
        self.history.append(record)
        self._begun = None
        return record

    def _further_figures(self) -> dict[str, Any]:
        """Those of an epoch that only some trainers have."""
        return {}

    # What it takes to go on after a break

    @property
    def terms(self) -> dict[str, Any]:
        """The settings on which the bits of the weights depend, with a checksum of the training set."""
        network = self.network
        return {
            "trainer": type(self).__name__,
            "training_data": self.data_checksum,
            "width": network.width,
            "n_features": network.n_features,
            "n_outputs": network.n_outputs,
            "threshold": network.threshold,
            "dtype": str(network.dtype),
            "loss": self.loss.name,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "schedule": self.schedule.as_dict(),
            **asdict(self.optimizer),
            "train_output_weights": self.train_output_weights,
            "seed": self.seed,
            "fused_multiply_add": instruction_set() != "base",
        }

    @cached_property
    def data_checksum(self) -> str:
        """Of inputs, targets and weights of the samples: 64 bits of their SHA-256, as 16 digits."""
        weights = b"" if self.sample_weight is None else self.sample_weight.data
        return sha256(self.inputs.rows.data, self.targets.data, weights)[:16]

    def _moving_rows(self) -> dict[str, NDArray]:
        """All rows that steps move."""
        rows = {"weights": self.network.weight_rows, "output_weights": self.network.output_rows}
        coasting = self.network.coasting
        if coasting is not None:
            rows["velocities"] = coasting.velocity_rows
            rows["output_velocities"] = coasting.output_velocity_rows
        return rows

    def _fixed_rows(self) -> dict[str, NDArray]:
        """Rows that steps depend on and do not move."""
        return {}

    def _progress(self) -> dict[str, Any]:
        numbers = {name: getattr(self, name) for name in self.progress_names}
        return {"numbers": numbers, "work": asdict(self.index.work)}

    def _figures(self) -> list[dict[str, Any]]:
        return [record.as_dict() for record in self.history]

    def state(self) -> State:
        """All that training needs to go on from here.

        While an epoch goes on, or after it was interrupted: the state in which it began.

        Returns
        -------
        State
            Its rows are those of the network, not a copy: save it before the next step.
        """
        if self._begun is None:
            self.settle()
        begun = self._begun or State(self._moving_rows(), self._progress(), self._figures())
        return replace(begun, rows={**begun.rows, **self._fixed_rows()}, terms=self.terms)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of `state()`: whole, or not at all, whatever happens meanwhile."""
        self.state().save(path)

    def restore(self, state: State | str | Path) -> None:
        """Go on from a state, or from a checkpoint, of a trainer that was made as this one was.

        The index follows in `build`, or at the next step.

        Raises
        ------
        DataError
            The file cannot be used (see `State.load`), or other data or settings led to it. Nothing changes.
        """
        if not isinstance(state, State):
            state = State.load(state)
        state.require_terms(self.terms)
        own = self._moving_rows() | self._fixed_rows()
        try:
            for name, rows in own.items():
                if (state.rows[name].shape, state.rows[name].dtype) != (rows.shape, rows.dtype):
                    raise ValueError(f"{name} of shape {state.rows[name].shape}, not {rows.shape}")
            if set(state.progress["numbers"]) != set(self.progress_names):
                raise ValueError(f"the numbers {', '.join(state.progress['numbers'])}")
            work = Work(**state.progress["work"])
            history = [self.record_type(**figures) for figures in state.history]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"a checkpoint must hold what this version of fewfire needs. Got {state.origin}: {error}. "
                "Go on with the version that wrote it, or train anew."
            ) from error
        self._return_to(state)
        for name, rows in self._fixed_rows().items():
            rows[:] = state.rows[name]
        self.history = history
        self.index.work.go_on_from(work)

    def _return_to(self, state: State) -> None:
        """Take rows and numbers of a state for those of now."""
        for name, rows in self._moving_rows().items():
            rows[:] = state.rows[name]
        if self.network.coasting is not None:
            self.network.coasting.restart()
        self._index_is_stale = True
        vars(self).update(state.progress["numbers"])
        self._begun = None


def _distances(rows: NDArray, before: NDArray) -> NDArray[np.float64]:
    """How far each row has moved, (m,); infinite where the square overflows."""
    distances = np.empty(len(rows))
    for first in range(0, len(rows), ROWS_AT_A_TIME):
        part = slice(first, first + ROWS_AT_A_TIME)
        with np.errstate(over="ignore"):
            moves = rows[part] - before[part]
            distances[part] = np.sqrt(np.einsum("rf,rf->r", moves, moves))
    return distances


def _checked_targets(targets: ArrayLike, n: int, network: TwoLayerNetwork) -> NDArray:
    values = np.ascontiguousarray(targets, dtype=network.dtype)
    if values.shape != (n, network.n_outputs):
        raise DataError(
            f"targets must have one row a sample and one column an output, ({n}, "
            f"{network.n_outputs}). Got shape {values.shape}. Give one-hot rows for classes."
        )
    if not np.isfinite(values).all():
        raise DataError(
            f"targets must be finite. Got {np.count_nonzero(~np.isfinite(values))} that are not, the "
            f"first in row {np.argwhere(~np.isfinite(values))[0][0]}. Remove those samples."
        )
    return values


def _checked_weights(weights: ArrayLike | None, n: int, network: TwoLayerNetwork) -> NDArray | None:
    if weights is None:
        return None
    values = np.asarray(weights, dtype=network.dtype)
    if values.shape != (n,) or not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        raise DataError(
            f"sample_weight must hold a finite number >= 0 for each of the {n} samples, and not only zeros. "
            f"Got shape {values.shape} with {np.count_nonzero(~(values >= 0))} negative or NaN. Leave it out "
            "for equal weights."
        )
    return values


def _checked_batch_size(batch_size: int | None, n: int) -> int:
    if batch_size is None:
        return n
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(
            f"batch_size must be a whole number >= 1, or None for all samples. Got {batch_size!r}."
        )
    return min(int(batch_size), n)


def _checked_schedule(schedule: Schedule) -> Schedule:
    if not isinstance(schedule, Schedule):
        raise ValueError(
            f"schedule must be a Schedule, such as Cosine(epochs=10). Got {schedule!r}. Names are for "
            "train(), which knows the epochs."
        )
    return schedule


def _classes_of(targets: NDArray) -> NDArray[np.int64] | None:
    """Class codes where the targets are one-hot (or one column of 0 and 1), else None."""
    if not np.isin(targets, (0, 1)).all():
        return None
    if targets.shape[1] == 1:
        return targets[:, 0].astype(np.int64)
    return targets.argmax(axis=1) if (targets.sum(axis=1) == 1).all() else None
