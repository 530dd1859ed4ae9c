"""Run every benchmark, one after the other, then write the tables.

python benchmarks/run_all.py [FOLDER OF FASHION-MNIST]
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
for script in (
    "adversarial",
    "auto",
    "autoattack",
    "tensors",
    "representations",
    "bfloat16",
    "exactness",
    "grid",
    "halfspace",
    "implicit",
    "plan_rates",
    "pool",
    "rank",
    "correlation",
    "data_tree",
    "gauss_newton",
    "grover",
    "hashing",
    "mini_batches",
    "rates",
    "tables_rivals",
    "screened",
    "slide",
    "slope",
    "small_dense",
    "widths",
    "structured",
    "fashion_mnist",
    "targets",
):
    own = (
        "adversarial",
        "auto",
        "autoattack",
        "exactness",
        "grid",
        "halfspace",
        "implicit",
        "plan_rates",
        "pool",
        "rank",
        "correlation",
        "data_tree",
        "grover",
        "hashing",
        "rates",
        "representations",
        "slide",
        "tables_rivals",
        "tensors",
    )
    given = sys.argv[1:] if script not in own else []
    print(f"== {script}", flush=True)
    subprocess.run([sys.executable, HERE / f"{script}.py", *given], check=True)
subprocess.run([sys.executable, HERE / "tables.py"], check=True)
