"""Training a shard in step with the others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fewfire._version import __version__
from fewfire.distributed.shard import Shard
from fewfire.errors import TrainingError
from fewfire.indexes import Index
from fewfire.training import EpochRecord, Method, Trainer
from fewfire.training.problem import Problem

MEANS = ("fire_rate", "near_rate", "dot_rate", "work_share", "moved_mean")
LARGEST = ("moved_max", "seconds", "seconds_find", "seconds_forward", "seconds_move")
SUMS = ("refreshes", "index_bytes")


class ShardTrainer(Trainer):
    """A trainer of one process's neurons; all processes take the same steps.

    Its history tells of the whole network. Steps cost what fires among the neurons of this process, and the
    sums of their outputs are exchanged: n c numbers from each process per step.

    Raises
    ------
    TrainingError
        Processes were started with other data, settings or versions.
    ValueError
        The index is approximate: what it misses would depend on how the neurons are shared.
    """

    def __init__(self, problem: Problem, method: Method, index: Index) -> None:
        network = problem.network
        assert isinstance(network, Shard)
        if not index.is_exact:
            raise ValueError(
                "several processes must train through an exact index, for the bits of one process. Got "
                f"{index.name!r}. Use DriftIndex."
            )
        self.group = network.group
        super().__init__(problem, method, index)
        self.group.require_same({"fewfire": __version__} | self.terms)

    @property
    def terms(self) -> dict[str, Any]:
        """As of any trainer, of the whole network."""
        network = self.network
        assert isinstance(network, Shard)
        return super().terms | {"width": network.whole}

    def epoch(self, on_step: Callable[[int, int], None] | None = None) -> EpochRecord:
        """One pass over the training set, in all processes.

        Raises
        ------
        TrainingError
            As of any trainer, in all processes where it is so in one; or a process is lost.
        """
        failure, record = None, None
        try:
            record = super().epoch(on_step)
        except TrainingError as error:
            failure = str(error)
        failures = [said for said in self.group.told(failure) if said is not None]
        if record is None or failures:
            raise TrainingError(failures[0])
        self.history[-1] = self._of_the_whole(record)
        return self.history[-1]

    def _of_the_whole(self, record: EpochRecord) -> EpochRecord:
        """The record of all neurons, from those of the shards, which are equally wide."""
        each = self.group.told([getattr(record, name) for name in (*MEANS, *LARGEST, *SUMS)])
        columns = iter(zip(*each, strict=True))
        figures: dict[str, Any] = {name: float(np.mean(next(columns))) for name in MEANS}
        figures |= {name: max(next(columns)) for name in LARGEST}
        figures |= {name: sum(next(columns)) for name in SUMS}
        return replace(record, **figures)
