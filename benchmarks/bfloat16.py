"""Test accuracy after the same three epochs: ours, and dense PyTorch with products or weights of bfloat16.

    python benchmarks/bfloat16.py [FOLDER]      about five minutes on two cores, 5 GB

Fashion-MNIST, width 65,536, batch 256, the threshold and the rate "auto". All start from the same network and
see the same batches.
"""

import sys
from pathlib import Path

import numpy as np
import torch

import fewfire
from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork, predict
from fewfire.data import load_dataset
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.torch import DENSE_STEPS

EPOCHS = 3
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(str(folder))
scaling = InputScaling.fit(dataset.inputs, standardize=False)
inputs = Inputs.of(scaling.transform(dataset.inputs))
test_inputs = Inputs.of(scaling.transform(dataset.test_inputs))
targets = np.eye(10, dtype=np.float32)[dataset.labels.astype(int)]
network = TwoLayerNetwork.initialize(65_536, inputs.n_features, 10, threshold="auto", init="structured")
arrange(network, inputs)
torch.set_num_threads(fewfire.threads())


def accuracy(trained: TwoLayerNetwork) -> float:
    return float((predict(trained, test_inputs).argmax(axis=1) == dataset.test_labels).mean())


trainer = plan_trainer(network, inputs, targets, batch_size=256)
figures = {"epochs": EPOCHS, "learning_rate": trainer.method.learning_rate, "accuracy": {}}  # type: ignore[attr-defined]
rows, labels = torch.from_numpy(inputs.samples), torch.from_numpy(targets)
for name in ("bfloat16", "pure bfloat16"):
    step = DENSE_STEPS[name](trainer.stepper, trainer.stepper.rate_of(0))  # type: ignore[arg-type]
    for epoch in range(1, EPOCHS + 1):
        for ids in trainer.problem.batches(epoch):
            step(rows[ids], labels[ids])
    trained = network.copy()
    trained.weights[:] = step.weights.detach().float().numpy()
    figures["accuracy"][name] = accuracy(trained)
    print(f"{name}: {figures['accuracy'][name]:.4f}", flush=True)
    del step, trained
trainer.build()
for _ in range(EPOCHS):
    trainer.epoch()
figures["accuracy"]["ours"] = accuracy(network)
print(f"ours: {figures['accuracy']['ours']:.4f}", flush=True)
save("bfloat16", "python benchmarks/bfloat16.py", figures)
