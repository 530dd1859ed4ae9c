"""Work share and time per step over widths 2^12 .. 2^18, beside dense PyTorch.

    python benchmarks/widths.py [FOLDER]      about twenty minutes on two cores, 9 GB

Fashion-MNIST, the paper's threshold, batch 256; 16,384 samples, so that the table of the widest fits; two
epochs, then steps in turn.
"""

import sys
from pathlib import Path

from common import DATA, save
from fewfire import TwoLayerNetwork
from fewfire.data import load_dataset
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling
from fewfire.torch import compare_dense

N_SAMPLES, EPOCHS, STEPS = 16_384, 2, 12

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(folder)
inputs = InputScaling.fit(dataset.inputs, standardize=False).transform(dataset.inputs[:N_SAMPLES])
classes = Classes.of(dataset.labels)
targets = classes.one_hot(classes.encode(dataset.labels[:N_SAMPLES]))

figures = []
for power in range(12, 19):
    network = TwoLayerNetwork.initialize(2**power, inputs.shape[1], 10)
    trainer = plan_trainer(network, inputs, targets, batch_size=256)
    trainer.build()
    built = trainer.index.work.copy()
    for _ in range(EPOCHS):
        record = trainer.epoch()
    comparison = compare_dense(trainer, STEPS)
    row = {
        "width": 2**power,
        "threshold": network.threshold,
        "learning_rate": trainer.stepper.learning_rate,
        "fire_rate": record.fire_rate,
        "near_rate": record.near_rate,
        "dot_rate": record.dot_rate,
        "work_share": (trainer.index.work - built).share_of_dense(network.n_features),
        "index_bytes": trainer.index.nbytes,
    } | comparison.as_dict()
    figures.append(row)
    print(
        f"width {row['width']:>7,}: fires {row['fire_rate']:.2%}, work {row['work_share']:.2%}, "
        f"{1e3 * row['seconds_per_step']:.1f} ms, dense {1e3 * row['dense_seconds_per_step']:.1f} ms, "
        f"{row['speedup']:.1f} / {row['bfloat16_speedup']:.1f} x",
        flush=True,
    )
    del trainer, network
save("widths", "python benchmarks/widths.py", figures)
