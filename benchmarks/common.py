"""What all benchmarks share: the machine they ran on, and where results go."""

import json
import platform
import subprocess
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

import fewfire
from fewfire.system.machine import instruction_set

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"  # or give another folder on the command line


def machine() -> dict[str, Any]:
    """Everything that a figure depends on besides the code."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=RESULTS, check=False
    ).stdout.strip()
    return {
        "date": date.today().isoformat(),
        "commit": commit,
        "processor": models[0] if models else platform.processor(),
        "threads": fewfire.threads(),
        "instruction_set": instruction_set(),
        "fewfire": fewfire.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16; else they take many times as long."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def save(name: str, command: str, figures: Any) -> None:
    """Write one result file, with the command that made it."""
    RESULTS.mkdir(exist_ok=True)
    content = {"command": command, "machine": machine(), "figures": figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: {RESULTS / name}.json")


def unit_rows(n: int, n_features: int, seed: int = 0) -> np.ndarray:
    """Random inputs on the unit sphere, (n, n_features) float32."""
    rows = np.random.default_rng(seed).standard_normal((n, n_features))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def one_hot(n: int, n_classes: int = 10, seed: int = 0) -> np.ndarray:
    """Random one-hot targets, (n, n_classes) float32."""
    return np.eye(n_classes, dtype=np.float32)[np.random.default_rng(seed).integers(0, n_classes, n)]


def timed_step(trainer: fewfire.Trainer, ids: np.ndarray) -> dict[str, float]:
    """Seconds of a training step on these samples, and of its parts."""
    before, start = dict(trainer.stepper.seconds), perf_counter()
    trainer.step(ids)
    parts = {part: trainer.stepper.seconds[part] - before[part] for part in before}
    return parts | {"step": perf_counter() - start}
