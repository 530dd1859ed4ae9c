"""Does the kernel report foretell training, how long does it take, and what does depth do to memory?

    python benchmarks/kernel_report.py      about four minutes on two cores, 1 GB

- The loss of full-batch descent, foretold from the network's own kernel and recorded, on 500 pictures of four
  classes of Fashion-MNIST at 14 x 14 pixels; and what the limit of great width would have foretold.
- Epochs to a twentieth of the first loss in batches of 256, foretold and trained, on six sets.
- Seconds and memory of the report of 1,024 and 4,096 samples at width 65,536, and of a kernel of many layers.
- Condition, effective rank and errors by depth and threshold, on 1,500 pictures, all layers trained.
"""

from time import perf_counter
from typing import Any

import numpy as np

from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork
from fewfire.data import load_dataset
from fewfire.diagnose import Foretold, kernel_report
from fewfire.networks.near_kernel import near_kernel_network
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling
from fewfire.prepare.scores import targets_of
from fewfire.system.memory import peak_bytes
from fewfire.tangent import Layers
from fewfire.training import GradientDescent

FASHION = DATA / "fashion_mnist"
STEPS = (10, 50, 200)
SETS = {  # of the epochs to a twentieth of the loss
    "digits": "digits",
    "optdigits": DATA / "pmlb_classification" / "optdigits.tsv.gz",
    "mfeat_pixel": DATA / "pmlb_classification" / "mfeat_pixel.tsv.gz",
    "pendigits": DATA / "pmlb_classification" / "pendigits.tsv.gz",
    "fashion_mnist": FASHION,
    "letter": DATA / "pmlb_classification" / "letter.tsv.gz",
}
ROWS, BATCH, MOST_EPOCHS, REACHED = 1000, 256, 2000, 0.05


def small_pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pictures of four classes, of 14 x 14 pixels, as unit-norm rows; one-hot targets."""
    dataset = load_dataset(str(FASHION))
    labels = dataset.labels.astype(int)
    ids = np.flatnonzero(labels < 4)[:count]
    pictures = dataset.inputs[ids].reshape(-1, 14, 2, 14, 2).astype(float).mean(axis=(2, 4))
    rows = pictures.reshape(count, -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), np.eye(4)[labels[ids]]


def curves() -> list[dict[str, Any]]:
    rows, targets = small_pictures(500)
    inputs, found = Inputs.of(rows), []
    for threshold, width in ((1.0, 2048), (1.0, 8192), (2.0, 2048), (2.0, 8192)):
        network = near_kernel_network(width, rows.shape[1], 4, threshold=threshold)
        report = kernel_report(network, inputs, targets)
        limit = Layers(1, threshold)
        size = float(np.square(network.output_weights).mean()) * limit.size
        values, vectors = np.linalg.eigh(size * limit.kernel(inputs.inner_products))
        of_limit = Foretold.of_all(values, vectors, targets, report.foretold.rate)
        method = GradientDescent(learning_rate=report.foretold.rate)
        trainer = plan_trainer(network, inputs, targets, method=method, index="exhaustive", batch_size=500)
        trainer.build()
        losses = [trainer.epoch().loss for _ in range(max(STEPS) + 1)]  # each before its step
        after = kernel_report(network, inputs, targets)
        found.append(
            {
                "threshold": threshold,
                "width": width,
                "recorded": [losses[step] / losses[0] for step in STEPS],
                "own kernel": [report.foretold.loss_after(step) / losses[0] for step in STEPS],
                "limit": [of_limit.loss_after(step) / losses[0] for step in STEPS],
                "own_to_limit": report.own_to_limit,
                "condition after over before": after.condition / report.condition,
            }
        )
        print(found[-1])
    return found


def epochs_foretold() -> list[dict[str, Any]]:
    found = []
    for name, source in SETS.items():
        dataset = load_dataset(str(source), task="classification")
        rows = InputScaling.fit(dataset.inputs[:ROWS], standardize=dataset.tabular).transform(
            dataset.inputs[:ROWS]
        )
        classes = Classes.of(dataset.labels[:ROWS])
        targets = targets_of(classes, dataset.labels[:ROWS], "squared")
        network = near_kernel_network(16_384, rows.shape[1], targets.shape[1], threshold=1.0)
        inputs = Inputs.of(rows)
        trainer = plan_trainer(network, inputs, targets, batch_size=BATCH)
        rate = float(trainer.method.learning_rate)
        report = kernel_report(network, inputs, targets, rate=rate)
        per_epoch = trainer.problem.steps_per_epoch
        foretold = report.foretold.steps_to(REACHED) * BATCH / len(inputs)
        trainer.build()
        first = report.foretold.loss_after(0)
        last, before, epochs = 0, first, None
        for epoch in range(1, MOST_EPOCHS + 1):
            trainer.epoch()
            if epoch % max(1, epoch // 50):  # a look costs as much as an epoch
                continue
            outputs = network.outputs(trainer.asking.fire_set(inputs.batch(np.arange(len(inputs)))))
            loss = float(np.square(outputs - targets).sum(axis=1).mean() / 2)
            if loss <= REACHED * first:
                share = np.log(before / (REACHED * first)) / np.log(before / loss)
                epochs = float(last + share * (epoch - last))
                break
            last, before = epoch, loss
        found.append(
            {
                "set": name,
                "rate": rate,
                "steps per epoch": per_epoch,
                "foretold": foretold,
                "trained": epochs,
            }
        )
        print(found[-1])
    return found


def timings() -> list[dict[str, Any]]:
    dataset = load_dataset(str(FASHION))
    rows = InputScaling.fit(dataset.inputs, standardize=False).transform(dataset.inputs)
    inputs, targets = Inputs.of(rows), np.eye(10)[dataset.labels.astype(int)]
    network = TwoLayerNetwork.initialize(65_536, rows.shape[1], 10)
    found = []
    for samples in (1024, 4096):
        before, begin = peak_bytes(), perf_counter()
        report = kernel_report(network, inputs, targets, samples=samples)
        seconds = perf_counter() - begin
        found.append({"what": f"report of {samples} samples", "seconds": seconds,
                      "bytes": peak_bytes() - before, "condition": report.condition})  # fmt: skip
        print(found[-1])
    products = inputs.batch(np.arange(4096)).inner_products
    for depth in (3, 16):
        begin = perf_counter()
        Layers(depth, 1.0, trained="all").kernel(products)
        found.append({"what": f"limit of {depth} layers, 4,096 x 4,096", "seconds": perf_counter() - begin})
        print(found[-1])
    return found


def depths() -> list[dict[str, Any]]:
    dataset = load_dataset(str(FASHION))
    scaling = InputScaling.fit(dataset.inputs[:1500], standardize=False)
    rows = scaling.transform(dataset.inputs[:1500]).astype(np.float64)
    tests = scaling.transform(dataset.test_inputs[:1000]).astype(np.float64)
    targets, labels = np.eye(10)[dataset.labels[:1500].astype(int)], dataset.test_labels[:1000].astype(int)
    found = []
    for threshold, depth in ((0.0, 1), (0.0, 3), (0.0, 6), (1.0, 1), (1.0, 3), (1.0, 6), (2.0, 1), (2.0, 2),
                             (2.0, 3), (2.0, 6)):  # fmt: skip
        layers = Layers(depth, threshold, trained="all")
        report = kernel_report(layers, rows, targets, samples=1500)
        kernel = layers.kernel(rows @ rows.T)
        kernel.flat[::1501] += report.ridge / layers.size
        mean = targets.mean(axis=0)
        outputs = layers.kernel(tests @ rows.T) @ np.linalg.solve(kernel, targets - mean) + mean
        found.append(
            {
                "threshold": threshold,
                "depth": depth,
                "condition": report.condition,
                "effective_rank": report.effective_rank,
                "leave_one_out": report.leave_one_out,
                "variance": report.variance,
                "memory_depth": min(report.memory_depth or 0.0, 1e9),
                "test accuracy": float(np.mean(outputs.argmax(axis=1) == labels)),
            }
        )
        print(found[-1])
    return found


if __name__ == "__main__":
    save(
        "kernel_report",
        "python benchmarks/kernel_report.py",
        {"curves": curves(), "epochs": epochs_foretold(), "timings": timings(), "depths": depths()},
    )
