"""A time by which work should end: what is worth most comes first, and the rest is left out once it is up."""

from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Deadline:
    """When work should end.

    Attributes
    ----------
    at : float
        By the clock of `time.perf_counter`; infinite where there is no limit.
    """

    at: float = float("inf")

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """So many seconds from now; None for no limit."""
        return cls() if seconds is None else cls(perf_counter() + seconds)

    @property
    def is_set(self) -> bool:
        return self.at < float("inf")

    @property
    def left(self) -> float:
        """Seconds."""
        return self.at - perf_counter()

    def part(self, share: float) -> "Deadline":
        """The deadline after this share of what is left."""
        return Deadline(perf_counter() + share * self.left) if self.is_set else self


NEVER = Deadline()
