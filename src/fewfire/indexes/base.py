"""The interface of all indexes: what may be asked, and what an index must be told."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.work import Work
from fewfire.indexes.audit import Audited
from fewfire.networks.descent import Descent, Step
from fewfire.networks.layer import Layer
from fewfire.networks.layer_descent import LayerDescent
from fewfire.system.memory import require_within

if TYPE_CHECKING:
    from fewfire._core import Found_float32, Found_float64

SAMPLED_ROWS = 1024  # that stand for all where only a size is asked

Progress = Callable[[float], None]  # called with the share that is done, 0 .. 1


class Index(ABC):
    """A data structure that answers "who fires?" for one layer.

    An exact index may look at more pairs than fire, never at fewer, and leaves the decision to the shared
    dot kernel: all exact indexes give the same fire sets, bit for bit. An approximate one gives a part of
    them, with the same pre-activations, and measures how much it finds (`audited`).

    An *open* index answers for any inputs. A *bound* one answers only for samples of the training set that
    it was built on, by their ids, and may remember things about each (neuron, sample) pair.

    Parameters
    ----------
    memory_limit : int, optional
        Bytes that the index may hold once it is built.
    """

    name: ClassVar[str]
    is_exact: ClassVar[bool] = True
    is_open: ClassVar[bool]
    refresh_of_build: ClassVar[float] = 0.0  # the time of a refresh beside that of the build; measured

    def __init__(self, *, memory_limit: int | None = None) -> None:
        self.memory_limit = memory_limit
        self.work = Work()
        self.audited = Audited()  # of an approximate index
        self._layer: Layer | None = None  # until it is built

    @abstractmethod
    def build(self, layer: Layer, inputs: ArrayLike | Inputs, progress: Progress | None = None) -> None:
        """Take in a layer and a training set, and forget what was built before.

        Parameters
        ----------
        layer : Layer
            Kept, not copied: `moved` must be called with every step.
        inputs : (n, d) array or Inputs
            The training set; an open index only looks at it.
        progress : callable, optional
            Called with the share of the build that is done. It is called with 0.0 once the part that does not
            grow with the number of neurons is finished.

        Raises
        ------
        DataError
            The inputs are not two-dimensional, are empty, or hold NaN or infinity.
        MemoryLimitError
            The index needs more than its memory limit.
        ValueError
            The inputs have another number of features, or another dtype, than the layer.
        """

    @abstractmethod
    def fire_set(self, batch: ArrayLike | Inputs) -> FireSet:
        """All firing pairs of a batch, from the weights as they are now; some, of an approximate index.

        Parameters
        ----------
        batch : (n, d) array or Inputs
            The rows of an array are new samples; `inputs.batch(positions)` are some of the training set.

        Raises
        ------
        DataError
            The samples are not two-dimensional, are empty, or hold NaN or infinity.
        RuntimeError
            The index is not built.
        ValueError
            The batch does not fit the layer, or a bound index is asked about other samples than its own.
        """

    @abstractmethod
    def moved(self, step: Step) -> None:
        """Take note of how the last step moved the layer; it must be called with every step.

        Raises
        ------
        RuntimeError
            The index is not built.
        """

    @property
    def terms(self) -> dict[str, Any]:
        """The settings on which the fire sets depend: none, where they are exact."""
        return {}

    def descend(self, descent: Descent | LayerDescent, next_batch: Inputs) -> FireSet:
        """Take a step and find who fires on the next batch: `take`, `moved` and `fire_set` in turn."""
        self.moved(descent.take())
        return self.fire_set(next_batch)

    def settle(self) -> None:  # noqa: B027  most have nothing to do
        """Prepare for all rows that coast to be written as they are now, directly after this call."""

    def _fire_set_of(self, found: "Found_float32 | Found_float64", n_samples: int) -> FireSet:
        """The fire set that the core found on so many samples, once its work is written down."""
        return self.answered(self._pairs_of(found, n_samples))

    def _pairs_of(self, found: "Found_float32 | Found_float64", n_samples: int) -> FireSet:
        """The pairs that the core found, once the work of finding them is written down."""
        self.work.near += int(found.near.sum())
        self.work.dots += int(found.dots.sum())
        return FireSet(found.begins, found.samples, found.values, n_samples)

    def answered(self, fires: FireSet) -> FireSet:
        """The same, written down as a question about all pairs and its answer."""
        self.work.asked += fires.width * fires.n_samples
        self.work.fired += len(fires)
        return fires

    @property
    def wear(self) -> float:
        """What the age of the index has cost since it was made, in refreshes of the whole index."""
        return 0.0

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes that the index holds."""

    @abstractmethod
    def check_invariants(self) -> None:
        """Raise AssertionError where something the index relies on does not hold. Slow; for tests."""


class OpenIndex(Index):
    """An index that answers for any inputs, and at any threshold.

    Its pairs are those of `fire_set` at that threshold: all, or some through an approximate index.
    """

    is_open: ClassVar[bool] = True

    @abstractmethod
    def pairs_above(self, batch: ArrayLike | Inputs, threshold: float) -> FireSet:
        """All pairs of a batch whose pre-activation exceeds a threshold, strictly, from the present weights.

        Parameters
        ----------
        batch : (n, d) array or Inputs
        threshold : float
            The layer's or any other, rounded to the dtype of the layer.

        Raises
        ------
        DataError, RuntimeError, ValueError
            As `fire_set`.
        """

    def fire_set(self, batch: ArrayLike | Inputs) -> FireSet:
        return self.answered(self.pairs_above(batch, require_built(self._layer, self).threshold))

    def firing_among(self, pairs: FireSet, batch: ArrayLike | Inputs) -> FireSet:
        """Those of some pairs that fire on a batch; no other is looked at.

        Parameters
        ----------
        pairs : FireSet
            On as many samples; only neurons and samples count.
        batch : (n, d) array or Inputs

        Raises
        ------
        DataError, RuntimeError
            As `fire_set`.
        ValueError
            The batch does not fit the layer, or the pairs are of another number of neurons or samples.

        Notes
        -----
        d multiply-adds per pair. The index itself is not asked.
        """
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        if (pairs.width, pairs.n_samples) != (layer.width, len(batch)):
            raise ValueError(
                f"the pairs must be of the neurons and samples that are asked about, {layer.width} and "
                f"{len(batch)}. Got pairs of {pairs.width} and {pairs.n_samples}. Find them with pairs_above."
            )
        found = _core.proposed_fire_set(
            pairs.begins, pairs.samples, layer.core_view, batch.core_view, layer.threshold
        )
        return self._fire_set_of(found, len(batch))


def require_built(layer: Layer | None, index: Index) -> Layer:
    if layer is None:
        raise RuntimeError(
            f"the {index.name} index must be built before it is asked. Got no layer yet. "
            "Call build(layer, inputs) first."
        )
    return layer


def fitting(layer: Layer, samples: ArrayLike | Inputs, *, new: bool = False) -> Inputs:
    """Samples (n, d) as inputs of a layer; the rows of an array are numbered 0 .. n - 1, unless they are new.

    Raises
    ------
    DataError
        The samples are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        They have another number of features, or another dtype, than the layer.
    """
    inputs = Inputs.of_any(samples, layer.dtype)
    if new and inputs is not samples:
        inputs = replace(inputs, ids=None)
    if inputs.n_features != layer.n_features or inputs.dtype != layer.dtype:
        raise ValueError(
            f"inputs must fit the network: {layer.n_features} features of {layer.dtype}. Got "
            f"{inputs.n_features} features of {inputs.dtype}. Make them with "
            "Inputs.of(samples, layer.dtype)."
        )
    return inputs


def set_of(index: Index, layer: Layer, samples: ArrayLike | Inputs) -> Inputs:
    """The training set that a bound index is built on, and whose ids it is asked for; see `fitting`.

    Raises
    ------
    ValueError
        Its ids are those of another set.
    """
    inputs = fitting(layer, samples)
    if not inputs.is_numbered:
        raise ValueError(
            f"the {index.name} index must be built on inputs that are numbered 0 .. n - 1. Got other ids, as "
            "a batch of a larger set has, or none. Use inputs.numbered()."
        )
    return inputs


def require_within_limit(index: Index, needed: int, other: str) -> None:
    """That an index may hold so many bytes; else another one is named that needs fewer."""
    require_within(
        index.memory_limit, needed, f"the {index.name} index", f"Raise the limit, or use the {other} index."
    )


def require_ids(index: Index, batch: Inputs, inputs: Inputs) -> NDArray[np.int32]:
    """The ids of a batch of samples of the training set that a bound index was built on."""
    ids = batch.ids
    if ids is None or not bool(np.all((ids >= 0) & (ids < len(inputs)))):
        raise ValueError(
            f"the {index.name} index answers for samples of the training set it was built on. Got inputs "
            "without their ids, or ids beyond it. Pass inputs.batch(positions) of that set, or "
            "ask the exhaustive index."
        )
    return ids


def typical_size(weights: NDArray) -> float:
    """The root mean square of some weights, as large as a standard deviation of the pre-activations of rows
    of norm 1; 1 where it is out of all measure."""
    with np.errstate(over="ignore"):
        sigma = float(np.sqrt(np.mean(np.square(weights, dtype=np.float64))))
    return sigma if 1e-18 < sigma < 1e18 else 1.0
