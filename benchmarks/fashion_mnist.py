"""The main case: all of Fashion-MNIST, width 65,536, 10 epochs, then steps in turn with dense PyTorch.

python benchmarks/fashion_mnist.py [FOLDER]      about five minutes on two cores, 5 GB
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import DATA, save

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
arguments = ["--width", "65536", "--epochs", "10", "--batch-size", "256", "--memory-limit", "8GB"]
with tempfile.TemporaryDirectory() as out:
    command = [Path(sys.executable).with_name("fewfire"), "train", folder, *arguments]
    run = subprocess.run(
        [*command, "--compare-dense", "40", "--json", "--out", f"{out}/run"],
        stdout=subprocess.PIPE,
        text=True,
    )
    run.check_returncode()
    figures = json.loads(run.stdout) | {"data": "fashion_mnist"}
    history = [json.loads(line) for line in Path(f"{out}/run/history.jsonl").read_text().splitlines()]
save("fashion_mnist", "python benchmarks/fashion_mnist.py", figures | {"epochs_recorded": history})
