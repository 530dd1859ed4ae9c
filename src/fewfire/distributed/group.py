"""The processes that train one network together, and what they say to each other."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from fewfire.errors import TrainingError

PATIENCE = timedelta(seconds=60)  # after which a process that does not answer is taken for lost


class Group:
    """All processes that `torchrun` has started, or this one alone.

    Attributes
    ----------
    rank, size : int
        Which one this is, of how many.

    Raises
    ------
    TrainingError
        A process is lost before all have met.
    """

    def __init__(self) -> None:
        self.rank, self.size = 0, 1
        if dist.is_torchelastic_launched():
            if not dist.is_initialized():
                self._ask(_meet)
            self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def gathered(self, part: NDArray) -> NDArray:
        """The parts of all processes, one after the other along the first axis.

        Raises
        ------
        TrainingError
            A process is lost.
        """
        if self.size == 1:
            return part
        whole = torch.empty(self.size * len(part), *part.shape[1:], dtype=torch.from_numpy(part).dtype)
        self._ask(dist.all_gather, list(whole.chunk(self.size)), torch.from_numpy(np.ascontiguousarray(part)))
        return whole.numpy()

    def told(self, mine: Any) -> list[Any]:
        """What each process says, in the order of the ranks."""
        if self.size == 1:
            return [mine]
        said: list[Any] = [None] * self.size
        self._ask(dist.all_gather_object, said, mine)
        return said

    def wait(self) -> None:
        """Until all processes are here."""
        self.told(None)

    def leave(self) -> None:
        """The last word, once all have said theirs: connections are closed."""
        self.wait()
        if dist.is_initialized():
            dist.destroy_process_group()

    def require_same(self, terms: Mapping[str, Any]) -> None:
        """Raise TrainingError, in all processes, unless each was started with the same."""
        said = self.told(dict(terms))
        for rank, theirs in enumerate(said):
            for name in [*terms, *theirs]:
                if said[0].get(name) != theirs.get(name):
                    raise TrainingError(
                        f"all processes must train the same. Got {name} = {said[0].get(name)!r} in process 0 "
                        f"and {theirs.get(name)!r} in process {rank}. Start all with the same version, data "
                        "and settings."
                    )

    def _ask(self, what: Any, *arguments: Any) -> None:
        try:
            what(*arguments)
        except RuntimeError as error:
            raise TrainingError(
                f"all processes must answer within {PATIENCE.seconds} s. Got silence: "
                f"{str(error).splitlines()[0]}. Start again: training goes on from the last checkpoint."
            ) from error


def _meet() -> None:
    """Connect the processes of this start.

    torchrun hands processes that it starts anew the store of those before them, in which the addresses of the
    lost ones still stand (pytorch/pytorch#135712). So each process says a name that it has just made, process
    0 answers with the name of this start, and what is stored for this start is stored under its name.
    """
    store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
    mine = uuid4().hex
    store.set(f"name/{rank}", mine)
    if rank == 0:
        start, deadline = mine, time.monotonic() + PATIENCE.seconds
        others = range(1, size)
        while others := [other for other in others if not store.check([f"{start}/met/{other}"])]:
            for other in others:
                if store.check([f"name/{other}"]):  # which may be that of a lost one, who never reads this
                    store.set(f"start/{store.get(f'name/{other}').decode()}", start)
            if time.monotonic() > deadline:
                raise RuntimeError(f"process {others[0]} did not start")
            time.sleep(0.01)
    else:
        start = store.get(f"start/{mine}").decode()
        store.set(f"{start}/met/{rank}", mine)
    dist.init_process_group(
        "gloo", store=PrefixStore(start, store), rank=rank, world_size=size, timeout=PATIENCE
    )
