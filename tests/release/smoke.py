"""What a stranger does first with an installed fewfire. Prints, as JSON, what there was to see.

Run in an empty folder by a Python that has fewfire and what it needs, and nothing else.
"""

import csv
import json
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import distributions, version
from pathlib import Path

import numpy as np

import fewfire
from fewfire.system import machine


def command(*words: str) -> str:
    """What a command prints on standard output."""
    program = Path(sys.executable).with_name("fewfire")
    return subprocess.run([program, *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def trained_weights() -> str:
    """The checksum of the weights of a network that was trained on fixed samples."""
    random = np.random.default_rng(0)
    inputs = random.standard_normal((256, 16))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = np.sign(inputs[:, :1] * inputs[:, 1:2])
    network = fewfire.TwoLayerNetwork.initialize(width=1024, n_features=16, n_outputs=1, seed=0)
    method = fewfire.GradientDescent(learning_rate=100.0)
    start = network.weights.copy()
    fewfire.train(network, inputs, targets, method=method, index="drift", epochs=3, batch_size=64, seed=0)
    assert not np.array_equal(network.weights, start)
    return sha256(network.weights.tobytes()).hexdigest()


def write_table(path: str) -> None:
    """Numbers and a category, and a class that follows from both."""
    random = np.random.default_rng(0)
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["size", "age", "color", "sold"])
        for size, age in random.standard_normal((200, 2)).round(3).tolist():
            color = str(random.choice(["red", "blue"]))
            rows.writerow([size, age, color, "yes" if (size > age) == (color == "red") else "no"])


def without_its_extra() -> str:
    """What is said to someone who asks for an estimator and has no scikit-learn."""
    try:
        return str(fewfire.WideClassifier)
    except ImportError as error:
        return str(error)


def main() -> None:
    write_table("sales.csv")
    command("train", "sales.csv", "--optimizer", "sgd", "--width", "1024", "--out", "runs/sales", "--quiet")
    command("predict", "runs/sales", "sales.csv", "--out", "predicted.csv", "--quiet")
    command("report", "runs/sales", "--quiet")
    seen = {
        "place": str(Path(fewfire.__file__).parent),
        "version": fewfire.__version__,
        "version of the metadata": version("fewfire"),
        "version of the command": command("--version").split()[-1],
        "instruction set": machine.instruction_set(),
        "packages": sorted(distribution.metadata["Name"].lower() for distribution in distributions()),
        "weights": trained_weights(),
        "predicted": len(Path("predicted.csv").read_text().splitlines()),
        "report": Path("runs/sales/report.html").stat().st_size,
        "without its extra": without_its_extra(),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
