"""What is trained, and on what: a network, samples and targets, a loss, and how samples come in batches."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.errors import DataError
from fewfire.networks.deep import Network, two_layers_of
from fewfire.networks.losses import Loss, SquaredLoss, loss_named, predicted_classes
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.tensors import sha256


@dataclass(frozen=True, eq=False)
class Problem:
    """A checked training problem; `Problem.of` makes one from arrays.

    Attributes
    ----------
    network : TwoLayerNetwork or DeepNetwork
        Trained in place.
    inputs : Inputs
    targets : (n, c)
    loss : Loss
    batch_size : int
        Samples per step at the most.
    sample_weight : (n,) or None
        What the loss of each sample counts; None for 1 each.
    seed : int
        Seed for the order of the samples: epoch e is shuffled by (seed, e).
    units : (c,) or None
        What 1 of each real-valued target is for a person, who reads the errors in these units; None for 1.
    """

    network: Network
    inputs: Inputs
    targets: NDArray
    loss: Loss
    batch_size: int
    sample_weight: NDArray | None = None
    seed: int = 0
    units: NDArray | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        inputs: ArrayLike | Inputs,
        targets: ArrayLike,
        *,
        loss: str | Loss = "squared",
        batch_size: int | None = None,
        sample_weight: ArrayLike | None = None,
        seed: int = 0,
        units: NDArray | None = None,
    ) -> "Problem":
        """Check and convert what a user gives; see `fewfire.train` for the arguments.

        Raises
        ------
        DataError
            Inputs, targets or weights are of another shape than they must be, or not finite.
        ValueError
            There is no loss of that name, or the batch size is no whole number >= 1.
        """
        samples = Inputs.of_any(inputs, network.dtype).numbered()
        n = len(samples)
        return cls(
            network,
            samples,
            _checked_targets(targets, n, network),
            loss_named(loss) if isinstance(loss, str) else loss,
            _checked_batch_size(batch_size, n),
            _checked_weights(sample_weight, n, network),
            seed,
            units,
        )

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.inputs)

    def two_layers(self, what: str) -> TwoLayerNetwork:
        """The network where it has one hidden layer; see `two_layers_of`."""
        return two_layers_of(self.network, what)

    @property
    def steps_per_epoch(self) -> int:
        """As few batches as the batch size allows."""
        return -(-len(self) // self.batch_size)

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Sample ids of each batch of an epoch (from 1), shuffled by the seed and the epoch.

        Their sizes differ by one at most: a short last batch would take a step that is too long for it.
        Within a batch the ids ascend: the sum over a batch has no order, and an index reads its tables in
        one.
        """
        if self.steps_per_epoch == 1:
            return [self._everyone]
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self))
        return [np.sort(ids) for ids in np.array_split(order, self.steps_per_epoch)]

    @cached_property
    def _everyone(self) -> NDArray[np.int64]:
        """All ids: one batch of all samples is always the same object."""
        return np.arange(len(self))

    def losses(self, outputs: NDArray, ids: NDArray[np.int64]) -> NDArray:
        """The loss of each of these samples, (n,), as it counts."""
        values = self.loss.values(outputs, self.targets[ids])
        return values if self.sample_weight is None else values * self.sample_weight[ids]

    def residuals(self, outputs: NDArray, ids: NDArray[np.int64]) -> NDArray:
        """Derivative of those losses by the outputs, (n, c)."""
        residuals = self.loss.residuals(outputs, self.targets[ids])
        if self.sample_weight is not None:
            residuals *= self.sample_weight[ids, None]
        return residuals

    @cached_property
    def classes(self) -> NDArray[np.int64] | None:
        """Class codes where the targets are one-hot (or one column of 0 and 1), else None."""
        if not np.isin(self.targets, (0, 1)).all():
            return None
        if self.targets.shape[1] == 1:
            return self.targets[:, 0].astype(np.int64)
        return self.targets.argmax(axis=1) if (self.targets.sum(axis=1) == 1).all() else None

    @cached_property
    def _variances(self) -> NDArray[np.float64] | None:
        """Those of real-valued targets (c,); None where the targets are others or the loss is not squared."""
        if self.loss.name != SquaredLoss.name or np.isin(self.targets, (0, 1)).all():
            return None
        return self.targets.var(axis=0, dtype=np.float64)

    def tally(self, outputs: NDArray, ids: NDArray[np.int64]) -> NDArray | int:
        """What `figures` are made of, summed over samples: how many are right, or squared errors (c,)."""
        if self.classes is not None:
            return int((predicted_classes(outputs) == self.classes[ids]).sum())
        if self._variances is None:
            return 0
        return np.square(outputs - self.targets[ids], dtype=np.float64).sum(axis=0)

    def figures(self, tally: NDArray | float) -> dict[str, float | None]:
        """How good outputs are, from the tally of all samples; see `EpochRecord`."""
        if self.classes is not None or self._variances is None:
            return {"accuracy": None if self.classes is None else float(tally / len(self))}
        squares, variances = np.asarray(tally) / len(self), self._variances
        roots = np.sqrt(squares) * (1 if self.units is None else self.units)
        r2 = float(np.mean(1 - squares / variances)) if variances.all() else None
        return {"accuracy": None, "r2": r2, "rmse": float(roots.mean())}

    @cached_property
    def data_checksum(self) -> str:
        """64 bits of the SHA-256 of inputs, targets and sample weights, as 16 digits."""
        weights = b"" if self.sample_weight is None else self.sample_weight.data
        return sha256(self.inputs.rows.data, self.targets.data, weights)[:16]

    @property
    def terms(self) -> dict[str, object]:
        """The settings on which the bits of the weights depend, with a checksum of the training set."""
        network = self.network
        return {
            "training_data": self.data_checksum,
            **_shape(network),
            "n_features": network.n_features,
            "n_outputs": network.n_outputs,
            "dtype": str(network.dtype),
            "loss": self.loss.name,
            "batch_size": self.batch_size,
            "seed": self.seed,
        }


def _shape(network: Network) -> dict[str, object]:
    if isinstance(network, TwoLayerNetwork):
        return {"width": network.width, "threshold": network.threshold}
    return {
        "width": list(network.widths),
        "threshold": list(network.thresholds),
        "constants": list(network.constants),
        "lengths": None if network.lengths is None else list(network.lengths),
    }


def _checked_targets(targets: ArrayLike, n: int, network: Network) -> NDArray:
    values = np.ascontiguousarray(targets, dtype=network.dtype)
    if values.shape != (n, network.n_outputs):
        raise DataError(
            f"targets must have one row per sample and one column per output, ({n}, {network.n_outputs}). "
            f"Got shape {values.shape}. Give one-hot rows for classes."
        )
    if not np.isfinite(values).all():
        raise DataError(
            f"targets must be finite. Got {np.count_nonzero(~np.isfinite(values))} that are not, the "
            f"first in row {np.argwhere(~np.isfinite(values))[0][0]}. Remove those samples."
        )
    return values


def _checked_weights(weights: ArrayLike | None, n: int, network: Network) -> NDArray | None:
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
            f"batch_size must be a whole number >= 1, or None for all samples. Got {batch_size!r}. "
            "Leave it out for all."
        )
    return min(int(batch_size), n)
