"""The trainer: a problem, an index session and a method; epochs, history, checkpoints."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.work import Work
from fewfire.errors import DataError, TrainingError
from fewfire.indexes import Index
from fewfire.indexes.base import Progress
from fewfire.indexes.choice import Choice
from fewfire.networks.deep import Network
from fewfire.system.machine import instruction_set
from fewfire.training.accounts import distances, layer_figures, work_figures
from fewfire.training.asking import Asking
from fewfire.training.checkpoint import State
from fewfire.training.history import EpochRecord
from fewfire.training.methods.base import Method, Taken
from fewfire.training.problem import Problem
from fewfire.training.rates import BestRate


class Trainer:
    """Trains the network of a problem in place, touching only the neurons that fire.

    `fewfire.plan.plan_trainer` makes one from arrays and names, with what was left to fewfire filled in.

    Parameters
    ----------
    problem : Problem
    method : Method
        How steps are taken, with a learning rate that is a number.
    index : Index
        One that is not built yet, or not on this problem.
    choice : Choice, optional
        Why this index, where fewfire chose it.
    best_rate : BestRate, optional
        Why this learning rate, where fewfire measured it.

    Attributes
    ----------
    problem, method, choice, best_rate : as given
    asking : Asking
        The session with the index.
    stepper : Stepper
        What takes the steps of the method.
    history : list of EpochRecord

    Notes
    -----
    With every exact index, with any number of threads, and with every instruction set that has fused
    multiply-add, the weights are the same bit for bit.

    `save` writes a checkpoint, from which a trainer made as this one was resumes after `restore`. The weights
    are those of training without a break, bit for bit (docs/checkpoints.md):

        trainer = plan_trainer(network, inputs, targets)
        if path.exists():
            trainer.restore(path)
        trainer.build()
        while len(trainer.history) < epochs and not trainer.finished:
            trainer.epoch()
            trainer.save(path)
    """

    def __init__(
        self,
        problem: Problem,
        method: Method,
        index: Index,
        *,
        choice: Choice | None = None,
        best_rate: BestRate | None = None,
    ) -> None:
        self.problem, self.method, self.choice, self.best_rate = problem, method, choice, best_rate
        self.asking = Asking(index, problem.network.layer, problem.inputs)
        self.stepper = method.stepper(problem, self.asking)
        self.history: list[EpochRecord] = []
        self._begun: State | None = None  # at the beginning of an epoch that is not done yet
        self._epoch_ahead: tuple[int, list[NDArray[np.int64]]] | None = None  # its number and batches

    @property
    def network(self) -> Network:
        return self.problem.network

    @property
    def index(self) -> Index:
        return self.asking.index

    @property
    def steps_taken(self) -> int:
        return self.stepper.steps_taken

    @property
    def finished(self) -> bool:
        """Whether no step is left to be taken: never, in gradient descent."""
        return self.stepper.finished

    def build(self, progress: Progress | None = None) -> None:
        """Build the index on the training set.

        Parameters
        ----------
        progress : callable, optional
            Called with the share of the build that is done.
        """
        self.asking.build(progress)

    def settle(self) -> None:
        """Bring the weights of the network up to date, where they coast (momentum or weight decay).

        They are so at the end of each epoch. The weights of later steps may depend on when this is called,
        in their last bits.
        """
        self.stepper.settle()

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """One step on these samples; see `Stepper.step`."""
        return self.stepper.step(ids, next_ids)

    def _batches_now_and_next(self, epoch: int) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
        """Batches of this epoch and of the next, whose first is asked about in this epoch's last step."""
        known = self._epoch_ahead
        now = known[1] if known is not None and known[0] == epoch else self.problem.batches(epoch)
        following = self.problem.batches(epoch + 1)
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
        stepper, number = self.stepper, len(self.history) + 1
        self.settle()
        moving = stepper.moving_rows
        begun = State({name: rows.copy() for name, rows in moving.items()}, self._progress(), self._figures())
        self._begun = begun
        works, seconds, begin = self._works(), dict(stepper.seconds), perf_counter()
        audited = self.index.audited
        total_loss, tally = 0.0, 0
        batches, following = self._batches_now_and_next(number)
        stepper.begin_epoch()
        done = 0
        try:
            ahead = [*batches[1:], following[0]]
            for done, (ids, next_ids) in enumerate(zip(batches, ahead, strict=True), start=1):
                loss, of_batch = stepper.step(ids, next_ids)
                total_loss += loss * len(ids)
                tally = tally + of_batch
                if on_step is not None:
                    on_step(done, len(batches))
            self.settle()
            for rows in moving.values():  # a neuron of NaN never fires, and no loss would show it
                stepper.require_finite("every weight", float(rows.max(initial=0)))
                stepper.require_finite("every weight", float(rows.min(initial=0)))
        except TrainingError as error:
            self._return_to(begun)
            raise TrainingError(
                f"{error} This was step {done} of epoch {number}; the weights are those of the "
                f"end of epoch {number - 1}."
            ) from None
        stepper.end_epoch()

        moved = [distances(rows, begun.rows[name]) for name, rows in stepper.layer_rows.items()]
        spent = [now - before for now, before in zip(stepper.works, works, strict=True)]
        audited = self.index.audited - audited
        n_features = [layer.n_features for layer in self.network.layers]
        parts = {f"seconds_{part}": stepper.seconds[part] - before for part, before in seconds.items()}
        record = self.method.record_type(
            epoch=number,
            steps=len(batches) * stepper.replays,
            learning_rate=stepper.rate_of(stepper.steps_taken - 1),
            loss=total_loss / len(self.problem),
            **work_figures(spent, n_features),
            seconds=perf_counter() - begin,
            refreshes=spent[0].refreshed,
            index_bytes=self.index.nbytes,
            moved_mean=float(np.concatenate(moved).mean()),
            moved_max=float(np.concatenate(moved).max()),
            recall=audited.recall,
            missed_mass=audited.missed_mass,
            layers=layer_figures(spent, n_features, moved, stepper.dead_samples) if spent[1:] else None,
            **self.problem.figures(tally),
            **parts,
            **stepper.figures(),
        )
        self.history.append(record)
        self._begun = None
        return record

    # What it takes to go on after a break

    @property
    def terms(self) -> dict[str, Any]:
        """The settings on which the bits of the weights depend, with a checksum of the training set."""
        own: dict[str, Any] = {"method": self.method.name, "fused_multiply_add": instruction_set() != "base"}
        if not self.index.is_exact:
            own["approximate_index"] = self.index.terms
        return own | self.problem.terms | self.method.terms

    def _works(self) -> list[Work]:
        """Copies of the work counted for each layer so far."""
        return [work.copy() for work in self.stepper.works]

    def _progress(self) -> dict[str, Any]:
        first, *later = map(asdict, self.stepper.works)
        progress = {"numbers": self.stepper.numbers, "work": first}
        return progress | {"later_work": later} if later else progress

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
        begun = self._begun or State(self.stepper.moving_rows, self._progress(), self._figures())
        return replace(begun, rows={**begun.rows, **self.stepper.fixed_rows}, terms=self.terms)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of `state()`: whole, or not at all, whatever happens meanwhile.

        Raises
        ------
        OSError
            The file cannot be written.
        """
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
        own = self.stepper.moving_rows | self.stepper.fixed_rows
        try:
            for name, rows in own.items():
                if (state.rows[name].shape, state.rows[name].dtype) != (rows.shape, rows.dtype):
                    raise ValueError(f"{name} of shape {state.rows[name].shape}, not {rows.shape}")
            numbers: Mapping[str, Any] = state.progress["numbers"]
            if set(numbers) != set(self.stepper.numbers):
                raise ValueError(f"the numbers {', '.join(numbers)}")
            counted = [state.progress["work"], *state.progress.get("later_work", [])]
            works = [Work(**work) for work in counted]
            if len(works) != len(self.stepper.works):
                raise ValueError(f"the work of {len(works)} layers")
            history = [self.method.record_type(**figures) for figures in state.history]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"a checkpoint must hold what this version of fewfire needs. Got {state.origin}: {error}. "
                "Go on with the version that wrote it, or train anew."
            ) from error
        self._return_to(state)
        for name, rows in self.stepper.fixed_rows.items():
            rows[:] = state.rows[name]
        self.history = history
        for own, work in zip(self.stepper.works, works, strict=True):
            own.go_on_from(work)

    def _return_to(self, state: State) -> None:
        """Take rows and numbers of a state for those of now."""
        for name, rows in self.stepper.moving_rows.items():
            rows[:] = state.rows[name]
        self.stepper.go_on_from(state.progress["numbers"])
        self._begun = None
