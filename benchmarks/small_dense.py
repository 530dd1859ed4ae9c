"""How far a small dense network gets: one hidden layer of 512 plain ReLU neurons, in PyTorch with Adam.

python benchmarks/small_dense.py [FOLDER OF FASHION-MNIST]
"""

import sys
from pathlib import Path

import torch
from torch.nn import Linear, ReLU, Sequential
from torch.nn.functional import cross_entropy

import fewfire
from common import DATA, save
from fewfire import load_dataset

WIDTH, EPOCHS, BATCH_SIZE = 512, 10, 256

data = load_dataset(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist")
inputs, test_inputs = (
    torch.tensor(rows / data.inputs.max(), dtype=torch.float32) for rows in (data.inputs, data.test_inputs)
)
labels, test_labels = (torch.tensor(codes, dtype=torch.int64) for codes in (data.labels, data.test_labels))
torch.set_num_threads(fewfire.threads())
torch.manual_seed(0)
model = Sequential(Linear(inputs.shape[1], WIDTH), ReLU(), Linear(WIDTH, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
accuracies = []
for _ in range(EPOCHS):
    for ids in torch.randperm(len(inputs)).split(BATCH_SIZE):
        optimizer.zero_grad()
        cross_entropy(model(inputs[ids]), labels[ids]).backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(test_inputs).argmax(dim=1) == test_labels).float().mean().item()
    accuracies.append(round(accuracy, 4))
    print(f"epoch {len(accuracies)}: test accuracy {accuracy:.4f}", flush=True)
figures = {
    "width": WIDTH,
    "batch_size": BATCH_SIZE,
    "optimizer": "Adam, rate 1e-3",
    "test_accuracy": accuracies,
}
save("small_dense", "python benchmarks/small_dense.py", figures)
