"""The screened index beside the exhaustive one, on samples that the network was not trained on.

    python benchmarks/screened.py [FOLDER]      about a minute on two cores

Fashion-MNIST, width 2^16, the paper's threshold; fire sets taken in turn, ratios of medians. Each instruction
set has a file of results.
"""

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork
from fewfire.data import load_dataset
from fewfire.indexes import ExhaustiveIndex, Index, ScreenedIndex
from fewfire.prepare import InputScaling
from fewfire.system import machine

WIDTH, BATCHES, TURNS = 65_536, (1, 16, 64, 256, 1024), 9


def seconds_of(index: Index, batch: Inputs) -> float:
    """Of one fire set, after one that is not counted."""
    index.fire_set(batch)
    start = perf_counter()
    index.fire_set(batch)
    return perf_counter() - start


def build_seconds(index: Index, network: TwoLayerNetwork, inputs: Inputs) -> float:
    start = perf_counter()
    index.build(network.layer, inputs)
    return perf_counter() - start


folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(folder)
scaling = InputScaling.fit(dataset.inputs, standardize=False)
inputs = Inputs.of(scaling.transform(dataset.inputs[: max(BATCHES)]))
network = TwoLayerNetwork.initialize(WIDTH, inputs.n_features, 10)

instruction_set = machine.instruction_set()
exhaustive, screened = ExhaustiveIndex(), ScreenedIndex()
exhaustive.build(network.layer, inputs)
build = median(build_seconds(screened, network, inputs) for _ in range(TURNS))
figures = []
for size in BATCHES:
    batch = inputs.batch(np.arange(size))
    assert screened.fire_set(batch).identical(exhaustive.fire_set(batch))
    before = screened.work.copy()
    times = [(seconds_of(exhaustive, batch), seconds_of(screened, batch)) for _ in range(TURNS)]
    whole, ours = (median(column) for column in zip(*times, strict=True))
    work = screened.work - before
    row = {
        "instruction_set": instruction_set,
        "batch_size": size,
        "exhaustive_seconds": whole,
        "screened_seconds": ours,
        "speedup": whole / ours,
        "build_seconds": build,
        "index_bytes": screened.nbytes,
        "fire_rate": work.fired / work.asked,
        "dot_rate": work.dots / work.asked,
    }
    figures.append(row)
    print(f"{size}: {1e3 * whole:.1f} ms, screened {1e3 * ours:.1f} ms, {whole / ours:.2f} x", flush=True)
save(f"screened_{instruction_set}", "python benchmarks/screened.py", figures)
