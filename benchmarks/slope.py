"""How does the time of a step grow with the width? The slope of its logarithm over widths 2^13 .. 2^18.

    python benchmarks/slope.py [FOLDER]      about five minutes on two cores, 11 GB

8,192 samples of Fashion-MNIST, the paper's threshold, batches of 4,096. One step of each width in turn.
"""

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from common import DATA, save
from fewfire import Inputs, Trainer, TwoLayerNetwork
from fewfire.data import load_dataset
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling

N_SAMPLES, BATCH, STEPS, POWERS = 8_192, 4_096, 10, range(13, 19)

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(folder)
scaling = InputScaling.fit(dataset.inputs, standardize=False)
inputs = Inputs.of(scaling.transform(dataset.inputs[:N_SAMPLES]))
classes = Classes.of(dataset.labels)
targets = classes.one_hot(classes.encode(dataset.labels[:N_SAMPLES]))

trainers: list[Trainer] = []
for power in POWERS:
    network = TwoLayerNetwork.initialize(2**power, inputs.n_features, targets.shape[1], init="structured")
    arrange(network, inputs)
    trainers.append(plan_trainer(network, inputs, targets, batch_size=BATCH))
    trainers[-1].build()
    print(f"width {2**power:>7,}: built", flush=True)

seconds: list[list[float]] = [[] for _ in trainers]
batches = trainers[0].problem.batches(1)
for step in range(STEPS + 2):
    ids, next_ids = batches[step % 2], batches[(step + 1) % 2]
    for times, trainer in zip(seconds, trainers, strict=True):
        start = perf_counter()
        trainer.step(ids, next_ids)
        times.append(perf_counter() - start)
medians = [median(times[2:]) for times in seconds]  # the first two find cold memory
widths = [trainer.network.width for trainer in trainers]
slope = float(np.polyfit(np.log(widths), np.log(medians), 1)[0])
rows = [
    {
        "width": trainer.network.width,
        "seconds_per_step": time,
        "fire_rate": trainer.index.work.fired / trainer.index.work.asked,
        "dot_rate": trainer.index.work.dots / trainer.index.work.asked,
    }
    for trainer, time in zip(trainers, medians, strict=True)
]
for row in rows:
    print(f"width {row['width']:>7,}: {1e3 * row['seconds_per_step']:.1f} ms, fires {row['fire_rate']:.2%}")
print(f"slope {slope:.3f}")
save("slope", "python benchmarks/slope.py", {"slope": slope, "widths": rows})
