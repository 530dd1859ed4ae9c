"""The promise, looked at in a real run: an index finds the fire sets of the exhaustive one, bit for bit."""

from dataclasses import asdict, dataclass

import numpy as np

from fewfire.errors import ExactnessError
from fewfire.indexes import ExhaustiveIndex
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
    """

    pairs: int
    fired: int
    equal: bool

    def as_dict(self) -> dict[str, int | bool]:
        return asdict(self)

    def __str__(self) -> str:
        if self.equal:
            return f"bit for bit as exhaustive search, on {self.pairs:,} pairs"
        return f"NOT AS EXHAUSTIVE SEARCH, on {self.pairs:,} pairs"

    def require_equal(self, index: str) -> None:
        """Check that the index of this name missed nothing.

        Raises
        ------
        ExactnessError
            It did: `equal` is False.
        """
        if not self.equal:
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
        None where nothing can be compared: the index is the exhaustive one, or does not claim to be exact.

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
    if isinstance(index, ExhaustiveIndex) or not index.exact:
        return None
    exhaustive = ExhaustiveIndex()
    exhaustive.build(network.layer)
    count = max(1, min(n, BATCHES * BATCH, MOST_PAIRS // network.width))
    fired, equal = 0, True
    for ids in np.array_split(np.arange(count) * n // count, -(-count // BATCH)):
        batch = trainer.problem.inputs.batch(ids)
        expected = exhaustive.fire_set(batch)
        fired += len(expected)
        equal = equal and trainer.asking.fire_set(batch).identical(expected)
    return Exactness(network.width * count, fired, equal)
