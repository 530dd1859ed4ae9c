"""What an operator finds by a number: the rows of a module, and who fires in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from weakref import WeakValueDictionary, ref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes import DriftIndex, Index, ScreenedIndex, index_for_batches
from fewfire.networks.descent import Descent
from fewfire.networks.layer import Layer
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.networks.velocities import Velocities
from fewfire.training.asking import Asking

_numbers = count(1)
_living: WeakValueDictionary[int, "State"] = WeakValueDictionary()


class State:
    """A layer whose rows are the parameter of a module, and the indexes that mirror them.

    Attributes
    ----------
    number : int
        By which operators find it: graphs hold numbers, and no objects.
    others : sequence of arrays
        The rows of the module's other parameters, which no index mirrors.
    fires : FireSet or None
        The last answer.

    Raises
    ------
    ValueError
        The index is none that answers for new inputs, or is approximate.
    """

    def __init__(self, layer: Layer, index: str, others: Sequence[NDArray] = ()) -> None:
        found = index_for_batches(index, layer.n_features)
        if not (found.is_open and found.is_exact):
            raise ValueError(
                f"a module's index must be exact and answer for new inputs. Got {found.name!r}. "
                "Use 'screened' or 'exhaustive'; bind() finds what fires on training samples through the "
                "drift index."
            )
        self.layer, self.number = layer, next(_numbers)
        self.others = others
        self.fires: FireSet | None = None
        self._open = Asking(found, layer, Inputs.of(np.ones((1, layer.n_features)), layer.dtype))
        self._open.forget()
        self._bound: Asking | None = None
        self._version = 0
        _living[self.number] = self

    @property
    def index(self) -> Index:
        """The one that steps keep up to date."""
        return self._kept.index

    @property
    def _kept(self) -> Asking:
        return self._bound or self._open

    def bind(self, inputs: Inputs) -> None:
        """Let a drift index answer for the samples of a fixed set."""
        bound = Asking(DriftIndex(), self.layer, inputs.numbered())
        self.settle()
        bound.build()
        self._bound = bound

    def holds(self, weight: Tensor) -> bool:
        """Whether this tensor is the rows of the layer themselves."""
        return is_memory_of(weight, self.layer.weight_rows)

    def holds_some(self, weight: Tensor) -> bool:
        """Whether this tensor is rows of the module, mirrored or not."""
        return any(is_memory_of(weight, rows) for rows in (self.layer.weight_rows, *self.others))

    def notice(self, version: int) -> None:
        """Take the indexes for stale where the weights have another version than when last asked."""
        if version != self._version:
            self._version = version
            self.weights_changed()

    def moved_to(self, version: int) -> None:
        """The weights moved by a step that the index was told of, which gave them this version."""
        self._version = version

    def weights_changed(self) -> None:
        """The weights were written to, and are what they are now: no index mirrors them."""
        if self.layer.velocities is not None:
            self.layer.velocities.restart()
        for asking in (self._open, self._bound):
            if asking is not None:
                asking.forget()

    def batch(self, samples: NDArray, ids: NDArray[np.int64] | None) -> Inputs:
        """These samples as inputs: by their ids among the bound ones, or new.

        Raises
        ------
        RuntimeError
            There are ids, and no bound samples.
        ValueError
            The ids are none of theirs, or the samples are others.
        """
        if ids is None:
            return replace(Inputs.of(samples, self.layer.dtype), ids=None)
        if self._bound is None:
            raise RuntimeError(
                "sample_ids must be those of samples that the module is bound to. Got ids, and no such "
                "samples. Call bind(samples) first, or leave out the ids."
            )
        known = len(self._bound.inputs)
        if ids.shape != (len(samples),) or not ((ids >= 0) & (ids < known)).all():
            raise ValueError(
                f"sample_ids must be one per row, of 0 .. {known - 1}. Got {ids[:5].tolist()} and so on, "
                f"{len(ids)} for {len(samples)} rows. Give the places of the rows among the bound samples."
            )
        batch = self._bound.inputs.batch(ids)
        if not np.array_equal(batch.samples, samples):
            raise ValueError(
                "rows must be the bound samples with these ids. Got other numbers. Leave out the ids of new "
                "or changed samples."
            )
        return batch

    def ask(self, batch: Inputs) -> FireSet:
        """Who fires on a batch.

        Raises
        ------
        ValueError
            Weights are not finite.
        """
        self.fires = self._fresh(batch).fire_set(batch)
        return self.fires

    def _fresh(self, batch: Inputs) -> Index:
        """The index that answers for a batch, up to date. An open one is built on what it is asked first."""
        asking = self._open if batch.ids is None else self._kept
        if asking is self._open:
            asking.inputs = batch
        if asking.freshen():
            index = asking.index
            try:
                require_finite(self.layer, index.unbounded if isinstance(index, ScreenedIndex) else None)
            except ValueError:
                asking.forget()  # the next question is refused, too
                raise
        return asking.index

    def let_coast(self, *, with_momentum: bool) -> None:
        """Give the neurons velocities: from now on they move where they do not fire, too."""
        self.layer.velocities = Velocities(self.layer.weight_rows, with_momentum=with_momentum)
        self.weights_changed()

    def descend(self, descent: Descent) -> None:
        """Take a step, and tell the index that is kept up to date."""
        if self._bound is not None:
            self._open.forget()
        self._kept.descend(descent, None)
        if not np.isfinite(descent.step.lengths).all():
            self._kept.forget()  # so that the next question looks at the weights

    def settle(self) -> None:
        """Write all rows as they are now, where they coast."""
        self._kept.settle()


@dataclass(frozen=True, eq=False)
class Pull:
    """A batch, who fired on it, and the derivative of the loss by the outputs, which a step follows."""

    batch: Inputs
    fires: FireSet
    residuals: NDArray


class HiddenState(State):
    """The same of a network with its outputs.

    Attributes
    ----------
    network : TwoLayerNetwork
    fused : bool
        Whether backward passes leave a pull here, in place of gradients of the weights.
    """

    def __init__(self, network: TwoLayerNetwork, index: str) -> None:
        super().__init__(network.layer, index, [network.output_rows])
        self.network, self.fused = network, False
        self._pull: Pull | None = None
        self._slope = np.empty((0, 0), network.dtype)
        self._lent = ref(self._slope)

    def holds_both(self, weight: Tensor, output_weight: Tensor) -> bool:
        """Whether these tensors are the rows of the network themselves."""
        return self.holds(weight) and is_memory_of(output_weight, self.network.output_rows)

    def room_for_slope(self) -> NDArray:
        """Memory (m, d) for a gradient of the weights: that of the last one, once no tensor holds it.

        `zero_grad` lets it go. Fresh memory would cost as much as the gradient.
        """
        shape = self.network.width, self.network.n_features
        if self._slope.shape != shape or self._lent() is not None:
            self._slope = np.empty(shape, self.network.dtype)
        lent = self._slope.view()  # lives as long as the tensor that is made of it
        self._lent = ref(lent)
        return lent

    def weights_changed(self) -> None:
        self._pull = None
        super().weights_changed()

    def keep(self, pull: Pull) -> None:
        """Keep what the next step is to follow.

        Raises
        ------
        RuntimeError
            Another is kept already.
        """
        if self._pull is not None:
            raise RuntimeError(
                "fewfire.torch.SGD takes one step per backward pass. Got a second pass without a step. Call "
                "step(), or zero_grad() to forget the first, or use an optimizer of torch.optim to add up."
            )
        self._pull = pull

    def take(self) -> Pull | None:
        """The pull that was kept, which is no longer."""
        kept, self._pull = self._pull, None
        return kept


def living_states() -> list[State]:
    """The states of all modules that there are."""
    return list(_living.values())


def state_of(number: int, weight: Tensor) -> State | None:
    """The living state with this number, if this tensor is its rows."""
    state = _living.get(number)
    return state if state is not None and state.holds(weight) else None


def is_memory_of(tensor: Tensor, rows: NDArray) -> bool:
    """Whether a tensor is these padded rows themselves."""
    return tensor.data_ptr() == rows.ctypes.data and tensor.stride() == (rows.shape[1], 1)


def require_finite(layer: Layer, neurons: NDArray[np.int64] | None = None) -> None:
    """Raise ValueError unless these neurons are finite, by default all.

    A neuron whose weights are NaN never fires: without this it would be silent, where dense layers are NaN.
    """
    rows = layer.weight_rows
    if neurons is not None:
        if len(neurons) == 0:
            return
        rows = layer.part(neurons).weight_rows
    with np.errstate(over="ignore", invalid="ignore"):
        suspect = np.flatnonzero(~np.isfinite(np.add.reduce(rows, axis=1)))
    lost = suspect[~np.isfinite(rows[suspect]).all(axis=1)]  # a sum of large numbers may overflow
    if len(lost):
        first = lost[0] if neurons is None else neurons[lost[0]]
        others = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        raise ValueError(
            "the weights, the bias and the threshold of a neuron must be finite. Got others in neuron "
            f"{first}{others}. Go back to those from before training diverged, and lower the learning rate."
        )


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """The same for NumPy; ValueError where it is none of the two that the core takes."""
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"dtype must be torch.float32 or torch.float64. Got {dtype}. Choose one of them; autocast hands "
            "over float32."
        )
    return np.dtype(str(dtype).removeprefix("torch."))


def require_here(weight: Tensor) -> None:
    """Raise ValueError where weights would go to another device or precision."""
    if weight.device.type != "cpu" or weight.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"a firing layer must be of float32 or float64 on the CPU. Got {weight.dtype} on "
            f"{weight.device}. Keep this module where it is, and convert what goes in and comes out."
        )


def require_rows(x: Tensor, n_features: int) -> None:
    """Raise ValueError where inputs do not fit."""
    if x.dim() != 2 or x.shape[1] != n_features or x.device.type != "cpu":
        raise ValueError(
            f"inputs must be (n, {n_features}) on the CPU. Got {tuple(x.shape)} on {x.device}. "
            "Put all else in a row with x.flatten(1), and move it with .cpu()."
        )
