"""Training on several processes: how it scales, and what a killed process costs.

    python benchmarks/distributed.py [scaling] [kills]      twelve minutes on two cores, 9 GB

`scaling`: Fashion-MNIST, width 65,536, one thread per process. One and two processes are measured, in turn.
For 4 to 64 a step of so narrow a network is measured, whose neurons fire and move as those of a shard (the
threshold of the whole, and a rate smaller by the root of the share), and what they say to each other is
modelled: the time of two, once per doubling. `kills`: twenty runs on the digits by two processes, one of
which is killed at a random moment; torchrun starts both again.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from math import log2
from pathlib import Path
from statistics import median
from typing import Any

from common import DATA, save
from fewfire.distributed import checkpoints
from fewfire.networks.threshold import threshold_of

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
WIDTH, ROUNDS, SAYINGS, MODELLED = 65_536, 2, 200, (4, 8, 16, 32, 64)
KILLS, EPOCHS = 20, 60

GATHER = f"""
import numpy as np, time
from fewfire.distributed import Group
group, part = Group(), np.zeros((256, 16), np.float32)
taken = []
for _ in range({SAYINGS}):
    start = time.perf_counter()
    group.gathered(part)
    taken.append(time.perf_counter() - start)
if group.rank == 0:
    print(sorted(taken)[{SAYINGS // 2}])
group.leave()
"""


def command(processes: int, *arguments: object, restarts: int = 0) -> list[str]:
    """What runs a module or a file on so many processes."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    return [*torchrun, str(processes), "--max-restarts", str(restarts), *map(str, arguments)]


def training(data: object, out: Path, **options: object) -> list[object]:
    """The arguments that train, with one thread per process."""
    given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    return ["-m", "fewfire.distributed", "train", data, "--out", out, "--threads", 1, *given]


def ended(arguments: Sequence[str]) -> dict[str, Any]:
    """The figures of a training that must come to its end."""
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def scaling(folder: Path) -> list[dict[str, Any]]:
    """Seconds per step by the number of processes."""

    threshold = threshold_of("auto", WIDTH)

    def run(processes: int, width: int, number: int = 0) -> dict[str, Any]:
        out = folder / f"{processes}-{width}-{number}"
        rate = 300 * (width / WIDTH) ** 0.5
        options = {"width": width, "epochs": 2, "learning_rate": rate, "threshold": threshold}
        return ended(command(processes, *training(DATA / "fashion_mnist", out, **options)))

    found = {1: [], 2: []}
    for number in range(ROUNDS):
        for processes, runs in found.items():
            runs.append(run(processes, WIDTH, number))
            print(processes, runs[-1], flush=True)
    assert len({one["weights_sha256"] for runs in found.values() for one in runs}) == 1, "other weights"
    script = folder / "gather.py"
    script.write_text(GATHER)
    said = subprocess.run(command(2, script), env=ENVIRONMENT, capture_output=True, text=True, check=True)
    saying = float(said.stdout)
    seconds = {size: median(one["seconds_per_step"] for one in runs) for size, runs in found.items()}
    rows = [{"processes": size, "seconds": taken, "how": "measured"} for size, taken in seconds.items()]
    for size in MODELLED:
        alone = run(1, WIDTH // size)["seconds_per_step"]
        print(size, alone, flush=True)
        rows.append(
            {"processes": size, "seconds": alone + saying * log2(size), "how": "modelled", "shard": alone}
        )
    return [row | {"speedup": seconds[1] / row["seconds"], "saying": saying} for row in rows]


def killed(folder: Path, number: int) -> tuple[str, int]:
    """The checksum of a training of which one process was killed, and how often it was begun anew."""
    options = {"width": 4096, "epochs": EPOCHS, "batch_size": 128, "learning_rate": 50}
    arguments = command(2, *training("digits", folder / str(number), **options), restarts=3)
    complaints = folder / f"{number}.log"
    with complaints.open("w") as log:
        running = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=log, text=True)
    while checkpoints.latest(folder / str(number)) is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 1.5))
    tasks = Path(f"/proc/{running.pid}/task").glob("*/children")
    os.kill(
        random.choice([int(child) for task in tasks for child in task.read_text().split()]), signal.SIGKILL
    )
    said, _ = running.communicate(timeout=180)
    if running.returncode:
        raise SystemExit(f"run {number} did not come to its end:\n{said}\n{complaints.read_text()}")
    last = said.splitlines()[-1]
    print(number, last, flush=True)
    return json.loads(last)["weights_sha256"], said.count("going on after epoch")


def kills(folder: Path) -> dict[str, int]:
    """How many of the killed runs end with the weights of one that was left alone."""
    random.seed(0)
    options = {"width": 4096, "epochs": EPOCHS, "batch_size": 128, "learning_rate": 50}
    expected = ended(command(1, *training("digits", folder / "whole", **options)))["weights_sha256"]
    runs = [killed(folder, number) for number in range(KILLS)]
    return {
        "killed": len(runs),
        "begun_anew": sum(again > 0 for _, again in runs),
        "same_weights": sum(checksum == expected for checksum, _ in runs),
    }


PARTS = {"scaling": scaling, "kills": kills}
if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as place:
            figures = PARTS[part](Path(place))
        print(figures, flush=True)
        save(f"distributed_{part}", f"python benchmarks/distributed.py {part}", figures)
