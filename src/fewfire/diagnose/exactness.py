"""The promise, looked at in a real run: an index finds the fire sets of the exhaustive one, bit for bit.

An approximate index makes no such promise: how much of them it finds is measured in the same way.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fewfire.errors import ExactnessError
from fewfire.indexes import Audited, ExhaustiveIndex
from fewfire.training.trainer import Trainer

BATCHES, BATCH = 4, 256
MOST_PAIRS = 2**26  # compared: a second or two of exhaustive search on two threads


@dataclass(frozen=True)
class Exactness:
    """What a comparison of fire sets found.

    Attributes
    ----------
    pairs : (neuron, sample) pairs that both indexes decided
    fired : of which so many fire, by the exhaustive index
    equal : whether the index found the same pairs with the same pre-activations, bit for bit
    recall, recall_low, recall_high, missed_mass : of an approximate index: the share of the firing pairs that
        it found, with its 95 % interval, and of the sum of pre-activations less threshold that it missed;
        None with an exact one
    """

    pairs: int
    fired: int
    equal: bool
    recall: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None
    missed_mass: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The figures by name; without those of an approximate index where it is exact."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def is_broken(self) -> bool:
        """Whether an index that claims to be exact is not."""
        return not self.equal and self.recall is None

    def __str__(self) -> str:
        if self.recall is not None:
            return (
                f"approximate: finds {self.recall:.1%} of the pairs that fire (95 %: {self.recall_low:.1%} "
                f"to {self.recall_high:.1%}), on {self.pairs:,} pairs"
            )
        if self.equal:
            return f"bit for bit as exhaustive search, on {self.pairs:,} pairs"
        return f"NOT AS EXHAUSTIVE SEARCH, on {self.pairs:,} pairs"

    def require_equal(self, index: str) -> None:
        """Check that the index of this name missed nothing.

        Raises
        ------
        ExactnessError
            It did, and claims to be exact.
        """
        if self.is_broken:
            raise ExactnessError(
                f"the {index} index must find the fire sets of exhaustive search, bit for bit. Got others on "
                f"{self.pairs:,} pairs: the weights may be wrong. This is a bug of fewfire: please report it "
                "with settings.json, and use --index exhaustive until it is mended."
            )


def check_exactness(trainer: Trainer) -> Exactness | None:
    """Ask the index of a trainer, and the exhaustive one, who fires now on some of the training samples.

    They are asked on at most 4 batches of 256 samples from all over the training set, and on fewer samples
    of very wide networks.

    Parameters
    ----------
    trainer : Trainer
        Its index is built. Training can go on afterwards: nothing of it is changed but its counters.

    Returns
    -------
    Exactness or None
        None where nothing can be compared: the index is the exhaustive one.

    Raises
    ------
    RuntimeError
        The index is not built.

    Notes
    -----
    It costs what the index takes, and for exhaustive search a multiply-add per feature of at most 2^26 pairs
    at GEMM speed. In networks wider than 2^26 these are the pairs of one sample.
    """
    index, network, n = trainer.index, trainer.network, len(trainer.problem)
    if isinstance(index, ExhaustiveIndex):
        return None
    exhaustive = ExhaustiveIndex()
    exhaustive.build(network.layer)
    width = network.layer.width
    count = max(1, min(n, BATCHES * BATCH, MOST_PAIRS // width))
    fired, equal, audited = 0, True, Audited()
    for ids in np.array_split(np.arange(count) * n // count, -(-count // BATCH)):
        batch = trainer.problem.inputs.batch(ids)
        expected = exhaustive.fire_set(batch)
        fired += len(expected)
        found = trainer.asking.fire_set(batch)
        equal = equal and found.identical(expected)
        audited += Audited.of(expected, found, network.layer.threshold)
    if index.is_exact or audited.interval is None:
        return Exactness(width * count, fired, equal)
    return Exactness(width * count, fired, equal, audited.recall, *audited.interval, audited.missed_mass)
