"""Who fires? One file a structure, one small abstract base."""

from numpy.typing import ArrayLike

from fewfire.core.inputs import Inputs
from fewfire.indexes import rules
from fewfire.indexes.approximate import ApproximateIndex
from fewfire.indexes.arrangement import arrange
from fewfire.indexes.audit import Audited
from fewfire.indexes.base import Index, OpenIndex, fitting
from fewfire.indexes.correlation_tree import CorrelationTreeByNeuron, CorrelationTreeBySample
from fewfire.indexes.data_tree import DataTreeIndex
from fewfire.indexes.drift import DriftIndex
from fewfire.indexes.exhaustive import ExhaustiveIndex
from fewfire.indexes.grover import GroverIndex
from fewfire.indexes.hashing import HashingIndex
from fewfire.indexes.largest import Largest
from fewfire.indexes.random_pairs import RandomIndex
from fewfire.indexes.screened import ScreenedIndex
from fewfire.indexes.weight_tree import WeightTreeIndex
from fewfire.networks.layer import Layer
from fewfire.system.words import require_one_of

INDEXES: dict[str, type[Index]] = {
    index.name: index
    for index in (
        ExhaustiveIndex,
        ScreenedIndex,
        DriftIndex,
        WeightTreeIndex,
        DataTreeIndex,
        CorrelationTreeBySample,
        CorrelationTreeByNeuron,
        GroverIndex,
        HashingIndex,
    )
}


def index_named(name: str, memory_limit: int | None = None) -> Index:
    """A new index of this name, one of INDEXES.

    Raises
    ------
    ValueError
        There is none.
    """
    require_one_of(name, INDEXES, "the index")
    return INDEXES[name](memory_limit=memory_limit)


def index_for_batches(name: str, n_features: int) -> Index:
    """A new index of this name; with "auto" the one that suits batches of 256 inputs that nobody has seen.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    return index_named(rules.for_new_inputs(rules.NEW_BATCH, n_features) if name == "auto" else name)


def index_for_new_inputs(layer: Layer, inputs: ArrayLike | Inputs) -> Index:
    """The index that is fastest when asked about new inputs, of which these are all; built.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The inputs have another number of features, or another dtype, than the layer.
    """
    inputs = fitting(layer, inputs)
    index = index_named(rules.for_new_inputs(len(inputs), layer.n_features))
    index.build(layer, inputs)
    return index


__all__ = [
    "INDEXES",
    "ApproximateIndex",
    "Audited",
    "CorrelationTreeByNeuron",
    "CorrelationTreeBySample",
    "DataTreeIndex",
    "DriftIndex",
    "ExhaustiveIndex",
    "GroverIndex",
    "HashingIndex",
    "Index",
    "Largest",
    "OpenIndex",
    "RandomIndex",
    "ScreenedIndex",
    "WeightTreeIndex",
    "arrange",
    "index_for_batches",
    "index_for_new_inputs",
    "index_named",
]
