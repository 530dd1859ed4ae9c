"""The machine: how many threads the kernels use, and which instruction set."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Lock

from fewfire import _core
from fewfire._version import __version__
from fewfire.system.words import require_one_of

MOST_THREADS = 1024


def threads() -> int:
    """Number of threads that the kernels use."""
    return _core.threads()


def set_threads(count: int) -> None:
    """Set the number of threads that the kernels use. It never changes a result.

    Parameters
    ----------
    count : int, 1 .. 1024
        More than the machine has cores is allowed and gains nothing.

    Raises
    ------
    ValueError
        The count lies outside that range.
    """
    if not isinstance(count, int) or not 1 <= count <= MOST_THREADS:
        raise ValueError(
            f"the number of threads must be a whole number from 1 to {MOST_THREADS}. Got {count!r}. "
            "Use the number of cores, or 1."
        )
    _core.set_threads(count)


class _ForAWhile:
    """A setting of the whole process that calls in several threads change for a while.

    The first call remembers what was there before, and the last to end puts it back, in whichever order they
    overlap. Each call on its own would put back what another had set.
    """

    def __init__(self) -> None:
        self._lock, self._open = Lock(), 0
        self._put_back: Callable[[], object] = lambda: None

    @contextmanager
    def changed(
        self, change: Callable[[], Callable[[], object]], *, always_alike: bool = False
    ) -> Iterator[None]:
        """While it is open, the setting is as `change` makes it; `change` returns what undoes it.

        Where all calls make the same of it, the first does so for those within.
        """
        with self._lock:
            if self._open == 0 or not always_alike:
                put_back = change()
                if self._open == 0:
                    self._put_back = put_back
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1
                if self._open == 0:
                    self._put_back()


_own_threads, _blas_threads = _ForAWhile(), _ForAWhile()


def using_threads(count: int) -> AbstractContextManager:
    """While it is open, the kernels use so many threads.

    Calls that overlap share the number that was asked for last. Once all have ended, the number is the one
    from before the first.

    Raises
    ------
    ValueError
        On entering: the number is no whole number from 1 to 1024.
    """

    def change() -> Callable[[], object]:
        before = threads()
        set_threads(count)
        return lambda: set_threads(before)

    return _own_threads.changed(change)


def one_blas_thread() -> AbstractContextManager:
    """While it is open, NumPy and SciPy multiply on one thread, as far as they are imported.

    OpenBLAS keeps its threads spinning for a tenth of a second after each product: beside them the kernels
    take up to twice as long. docs/decisions/0003-own-thread-pool.md has the figures. Once all calls that
    overlap have ended, BLAS has the threads that it had before the first.
    """
    from threadpoolctl import threadpool_limits

    return _blas_threads.changed(
        lambda: threadpool_limits(1, user_api="blas").restore_original_limits, always_alike=True
    )


def instruction_set() -> str:
    """Name of the instruction set that the kernels use: avx512, avx2, neon or base."""
    return _core.instruction_set()


def available_instruction_sets() -> list[str]:
    """Instruction sets that this machine can run, the best first."""
    return _core.available_instruction_sets()


def use_instruction_set(name: str) -> None:
    """Use another instruction set from now on, for tests and comparisons.

    All those with fused multiply-add (avx512, avx2, neon) give the same bits; base does not have it.
    """
    _core.use_instruction_set(name)


@dataclass(frozen=True)
class Info:
    """What a figure depends on beside the code.

    Attributes
    ----------
    version : str
        Version of fewfire.
    instruction_set : str
        The one in use; the environment variable FEWFIRE_SIMD chooses another.
    available_instruction_sets : tuple of str
    threads : int
        The environment variable FEWFIRE_NUM_THREADS chooses another number.
    """

    version: str
    instruction_set: str
    available_instruction_sets: tuple[str, ...]
    threads: int

    def __str__(self) -> str:
        available = ", ".join(self.available_instruction_sets)
        return (
            f"fewfire {self.version}\n"
            f"instruction set: {self.instruction_set} (available: {available}; FEWFIRE_SIMD chooses)\n"
            f"threads: {self.threads} (FEWFIRE_NUM_THREADS chooses)"
        )


def info() -> Info:
    """The version of fewfire, the instruction set and the number of threads.

    Examples
    --------
    >>> info().threads == threads()
    True
    """
    return Info(__version__, instruction_set(), tuple(available_instruction_sets()), threads())


def _configure_from_environment() -> None:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shared_out = os.environ.get("OMP_NUM_THREADS", "")  # as joblib does among its processes
    usual = shared_out if shared_out.isdecimal() and int(shared_out) > 0 else str(usable or 1)
    wanted = os.environ.get("FEWFIRE_NUM_THREADS", usual)
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_THREADS:
        raise ValueError(
            f"FEWFIRE_NUM_THREADS must be a whole number from 1 to {MOST_THREADS}. Got {wanted!r}. "
            "Set it to the number of cores to use, or unset it."
        )
    set_threads(int(wanted))
    best, *_ = available = available_instruction_sets()
    chosen = os.environ.get("FEWFIRE_SIMD", best)
    require_one_of(chosen, available, "FEWFIRE_SIMD")
    use_instruction_set(chosen)


_configure_from_environment()
