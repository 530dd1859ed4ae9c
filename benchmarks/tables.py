"""Write the tables of README.md and docs/ from benchmarks/results/; with --check, only compare.

python benchmarks/tables.py [--check]
"""

import json
import re
import sys
from collections.abc import Callable
from math import expm1
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "docs/benchmarks.md",
    "docs/decisions/0003-own-thread-pool.md",
    "docs/howto/tables.md",
    "docs/theory/data_tree.md",
    "docs/theory/gauss_newton.md",
    "docs/theory/grover.md",
    "docs/theory/halfspace.md",
    "docs/systems.md",
    "docs/when_approximate.md",
    "docs/theory/learning_rate.md",
    "docs/theory/ranking.md",
    "docs/theory/tensors.md",
    "docs/when_not.md",
)


def result(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}" if seconds < 0.1 else f"{1e3 * seconds:.0f}"


def ratios(of_float32: float, of_bfloat16: float | None, aims: list[float] | None = None) -> str:
    text = f"**{of_float32:.1f}**" + (f" / {of_bfloat16:.1f}" if of_bfloat16 else "")
    return text if aims is None else f"{text} ({aims[0]:.0f} / {aims[1]:.0f})"


def made_by(content: dict[str, Any]) -> str:
    machine = content["machine"]
    return (
        f"Made by `{content['command']}`: {machine['processor']}, {machine['threads']} threads, "
        f"{machine['instruction_set']}, PyTorch {machine['torch']}, {machine['date']}."
    )


def fashion() -> str:
    content = result("fashion_mnist")
    run = content["figures"]
    steps, our_run = run["steps"], run["build_seconds"] + run["training_seconds"]
    dense, rounded = run["dense_seconds_per_step"], run["bfloat16_seconds_per_step"]
    rows = [
        ["a training step", f"{milliseconds(run['seconds_per_step'])} ms", f"{milliseconds(dense)} ms",
         f"{milliseconds(rounded)} ms", f"**{run['speedup']:.1f} x** / {run['bfloat16_speedup']:.1f} x"],
        ["the whole run: index, 10 epochs, refreshes", f"{our_run:.0f} s", f"{dense * steps:.0f} s",
         f"{rounded * steps:.0f} s",
         f"**{run['whole_run_speedup']:.1f} x** / {run['bfloat16_whole_run_speedup']:.1f} x"],
        ["multiply-adds (build and refreshes included)", f"{run['work_share']:.1%}", "100 %", "100 %", ""],
        ["pairs that fire", f"{run['fire_rate']:.1%}", f"{run['fire_rate']:.1%}", "", ""],
        ["test accuracy", f"{run['test_accuracy']:.4f}", "the same function", "", ""],
        ["peak memory", f"{run['peak_memory_bytes'] / 1e9:.1f} GB", "", "", ""],
    ]  # fmt: skip
    pure = run["pure_bfloat16_seconds_per_step"]
    return (
        table(
            ["Fashion-MNIST, 60,000 samples, width 65,536, batch 256", "fewfire", "PyTorch, float32",
             "PyTorch, bfloat16", "ratios"],
            rows,
        )
        + f"\n\n{made_by(content)} Each dense step is the fastest of several ways to write it: "
        f"`{run['dense_step']}` in float32, `{run['bfloat16_step']}` with products of bfloat16, rounded as "
        f"under torch.autocast. With weights of bfloat16, too, a step takes {milliseconds(pure)} ms "
        f"({run['pure_bfloat16_speedup']:.1f} x) and computes another function. A dense run is its step "
        f"times {steps:,}."
    )  # fmt: skip


def whole_runs() -> str:
    """Runs of one, three and ten epochs of the main case, their index included."""
    content = result("fashion_mnist")
    run, rows = content["figures"], []
    for epochs in (1, 3, 10):
        recorded = run["epochs_recorded"][:epochs]
        seconds = run["build_seconds"] + sum(record["seconds"] for record in recorded)
        steps = sum(record["steps"] for record in recorded)
        dense, rounded = (run[f"{name}seconds_per_step"] * steps for name in ("dense_", "bfloat16_"))
        rows.append(
            [str(epochs), f"{run['build_seconds']:.1f} s", f"{seconds:.1f} s", f"{dense:.0f} s",
             f"{rounded:.0f} s", ratios(dense / seconds, rounded / seconds)]
        )  # fmt: skip
    header = ["epochs", "index", "whole run", "float32", "bfloat16", "ratios"]
    return table(header, rows) + "\n\n" + made_by(content)


SEARCHES = {"ours": "all", "candidates": "candidates"}


def attacks() -> str:
    content = result("adversarial")
    rows = []
    for kind, name in (("attack", "an attack step"), ("training", "a training step of 7 attack steps")):
        for row in content["figures"]:
            dense = [row[precision][f"{kind}_seconds"] for precision in ("float32", "bfloat16")]
            for ours, search in SEARCHES.items():
                seconds = row["seconds"][f"{kind}: {ours}"]
                rows.append(
                    [name, f"{row['width']:,}", f"{row['fire_rate']:.1%}", search, milliseconds(seconds),
                     *map(milliseconds, dense), ratios(*(each / seconds for each in dense))]
                )  # fmt: skip
    header = ["step", "width", "fires", "neurons looked at", "fewfire", "float32", "bfloat16", "ratios"]
    return table(header, rows) + "\n\n" + made_by(content)


def attack_ways() -> str:
    figures = result("adversarial")["figures"]
    ways = [way for way in figures[0]["seconds"] if way.split(": ")[1] not in SEARCHES]
    rows = [[way, *(milliseconds(row["seconds"][way]) for row in figures)] for way in ways]
    return table(["dense step", *(f"width {row['width']:,}" for row in figures)], rows)


def robust_schemes() -> str:
    content = result("robust_schemes")
    rows = [
        [row["scheme"], str(row["epochs"]), f"{row['steps']:,}", f"{row['fire_rate']:.1%}",
         f"{row['clean']:.3f}", f"{row['robust']:.3f}"]
        for row in content["figures"]
    ]  # fmt: skip
    header = ["training", "epochs", "steps", "fires", "clean", "robust"]
    return table(header, rows) + "\n\n" + made_by(content)


def certify() -> str:
    content = result("certify")
    rows = [
        [f"{row['width']:,}", f"{row['threshold']:g}", f"{row['radius']:g}",
         *(f"{row[name]:.0%}" for name in ("clean", "attacked", "certified", "interval")),
         f"{row['undecided']:.1%}"]
        for row in content["figures"]["rows"]
    ]  # fmt: skip
    header = ["width", "threshold", "radius", "clean", "attacked", "certified", "by intervals", "undecided"]
    return table(header, rows) + "\n\n" + made_by(content)


def certify_cost() -> str:
    cost = result("certify")["figures"]["cost"]
    return (
        f"{cost['samples']:,} pictures at width 65,536, threshold 2.36 and radius 0.01: "
        f"{cost['certified']:.1%} certified in {cost['seconds']:.0f} s. Multiply-adds in floating point are "
        f"{cost['work_share']:.1%} of those of dense intervals, and the byte products of the search "
        f"{cost['byte_share']:.0%}; dense intervals take {cost['dense_interval_seconds']:.1f} s, and prove "
        "less."
    )


def torch_module(name: str) -> str:
    content = result(name)
    run = content["figures"]
    rows = [
        [row["way"], milliseconds(row["seconds"]), ratios(row["speedup"], row["bfloat16_speedup"])]
        for row in run["rows"]
    ]
    rows += [
        [f"dense, {precision}: {way}", milliseconds(run["dense"][precision]), ""]
        for precision, way in run["fastest"].items()
    ]
    return table(["step", "ms", "ratios"], rows) + "\n\n" + made_by(content)


def implicit() -> str:
    content = result("implicit")
    rows = [
        [name, f"{row['parameters']:,}", f"{row['clean']:.3f}",
         " / ".join(f"{share:.3f}" for share in row["certified"].values()), f"{row['attacked']:.3f}",
         f"{row['seconds']:.0f}"]
        for name, row in content["figures"].items()
    ]  # fmt: skip
    header = ["net", "parameters", "clean", "certified at 0.025 / 0.05 / 0.1", "right under attack, 0.05",
              "seconds"]  # fmt: skip
    return table(header, rows) + "\n\n" + made_by(content)


def encoding() -> str:
    content = result("autoencoder")
    found = content["figures"]["encoding"]
    rows = [
        [row["way"], row["precision"], milliseconds(row["seconds"]),
         f"{row['seconds'] / found[0]['seconds']:.1f}", f"{row['extra_bytes'] / 2**20:.0f}"]
        for row in found
    ]  # fmt: skip
    return table(["encoder", "precision", "ms", "ratio", "MB"], rows) + "\n\n" + made_by(content)


def autoencoder() -> str:
    content = result("autoencoder")
    found = content["figures"]["training"]
    rows = [
        [row["way"], row["precision"], milliseconds(row["seconds"]),
         f"{row['seconds'] / found[0]['seconds']:.1f}", f"{row['error']:.4f}", f"{row['fire']:.0f}"]
        for row in found
    ]  # fmt: skip
    return table(["step", "precision", "ms", "ratio", "error", "latents that fire"], rows)


def latents() -> str:
    rows = [
        [f"{row['fires_on']:,}", "; ".join(row["most"])]
        for row in result("autoencoder")["figures"]["latents"]
    ]
    return table(["fires on", "questions on which it fires most"], rows)


def distributed() -> str:
    content = result("distributed_scaling")
    rows = [
        [str(row["processes"]), milliseconds(row["seconds"]), f"{row['speedup']:.2f}", row["how"]]
        for row in content["figures"]
    ]
    return table(["processes", "ms per step", "ratio", ""], rows) + "\n\n" + made_by(content)


def distributed_kills() -> str:
    content = result("distributed_kills")
    run = content["figures"]
    said = (
        f"Of {run['killed']} trainings of which a random process was killed at a random moment, "
        f"{run['begun_anew']} went on from a checkpoint, and {run['same_weights']} ended with the weights of "
        "one that was left alone, bit for bit."
    )
    return f"{said} {made_by(content)}"


def deep_steps() -> str:
    measured = [result(f"deep_steps_{part}") for part in
                ("2048_2048_8192_8192", "65536_4096", "8192_8192_large_batch")]  # fmt: skip
    rows = [
        [widths_of(row), f"{row['batch']:,}", milliseconds(row["seconds"]),
         f"{milliseconds(row['dense_seconds'])} / {milliseconds(row['bfloat16_seconds'])}",
         " / ".join(milliseconds(row["bare_products"][kind]) for kind in ("float32", "bfloat16")),
         f"{ratios(row['speedup'], row['bfloat16_speedup'])} ({' / '.join(AIMS_OF_DEEP[row['shape']])})"]
        for content in measured for row in content["figures"]
    ]  # fmt: skip
    header = ["widths", "batch", "ms per step", "dense, float32 / bfloat16", "its products alone",
              "ratios (aims)"]  # fmt: skip
    commands = "`, `".join(content["command"] for content in measured)
    return table(header, rows) + "\n\n" + made_by(measured[0] | {"command": commands})


AIMS_OF_DEEP = {  # times as fast as the best of float32, and of bfloat16
    "8192-8192": ("2.8", "1.5"), "8192-8192-large-batch": ("3.5", "1.8"), "65536-4096": ("3", "1.6"),
    "2048-2048": ("1", "none"),
}  # fmt: skip


def widths_of(row: dict[str, Any]) -> str:
    return " - ".join(f"{width:,}" for width in row["widths"])


def deep_fashion() -> str:
    content = result("deep_fashion")
    rows = [
        [widths_of(row), f"{row['accuracy']:.4f}", f"{row['loss']:.4f}",
         " and ".join(f"{first:.2%} -> {last:.2%}" for first, last in
                      zip(row["fire_rates"][0], row["fire_rates"][-1], strict=True))]
        for row in content["figures"]
    ]  # fmt: skip
    header = ["widths", "test accuracy", "training loss", "pairs that fire in the first and the last epoch"]
    return table(header, rows) + "\n\n" + made_by(content)


def deep_tables() -> str:
    content = result("deep_tables")
    rows = [[row["data"], widths_of(row), f"{row['r2']:.4f}", f"{row['loss']:.4f}"]
            for row in content["figures"]]  # fmt: skip
    header = ["data", "widths", "R squared on test rows", "training loss"]
    return table(header, rows) + "\n\n" + made_by(content)


def autoattack() -> str:
    content = result("autoattack")
    run = content["figures"]
    ours = [
        [f"ours, objective {one['objective']}", f"{one['robust']:.1%}", f"{one['seconds']:.0f}"]
        for one in run["ours"]
    ]
    theirs = [
        [f"AutoAttack: after {one['attack']}", f"{one['robust']:.1%}", f"{one['seconds']:.0f}"]
        for one in run["autoattack"]
    ]
    moves = {name: 255 * move for name, move in run["median_least_move"].items()}
    text = (
        f"{run['clean']:.1%} of the {run['samples']} are right as they are. FAB finds the nearest wrong "
        f"point of a sample at {moves['module']:.3f} / 255 (median) through the module, and at "
        f"{moves['dense']:.3f} / 255 on the same network in dense PyTorch, whose inputs are not rounded."
    )
    return table(["attack", "stay right", "seconds"], ours + theirs) + f"\n\n{text} {made_by(content)}"


def widths() -> str:
    content = result("widths")
    rows = [
        [f"{row['width']:,}", f"{row['fire_rate']:.2%}", f"{row['dot_rate']:.2%}", f"{row['work_share']:.2%}",
         milliseconds(row["seconds_per_step"]), milliseconds(row["dense_seconds_per_step"]),
         milliseconds(row["bfloat16_seconds_per_step"]), ratios(row["speedup"], row["bfloat16_speedup"])]
        for row in content["figures"]
    ]  # fmt: skip
    header = ["width", "fires", "needs a dot", "work share", "ms per step", "float32 ms", "bfloat16 ms",
              "ratios"]  # fmt: skip
    return table(header, rows) + f"\n\n{made_by(content)}"


def bold_below_1(ratio: float) -> str:
    return f"**{ratio:.2f}**" if ratio < 1 else f"{ratio:.1f}"


def grid() -> str:
    content = result("grid")
    cells = {
        (row["width"], row["n_features"], row["batch_size"], row["fire_rate_at_start"]): (
            row["speedup"],
            row["bfloat16_speedup"],
        )
        for row in content["figures"]
    }
    rates = sorted({key[3] for key in cells})
    rows = []
    for width, features, batch in sorted({key[:3] for key in cells}):
        shown = [" / ".join(map(bold_below_1, cells[width, features, batch, rate])) for rate in rates]
        rows.append([f"{width:,}", str(features), str(batch), *shown])
    header = ["width", "features", "batch", *(f"{rate:.0%} fire" for rate in rates)]
    return table(header, rows) + f"\n\nBold: dense PyTorch wins. {made_by(content)}"


def dense_wins() -> str:
    """The grid by what makes dense win."""
    content = result("grid")
    groups: dict[str, Callable[[dict[str, Any]], bool]] = {
        "batches of 32": lambda row: row["batch_size"] == 32,
        "widths of 256 and 1,024": lambda row: row["width"] <= 1024,
        "half of the pairs fire": lambda row: row["fire_rate_at_start"] == 0.5,
        "a quarter fires": lambda row: row["fire_rate_at_start"] == 0.25,
        "batches of 256, widths from 16,384 on, 10% fire or less": lambda row: (
            row["batch_size"] == 256 and row["width"] >= 16_384 and row["fire_rate_at_start"] <= 0.1
        ),
        "all": lambda row: True,
    }
    rows = []
    for name, belongs in groups.items():
        found = [row for row in content["figures"] if belongs(row)]
        row = [name, str(len(found))]
        for precision in ("", "bfloat16_"):
            beside = [one[f"{precision}speedup"] for one in found]
            row += [str(sum(ratio < 1 for ratio in beside)), f"{median(beside):.2f}",
                    f"{min(beside):.2f} .. {max(beside):.2f}"]  # fmt: skip
        rows.append(row)
    header = ["cases with", "cases", "float32 wins in", "float32 / ours: median", "from .. to",
              "bfloat16 wins in", "bfloat16 / ours: median", "from .. to"]  # fmt: skip
    return f"{table(header, rows)}\n\n{made_by(content)}"


def exactness() -> str:
    content = result("exactness")
    equal = content["figures"]["bit_equality"]
    n_equal = sum(row["equal_to_exhaustive"] for row in equal)
    sets = ", ".join(dict.fromkeys(row["instruction_set"] for row in equal))
    rows = [
        [row["rival"], f"{row['width']:,}", f"{row['pairs']:,}", f"{row['pairs_in_rounding_band']:,}",
         f"{row['pairs_decided_differently']:,}", f"{row['of_those_not_explained']:,}",
         f"{row['max_weight_difference_step_1']:.1e}", f"{row['max_weight_difference_step_200']:.1e}"]
        for row in content["figures"]["beside_dense"]
    ]  # fmt: skip
    header = ["beside", "width", "pairs", "in the rounding band", "decided differently", "not explained",
              "weights apart, step 1", "step 200"]  # fmt: skip
    return (
        "Through the drift index the weights after 200 steps have the bytes of those through the exhaustive "
        f"one in {n_equal} of {len(equal)} runs (widths 1, 1,000 and 16,384; 1, 2 and 3 threads; {sets}).\n\n"
        + table(header, rows)
        + f"\n\n{made_by(content)}"
    )


def screened() -> str:
    contents = [result(f"screened_{name}") for name in ("avx512", "avx2")]
    rows, builds = [], []
    for content in contents:
        name = content["machine"]["instruction_set"]
        figures = [row for row in content["figures"] if row["instruction_set"] == name]
        rows += [
            [name, f"{row['batch_size']:,}", f"{row['fire_rate']:.2%}", f"{row['dot_rate']:.2%}",
             milliseconds(row["exhaustive_seconds"]), milliseconds(row["screened_seconds"]),
             f"{row['speedup']:.1f}"]
            for row in figures
        ]  # fmt: skip
        size, seconds = figures[0]["index_bytes"] / 1e6, milliseconds(figures[0]["build_seconds"])
        builds.append(f"The index of {size:.0f} MB is built in {seconds} ms with {name}. {made_by(content)}")
    header = ["", "batch", "fires", "needs a dot", "exhaustive ms", "screened ms", "ratio"]
    return "\n\n".join([table(header, rows), *builds])


def correlation() -> str:
    content = result("correlation")
    ways = ["correlation_tree_by_sample, Gram", "correlation_tree_by_sample, recomputed",
            "correlation_tree_by_neuron, Gram", "correlation_tree_by_neuron, recomputed"]  # fmt: skip
    rows = []
    for row in content["figures"]:
        indexes, dense = row["indexes"], row["dense_step"]
        pairs = row["n_samples"] * row["width"] * row["n_features"]
        cells = []
        for way in ways:
            spent = indexes[way]
            update = spent["move"] - indexes["exhaustive"]["move"]  # which has nothing to update
            cell = f"{milliseconds(spent['step'])} ({max(update, 0) / dense:.2f})"
            cells.append(f"**{cell}**" if spent["step"] > dense else cell)
        counted = [f"{indexes[way]['update_multiply_adds'] / pairs:.2f}" for way in ways[:2]]
        rows.append(
            [str(row["n_features"]), f"{row['width']:,}", str(row["n_samples"]), f"{row['fire_rate']:.1%}",
             f"{row['moved_share']:.0%}", *counted, *cells, milliseconds(indexes["exhaustive"]["step"]),
             milliseconds(indexes["drift"]["step"]), milliseconds(dense)]
        )  # fmt: skip
    header = ["features", "width", "samples", "fire", "neurons moved", "Gram: of m n d", "anew: of m n d",
              "by sample, Gram", "by sample, anew", "by neuron, Gram", "by neuron, anew", "exhaustive",
              "drift", "dense PyTorch"]  # fmt: skip
    return f"{table(header, rows)}\n\n{made_by(content)}"


def structured() -> str:
    content = result("structured")
    rows = []
    for case in content["figures"]["comparisons"]:
        for init in ("gaussian", "structured"):
            runs = [run for run in case["runs"] if run["init"] == init]

            def mean(name: str, runs: list[dict[str, Any]] = runs) -> float:
                return sum(run[name] for run in runs) / len(runs)

            accuracies = [run["test_accuracy"] for run in runs]
            rows.append(
                [case["data"], f"{case['width']:,}", init, f"{mean('test_accuracy'):.4f}",
                 f"{min(accuracies):.4f} .. {max(accuracies):.4f}", f"{mean('fire_rate_at_start'):.2%}",
                 f"{mean('fire_rate_at_end'):.2%}", f"{mean('learning_rate'):.0f}",
                 f"{case['kernel_differences'][f'gaussian and {init}']:.3f}"]
            )  # fmt: skip
    header = ["data", "width", "initial weights", "test accuracy", "of the seeds", "fire at first",
              "at the end", "learning rate", "kernel from another Gaussian one"]  # fmt: skip
    seconds = {init: min(turns) for init, turns in content["figures"]["build_seconds"].items()}
    return (
        table(header, rows)
        + f"\n\nThe index on all of Fashion-MNIST at width {content['figures']['build_width']:,} is built in "
        f"{seconds['gaussian']:.1f} s from Gaussian weights and in {seconds['structured']:.1f} s from "
        f"structured ones: **{seconds['gaussian'] / seconds['structured']:.1f} x**, the better of two turns "
        f"each. {made_by(content)}"
    )


def targets() -> str:
    content = result("targets")
    rows = []
    for row in content["figures"]:
        rows.append(
            [row["name"], f"{row['samples']:,}", f"{row['width']:,}", str(row["batch_size"]),
             f"{row['fire_rate']:.1%}", f"{row['dot_rate']:.1%}", milliseconds(row["seconds_per_step"]),
             milliseconds(row["dense_seconds_per_step"]), milliseconds(row["bfloat16_seconds_per_step"]),
             milliseconds(row["pure_bfloat16_seconds_per_step"]),
             ratios(row["speedup"], row["bfloat16_speedup"], row["step_targets"]),
             ratios(row["run_speedup"], row["bfloat16_run_speedup"], row["run_targets"]),
             f"{row['times_the_limit']:.1f}", f"{row['test_accuracy']:.3f}",
             f"{row['peak_memory_bytes'] / 1e9:.1f} GB"]
        )  # fmt: skip
    header = ["case", "samples", "width", "batch", "fires", "needs a dot", "ms per step", "float32 ms",
              "bfloat16 ms", "pure bfloat16 ms", "step: ratios (aims)", "whole run: ratios (aims)",
              "times the limit", "test accuracy", "peak memory"]  # fmt: skip
    return table(header, rows) + f"\n\n{made_by(content)}"


def slope() -> str:
    content = result("slope")
    rows = [
        [f"{row['width']:,}", f"{row['fire_rate']:.2%}", f"{row['dot_rate']:.2%}",
         milliseconds(row["seconds_per_step"])]
        for row in content["figures"]["widths"]
    ]  # fmt: skip
    header = ["width", "fires", "needs a dot", "ms per step"]
    return (
        f"{table(header, rows)}\n\nThe time grows as the width to the power "
        f"**{content['figures']['slope']:.2f}**. {made_by(content)}"
    )


def grover() -> str:
    content = result("grover")
    rows = []
    for row in content["figures"]["widths"]:
        finding = row["queries"] - row["of_the_last_search"]
        rows.append(
            [f"{row['width']:,}", f"{row['fire']:,.0f}", f"{row['queries']:,.0f}",
             f"{row['expected_queries']:,.0f}", f"{row['queries'] / row['expected_queries'] - 1:+.1%}",
             f"{row['of_the_last_search']:,.0f}",
             f"{finding / (row['width'] * row['fire']) ** 0.5:.2f}", f"{row['queries'] / row['width']:.2f}"]
        )  # fmt: skip
    header = ["width m", "k fire", "queries per sample", "expected", "apart", "of these in vain, to stop",
              "the others over sqrt(m k)", "all over m"]  # fmt: skip
    exponents = content["figures"]["exponents"]
    finding, bound = (exponents[f"{name}without_the_last_search"] for name in ("", "bound_"))
    return (
        f"{table(header, rows)}\n\nFitted exponents of m, beside 0.9 in the paper: **{finding:.2f}** for the "
        f"queries that find, {exponents['queries']:.2f} with those in vain, "
        f"{exponents['root_of_width_times_fire']:.2f} for sqrt(m k); if m^(4/5) fired, {bound:.2f} expected "
        f"for the queries that find. {made_by(content)}"
    )


def pool() -> str:
    content = result("pool")
    names = list(content["figures"]["alone_seconds"])
    ratios = {(row["after"], row["task"]): row["ratio"] for row in content["figures"]["slowdown"]}
    rows = [
        [f"after {first}", *(f"{ratios[first, task]:.2f}" if first != task else "1" for task in names)]
        for first in names
    ]
    return table(["", *names], rows) + f"\n\n{made_by(content)}"


def halfspace() -> str:
    content = result("halfspace")
    figures = content["figures"]
    names = ("report", "numpy", "faiss", "weight_tree", "exhaustive")
    asked = [
        [str(row["d"]), f"{row['reported']:.2%}", f"{row['tested']:.2%}", f"{row['nodes']:.2%}",
         f"{1e3 * row['build_seconds']:.0f}", *(f"{row[name]:.0f}" for name in names)]
        for row in figures["questions"]
    ]  # fmt: skip
    names = ("fewfire", "kd_tree", "ball_tree", "faiss")
    libraries = [[str(row["d"]), *(f"{row[name]:.2f}" for name in names)] for row in figures["libraries"]]
    names = ("insert", "delete", "move", "move_all")
    updates = [[str(row["d"]), *(f"{row[name]:.2f}" for name in names)] for row in figures["updates"]]
    runs = [
        [row["name"], f"{row['n_samples']:,}", str(row["n_features"]), f"{row['fire_rate']:.1%}",
         f"{row['tested']:.1%}", f"{row['exhaustive']:.1f}", f"{row['weight_tree']:.1f}",
         f"{row['exhaustive'] / row['weight_tree']:.2f}", "yes" if row["equal"] else "no"]
        for row in figures["training"]
    ]  # fmt: skip
    return (
        table(["d", "reported", "tested", "boxes met", "build ms", "reporter", "NumPy scan", "FAISS Flat",
               "weight tree", "exhaustive"], asked)
        + "\n\n2^17 Gaussian points, the paper's threshold, 256 unit-norm questions; shares of the points, "
        "microseconds per question on one thread. Reporter, NumPy and FAISS give ids (FAISS products too), "
        "weight tree and exhaustive index whole fire sets.\n\n"
        + table(["d", "fewfire", "KDTree", "BallTree", "FAISS Flat"], libraries)
        + "\n\nSeconds for a build and 1,000 questions. The trees of scikit-learn search a ball: with one "
        "coordinate more, (L^2 - |w|^2)^(1/2), all points have the length L of the longest, and those in the "
        "half-space are those nearer to (L x, 0) than (2 L^2 - 2 L b)^(1/2). They cannot be updated.\n\n"
        + table(["d", "insert", "delete", "move a few", "move all"], updates)
        + "\n\nMicroseconds per point: 2,048 come, go or move by 0.001; or all are moved at once.\n\n"
        + table(["data", "samples", "features", "fires", "tested", "exhaustive ms", "weight tree ms", "ratio",
                 "same bits"], runs)
        + f"\n\nA step of training at width 2^17, batch 128; the features include the constant. "
        f"{made_by(content)}"
    )  # fmt: skip


def data_tree() -> str:
    content = result("data_tree")
    names = ("exhaustive", "drift", "weight_tree", "data_tree")
    rows = []
    for row in content["figures"]:
        best = min(row["step"].values())
        cells = [milliseconds(row["step"][name]) for name in names]
        cells = [f"**{cell}**" if row["step"][name] == best else cell
                 for name, cell in zip(names, cells, strict=True)]  # fmt: skip
        rows.append(
            [str(row["d"]), f"{row['n_samples']:,}", f"{row['fire_rate']:.1%}", f"{row['moved_share']:.0%}",
             f"{row['tested']:.0%}", *cells, milliseconds(row["build"]["data_tree"]),
             f"{row['bytes']['data_tree'] / 1e6:.0f} MB", f"{row['bytes']['drift'] / 1e6:.0f} MB"]
        )  # fmt: skip
    header = ["d", "samples", "fire", "neurons moved", "tested", "exhaustive", "drift", "weight tree",
              "data tree", "its build", "its size", "drift's size"]  # fmt: skip
    return f"{table(header, rows)}\n\nBold: the fastest. {made_by(content)}"


def auto() -> str:
    content = result("auto")
    names = list(dict.fromkeys(name for row in content["figures"] for name in row["seconds"]))
    rows = [
        [f"{row['width']:,}", str(row["n_features"]), f"{row['n_samples']:,}",
         "" if row["rank"] is None else str(row["rank"]), f"{row['batch_size']:,}",
         f"{row['fire_rate']:.0%}", str(row["epochs"]),
         *(f"{row['seconds'][name]:.3f}" if name in row["seconds"] else "" for name in names),
         f"{row['auto_seconds']:.3f}", " or ".join(row["chosen"]), f"{row['probe_share']:.0%}",
         f"**{row['ratio']:.2f}**" if row["ratio"] > 1.3 else f"{row['ratio']:.2f}"]
        for row in content["figures"]
    ]  # fmt: skip
    header = ["width", "features", "samples", "rank", "batch", "fire", "epochs",
              *(f"{name} s" for name in names), "auto s", "chosen", "probe", "auto / best"]  # fmt: skip
    within = sum(row["ratio"] <= 1.3 for row in content["figures"])
    short = sum(row["probe_share"] <= 0.1 for row in content["figures"])
    said = (
        f"Within 1.3 of the best in {within} of {len(rows)} cases, the probe at most a tenth of the run in "
        f"{short}."
    )
    return f"{table(header, rows)}\n\n{said} {made_by(content)}"


def gauss_newton() -> str:
    content = result("gauss_newton")
    figures = content["figures"]
    squares = [
        [row["dtype"], *(f"{square:.1e}" for square in row["squares"][:7])]
        for row in figures["random_labels"]
    ]  # fmt: skip
    ours, dense = figures["fitted"], figures["dense"]
    steps, costs, sketch = ours["steps"], figures["costs"], figures["by_sketch"]["steps"][0]
    unit = figures["unit_weights"]
    by_step = table(
        ["network", "step", "training loss", "classified wrongly", "fires", "products", "seconds"],
        [[name, str(number), f"{step['loss']:.2e}", f"{step['error']:.2%}", f"{step['fire_rate']:.1%}",
          str(step["products"]), f"{step['seconds']:.1f}"]
         for name, run in (("near its kernel", ours), ("output weights of 1", unit))
         for number, step in enumerate(run["steps"], start=1)],
    )  # fmt: skip
    reached = dense["loss"] <= steps[-1]["loss"]
    kind = "near its kernel" if dense["near_kernel"] else "of output weights 1"
    return (
        table(["random labels: squared residual", *(f"after {step}" for step in range(7))], squares)
        + "\n\n256 samples of 32 features, width 65,536, the threshold sqrt(0.48 ln m).\n\n"
        + by_step
        + "\n\nFashion-MNIST, 5,000 samples, width 65,536, ten outputs, squared loss: "
        f"{ours['seconds']:.0f} s for the three steps, everything counted. Dense gradient descent at the "
        f"best of {len(figures['tuned'])} ways ({kind}, batch 256, rate {dense['rate']:g}): "
        f"{dense['epochs']} epochs in {dense['seconds']:.0f} s, training loss {dense['loss']:.2e}, "
        f"{'as small' if reached else 'not as small'} after "
        f"**{dense['seconds'] / ours['seconds']:.1f}** times the time. Preconditioned by the sketch the "
        f"first step takes {sketch['products']} products in place of {steps[0]['products']}; it is formed in "
        f"{costs['sketch']:.2f} s, the exact counts in {costs['shared']:.2f} s, and a product takes "
        f"{costs['a product']:.2f} s. {made_by(content)}"
    )


def hashing_hidden() -> str:
    content = result("hashing_hidden")
    rows = []
    for row in content["figures"]:
        control = row.get("random")
        lift = "" if control is None else f"{row['recall'] / control['recall']:.1f}"
        at_random = "" if control is None else f"{control['recall']:.2%}"
        rows.append(
            [row["when"], row["scheme"], f"{row['looked_at']:.2%}", f"{row['recall']:.2%}", at_random, lift,
             f"{row['found_mass']:.2%}"]
        )  # fmt: skip
    header = ["", "bits x tables", "looked at", "recall", "recall of as many random pairs", "ratio",
              "share of the mass found"]  # fmt: skip
    return table(header, rows) + "\n\n" + made_by(content)


def hashing_outputs() -> str:
    content = result("hashing_outputs")
    figures = content["figures"]
    tops = figures["tops"]
    rows = [
        ["cosine at the border", "", *(f"{top['cosine']:.2f}" for top in tops), ""],
        ["their share of the softmax mass", "", *(f"{top['softmax_mass']:.0%}" for top in tops), "100%"],
        *(
            [name, f"{share:.2%}", *(f"{top['recall'][name]:.1%}" for top in tops),
             f"{figures['softmax_mass'][name]:.1%}"]
            for name, share in figures["looked_at"].items()
        ),
        ["exact screen: leaves open", "", *(f"{top['screen_leaves_open']:.2%}" for top in tops), ""],
    ]  # fmt: skip
    header = ["bits x tables", "looked at", *(f"recall of the top {top['share']:.2%}" for top in tops),
              "softmax mass found"]  # fmt: skip
    return table(header, rows) + "\n\n" + made_by(content)


def hashing_accuracy() -> str:
    content = result("hashing_accuracy")
    rows = [
        [row["found_by"], f"{row['looked_at']:.0%}", f"{row['accuracy']:.3f}",
         f"{row['accuracy_of_found']:.3f}"]
        for row in content["figures"]
    ]  # fmt: skip
    header = ["training finds by", "looked at", "test accuracy, all that fire", "of what is found"]
    return table(header, rows) + "\n\n" + made_by(content)


# Milliseconds per step, one thread, batches of 128; of the commits c928349 (SLIDE) and 4f8993e (Intel).
# Noted when this library was designed, and not measured again.
SLIDE_ELSEWHERE = {
    20_000: ("132", "38", "26 to 42"),
    80_000: ("172 to 234", "57", "155 to 229"),
    320_000: ("", "154", "738"),
}


def slide_digits() -> str:
    content = result("slide_digits")
    rows = []
    for row in content["figures"]:
        looked_at, recall, accuracy = (row.get(name) for name in ("looked_at", "recall", "accuracy"))
        rows.append(
            [f"{row['width']:,}", row["found_by"], milliseconds(row["seconds_per_step"]),
             "" if looked_at is None else f"{looked_at:.1%}", "" if recall is None else f"{recall:.0%}",
             "" if accuracy is None else f"{accuracy:.3f}"]
        )  # fmt: skip
        if "bfloat16_step" in row:
            rounded = {
                row["bfloat16_step"]: row["bfloat16_seconds_per_step"],
                "weights of bfloat16": row["pure_bfloat16_seconds_per_step"],
            }
            for name, seconds in rounded.items():
                rows.append([f"{row['width']:,}", f"dense, {name}", milliseconds(seconds), "", "", ""])
    header = ["width", "who fires is found by", "ms per step", "looked at", "recall", "test accuracy"]
    return table(header, rows) + "\n\n" + made_by(content)


def slide_elsewhere() -> str:
    rows = [[f"{width:,}", *figures] for width, figures in SLIDE_ELSEWHERE.items()]
    return table(["width", "SLIDE", "Intel's SLIDE", "dense PyTorch there"], rows)


def slide_labels() -> str:
    content = result("slide_labels")
    rows = [
        [row["found_by"], milliseconds(row["seconds_per_step"]),
         f"{row['epochs'][0]['looked_at']:.0%} / {row['epochs'][-1]['looked_at']:.0%}",
         f"{row['epochs'][-1]['precision_at_1']:.3f}", f"{row['epochs'][-1]['seconds']:.0f}"]
        for row in content["figures"]
    ]  # fmt: skip
    header = [
        "softmax over",
        "ms per step",
        "looked at, first / last epoch",
        "precision at 1",
        "seconds in all",
    ]
    return table(header, rows) + "\n\n" + made_by(content)


def slide_wide() -> str:
    content = result("slide_wide")
    rows = [[row["found_by"], milliseconds(row["seconds_per_step"]), f"{row['looked_at']:.2%}"]
            for row in content["figures"]]  # fmt: skip
    return table(["softmax over", "ms per step", "looked at"], rows) + "\n\n" + made_by(content)


def rivals_of(task: str) -> tuple[dict[str, Any], list[str]]:
    """The sets of a task with the means over their splits, and the methods that all of them have."""

    def means(methods: dict[str, Any]) -> dict[str, Any]:
        return {
            method: {figure: sum(values) / len(values) for figure, values in figures.items()}
            for method, figures in methods.items()
        }

    sets = result("tables_rivals")["figures"]["sets"]
    found = {
        name: row | {"means": means(row["methods"])} for name, row in sets.items() if row["task"] == task
    }
    methods = [method for method in next(iter(found.values()))["means"]
               if all(method in row["means"] for row in found.values())]  # fmt: skip
    return found, methods


def rivals(task: str) -> str:
    """Mean score and mean rank of each method, over all sets and over both halves."""
    sets, methods = rivals_of(task)
    halves = {"all": list(sets.values())} | {
        half: [row for row in sets.values() if row["half"] == half] for half in ("chosen on", "reported")
    }
    rows = []
    for method in methods:
        cells = [f"**{method}**" if method == "fewfire" else method]
        for rows_of_half in halves.values():
            scores = [{name: figures["score"] for name, figures in row["means"].items() if name in methods}
                      for row in rows_of_half]  # fmt: skip
            cells.append(f"{sum(max(0, score[method]) for score in scores) / len(scores):.4f}")
            cells.append(f"{sum(rank(score, method) for score in scores) / len(scores):.2f}")
        own = [row["means"][method] for row in sets.values()]
        if task == "classification":
            known = "log_loss" in own[0]
            cells += [f"{sum(figures[name] for figures in own) / len(own):.3f}" if known else ""
                      for name in ("log_loss", "calibration_error")]  # fmt: skip
        cells.append(f"{median(figures['seconds'] for figures in own):.1f}")
        rows.append(cells)
    score = "accuracy" if task == "classification" else "R^2"
    counts = {half: len(of_half) for half, of_half in halves.items()}
    header = ["", f"mean {score}, {counts['all']} sets", "mean rank"]
    header += [f"{counts['chosen on']} sets chosen on", "rank", f"{counts['reported']} others", "rank"]
    header += ["log loss", "calibration error"] if task == "classification" else []
    header += ["median s"]
    return f"{table(header, rows)}\n\n{made_by(result('tables_rivals'))}"


def rivals_by_set(task: str) -> str:
    """Every set with the score of every method."""
    sets, methods = rivals_of(task)
    rows = []
    for name, row in sorted(sets.items(), key=lambda item: item[0].lower()):
        scores = {method: row["means"][method]["score"] for method in methods}
        rows.append(
            [name, f"{row['samples']:,}", str(row["features"]), row["half"],
             *(bold_if_best(scores, method) for method in methods)]
        )  # fmt: skip
    header = ["set", "samples", "features", "", *methods]
    return f"{table(header, rows)}\n\n{made_by(result('tables_rivals'))}"


def mini_batches() -> str:
    content = result("mini_batches")
    figures = content["figures"]
    descent = [figures["descent"][epochs - 1] for epochs in (10, 20, 40)]
    rows = [
        [f"{row['passes']} passes" if row["passes"] > 1 else "1 pass", f"{row['seconds']:.0f} s",
         f"{row['accuracy']:.4f}", f"{other['passes']} epochs", f"{other['seconds']:.0f} s",
         f"{other['accuracy']:.4f}"]
        for row, other in zip(figures["gauss_newton"], descent, strict=True)
    ]  # fmt: skip
    header = [f"Gauss-Newton, {figures['batch']:,} samples per step", "", "test accuracy",
              "gradient descent", "", "test accuracy"]  # fmt: skip
    return table(header, rows) + f"\n\nWidth {figures['width']:,}, 60,000 samples. " + made_by(content)


def estimator() -> str:
    content = result("estimator")
    rows = [
        [row["optimizer"], str(row["epochs"]), f"{row['seconds']['bare']:.2f} s",
         f"{row['seconds']['told']:.2f} s", f"{row['overhead']:+.1%}", f"{row['seconds']['default']:.2f} s"]
        for row in content["figures"]["rows"]
    ]  # fmt: skip
    header = ["optimizer", "epochs", "the trainer alone", "told as much", "", "by its defaults"]
    return table(header, rows) + "\n\n" + made_by(content)


WAYS = ("paper, auto", "auto, auto", "paper, measured", "auto, measured")  # of threshold and rate


def rates() -> str:
    content = result("rates_65536")
    rows = []
    for row in content["figures"]:
        in_time = {way: row[way]["in_time"] for way in WAYS}
        at_end = {way: row[way]["curve"][-1][1] for way in WAYS}
        rows.append(
            [row["name"] + ("" if row["looked_at"] else " *"), row["kind"],
             f"{row['paper, auto']['curve'][4][0]:.1f} s", *(bold_if_best(in_time, way) for way in WAYS),
             *(f"{at_end[way]:.3f}, {row[way]['curve'][-1][0]:.0f} s" for way in WAYS)]
        )  # fmt: skip
    header = ["set", "", "time", *WAYS, *(f"{way}: at the end" for way in WAYS)]
    return table(header, rows) + "\n\n" + made_by(content)


def foretold() -> str:
    content = result("kernel_report")
    rows = [
        [f"{row['threshold']:g}", f"{row['width']:,}",
         *(" / ".join(f"{value:.4f}" for value in row[who]) for who in ("recorded", "own kernel", "limit")),
         f"{row['own_to_limit']:.3f}"]
        for row in content["figures"]["curves"]
    ]  # fmt: skip
    header = ["threshold", "width", "recorded", "from its own kernel", "from the limit", "own to limit"]
    return table(header, rows) + "\n\n" + made_by(content)


def kernel_epochs() -> str:
    content = result("kernel_report")
    rows = []
    for row in content["figures"]["epochs"]:
        trained = row["trained"]  # None where that loss was not reached
        ends = (
            ["not reached", ""]
            if trained is None
            else [f"{trained:,.1f}", f"{row['foretold'] / trained:.2f}"]
        )
        rows.append([row["set"], f"{row['foretold']:,.1f}", *ends])
    return table(["set", "foretold", "trained", "ratio"], rows) + "\n\n" + made_by(content)


def kernel_depths() -> str:
    content = result("kernel_report")
    rows = [
        [f"{row['threshold']:g}", f"{row['depth']}", f"{row['condition']:,.4g}",
         f"{row['effective_rank']:,.4g}", f"{row['leave_one_out']:.4f}", f"{row['test accuracy']:.3f}"]
        for row in content["figures"]["depths"]
    ]  # fmt: skip
    header = ["threshold", "layers", "condition", "effective rank", "error left out", "test accuracy"]
    return table(header, rows) + "\n\n" + made_by(content)


def intervals() -> str:
    content = result("bayes")
    rows = [
        [row["set"], f"{row['rows']:,}", f"{row['covered']:.1%}", f"{row['width, of deviations']:.2f}"]
        for row in content["figures"]["coverage"]
    ]
    return table(["set", "rows", "covered", "width of the interval"], rows) + "\n\n" + made_by(content)


def first_orders() -> str:
    content = result("bayes")
    rows = [
        [f"{row['psi']:g}", f"{row['depth']}", f"{row['leading']:.3f}", f"{row['first order']:.3f}",
         f"{row['sampled']:.3f} ± {row['standard error']:.3f}"]
        for row in content["figures"]["first order"]
    ]  # fmt: skip
    header = ["psi", "layers", "great width", "to first order", "sampled"]
    return table(header, rows) + "\n\n" + made_by(content)


def kernel_seconds() -> str:
    timed = [result(name) for name in ("kernel_report", "bayes")]
    rows = [
        [row["what"], f"{row['seconds']:.2f} s"] for content in timed for row in content["figures"]["timings"]
    ]
    commands = " and ".join(f"`{content['command']}`" for content in timed)
    return table(["what", "time"], rows) + "\n\n" + made_by(timed[0] | {"command": commands.strip("`")})


def plan_start() -> str:
    content = result("plan_start")
    rows = []
    for row in content["figures"]:
        best = max(row["sweep"])
        found = row["largest_of_auto"]
        rows.append(
            [row["set"], row["loss"], f"{row['threshold']:g}", f"{row['best_of_auto']:g}",
             "" if found is None else f"{found:.1f}", f"{best:.3f}", f"{row['sweep'][2]:.3f}",
             f"{row['at_best']:.3f}", f"{row['at_start']:.3f}", f"{row['cost_in_epochs']:.1f}"]
        )  # fmt: skip
    header = ["set", "loss", "threshold", "best / auto", "largest / auto", "best of nine", "at auto",
              "at the best", "at the start", "cost in epochs"]  # fmt: skip
    return table(header, rows) + "\n\n" + made_by(content)


def plan_law() -> str:
    content = result("plan_law")
    rows = []
    for row in content["figures"]:
        foretold = row["foretold"]
        rows.append(
            [row["set"], f"{row['threshold']:g}", " ".join(f"{rate:.3g}" for rate in row["rates"]),
             row["form"], f"{expm1(row['left_out_error']):.0%}",
             "refused" if foretold is None else f"{foretold[1]:.3g} ({foretold[0]:.3g} .. {foretold[2]:.3g})",
             f"{row['measured']:.3g}", "" if row["ratio"] is None else f"{row['ratio']:.2f}"]
        )  # fmt: skip
    header = ["set", "threshold", "at 512 to 4,096", "law of", "misses", "foretold for 32,768", "measured",
              "ratio"]  # fmt: skip
    return table(header, rows) + "\n\n" + made_by(content)


def plan_rank() -> str:
    content = result("rank")
    rows = [
        [row["set"], f"{row['best']:.3f}", f"{row['regret']:.2f}", f"{row['regret_by_speed']:.2f}",
         f"{row['regret_by_early_accuracy']:.2f}", f"{row['regret_halving']:.2f}",
         f"{row['tau_speed']:.2f} / {row['tau_early_accuracy']:.2f}",
         f"{row['epochs_of_training_all']:.0%}", f"{row['named']:.0%} / {row['named_by_speed']:.0%}"]
        for row in content["figures"]
    ]  # fmt: skip
    header = ["set", "best of 16", "regret: validation", "speed", "early accuracy", "halving over samples",
              "tau: speed / accuracy", "epochs", "best named: validation / speed"]  # fmt: skip
    return table(header, rows) + "\n\n" + made_by(content)


def systems() -> str:
    """One figure or two of each system of docs/systems.md, and the result that they come from."""
    main, attack = result("fashion_mnist")["figures"], result("adversarial")["figures"][-1]
    trees = result("correlation")["figures"][-1]
    by_tree = trees["indexes"]["correlation_tree_by_sample, Gram"]["step"]
    by_drift = trees["indexes"]["drift"]["step"]
    newton = result("gauss_newton")["figures"]["random_labels"][0]["squares"]
    deep, growth = result("deep_steps_65536_4096")["figures"][0], result("deep_growth")["figures"]
    hashed = {row["found_by"]: row for row in result("slide_digits")["figures"] if row["width"] == 320_000}
    simhash, drift = hashed["simhash 9 x 50"], hashed["drift"]
    laws = [row["ratio"] for row in result("plan_law")["figures"]]
    drawn = result("bayes")["figures"]["first order"]
    orders = max(drawn, key=lambda row: abs(row["first order"] - row["sampled"]))
    ranked = [row["regret"] for row in result("rank")["figures"]]
    epochs = [row["foretold"] / row["trained"] for row in result("kernel_report")["figures"]["epochs"]]
    attack_seconds = attack["seconds"]["attack: ours"]
    rows = [
        ["1", "dense step over ours, float32 / bfloat16, main case",
         ratios(main["speedup"], main["bfloat16_speedup"]), "fashion_mnist"],
        ["2", "full-batch step of 512 samples, width 65,536: trees, drift index, dense",
         f"{milliseconds(by_tree)}, {milliseconds(by_drift)}, {milliseconds(trees['dense_step'])} ms",
         "correlation"],
        ["3", "dense attack step over ours, width 65,536",
         ratios(*(attack[kind]["attack_seconds"] / attack_seconds for kind in ("float32", "bfloat16"))),
         "adversarial"],
        ["4", "squared residual of random labels, before and after six steps",
         f"{newton[0]:.0f}, {newton[6]:.0e}", "gauss_newton"],
        ["5", "dense step over ours, widths 65,536 and 4,096; exponent of the work in the width",
         f"{ratios(deep['speedup'], deep['bfloat16_speedup'])}; {growth['exponent']:.2f}",
         "deep_steps_65536_4096, deep_growth"],
        ["6", "step at width 320,000: SimHash with its recall, drift index",
         f"{milliseconds(simhash['seconds_per_step'])} ms, {simhash['recall']:.0%}; "
         f"{milliseconds(drift['seconds_per_step'])} ms", "slide_digits"],
        ["7", "hash values that are worked out again per step",
         f"{result('hashing_rehash')['figures']['share']:.1%}", "hashing_rehash"],
        ["8", "largest rate at width 32,768, measured over foretold, four sets",
         ", ".join(f"{ratio:.2f}" for ratio in laws), "plan_law"],
        ["9", "log evidence to first order and sampled, where they differ most",
         f"{orders['first order']:.3f}, {orders['sampled']:.3f} ± {orders['standard error']:.3f}", "bayes"],
        ["11", "points of accuracy lost by the pick, four sets",
         ", ".join(f"{regret:.2f}" for regret in ranked), "rank"],
        ["12", "epochs foretold over epochs trained, six sets", f"{min(epochs):.2f} to {max(epochs):.2f}",
         "kernel_report"],
    ]  # fmt: skip
    rows = [[*row[:-1], ", ".join(f"`{name}.json`" for name in row[-1].split(", "))] for row in rows]
    return table(["paper", "what was measured", "figure", "in `benchmarks/results/`"], rows)


def second_order() -> str:
    content = result("representations_samples")
    rows = []
    for row in content["figures"]["one direction"]:
        cosines = f"{min(row['cosines']):.3f}" if row["cosines"] else ""
        rows.append(
            [f"He{row['degree']}", str(row["dim"]), f"{row['samples']:,}", span(row["kernel"]),
             span(row["head"]), " ".join(map(str, row["ranks"])), cosines, f"{row['seconds']:.2f}"]
        )  # fmt: skip
    header = [
        "target",
        "columns",
        "samples",
        "kernel",
        "head",
        "ranks",
        "least cosine",
        "seconds of the head",
    ]
    two = content["figures"]["two directions"]
    return (
        table(header, rows)
        + f"\n\nTwo directions of 200 columns from 1,600 rows: error {two['error']:.5f}, rank {two['rank']}, "
        f"in {two['seconds']:.1f} s.\n\n{made_by(content)}"
    )


def span(values: list[float]) -> str:
    """Least and largest of some errors."""
    return f"{min(values):.4f} to {max(values):.4f}"


def representation_sets() -> str:
    content = result("representations_sets")
    ways = ("nothing", "metric", "degree2", "fire", "quadratic head")
    rows = []
    for row in content["figures"]:
        best = min(row["tested"].values())
        errors = [row["tested"][way] for way in ways]
        rows.append(
            [row["set"], f"{row['rows']:,} x {row['columns']}",
             *(f"**{error:.4f}**" if error == best else f"{error:.4f}" for error in errors),
             row["advised"], f"{row['ratio to the best']:.2f}", f"{row['seconds']:.1f}"]
        )  # fmt: skip
    within = sum(row["ratio to the best"] <= 1.03 for row in content["figures"])
    others = result("representations_known")["figures"]
    said = "; ".join(
        f"{kind}: " + ", ".join(f"{way} {count} times" for way, count in counts.items())
        for kind, counts in others["known targets"].items()
    )
    return (
        table(["set", "rows", *ways, "advised", "to the best", "seconds"], rows)
        + f"\n\nThe advice is the best on the test rows, or within 3 % of it, on {within} of "
        f"{len(rows)} sets. 1,500 rows of 60 columns take {others['sixty columns']['seconds']:.1f} s. Advice "
        f"where the target is known, in ten trials each: {said}.\n\n{made_by(content)}"
    )


def tensor_successes() -> str:
    content = result("tensors")
    rows = []
    for study in content["figures"]["studies"]:
        for row in study["rows"]:
            every = "" if row["reinit_every"] is None else f"every {row['reinit_every']} steps"
            rows.append(
                [f"{study['dim']}, {study['rank']}", str(row["n_components"]), every,
                 f"{row['successes']} of {row['starts']}", f"{row['aligned']} of {row['starts']}",
                 f"{row['median_steps']:,.0f}"]
            )  # fmt: skip
    deflated = "; ".join(
        f"{row['successes']} of {row['starts']} at rank {row['rank']}"
        for row in content["figures"]["deflation"]
    )
    mixture = content["figures"]["mixture"]
    header = ["dimensions, rank", "components", "smallest drawn anew", "find the tensor",
              "find all components", "median steps"]  # fmt: skip
    return (
        table(header, rows)
        + f"\n\nPower iteration with deflation, in 10 dimensions: {deflated}. Five directions of a mixture "
        f"in 30 dimensions, from {mixture['samples']:,} samples by their third moment: a cosine of at least "
        f"{mixture['cosine of the worst']:.3f}, in {mixture['seconds']:.1f} s.\n\n{made_by(content)}"
    )


def tensor_regimes() -> str:
    content = result("tensors")
    rows = [
        [f"{study['dim']}, {study['rank']}", name,
         f"{found['turned_least']:.3f} to {found['turned_most']:.3f}", f"{found['moved']:.2f}",
         f"{found['aligned']:.0%}"]
        for study in content["figures"]["studies"]
        for name, found in study["regimes"].items()
    ]  # fmt: skip
    header = ["dimensions, rank", "", "turned", "moved", "components that are the tensor's"]
    return table(header, rows) + "\n\n" + made_by(content)


def bold_if_best(accuracy: dict[str, float], method: str) -> str:
    text = f"{accuracy[method]:.3f}"
    return f"**{text}**" if accuracy[method] == max(accuracy.values()) else text


def rank(accuracy: dict[str, float], method: str) -> float:
    """1 for the best; equals share the mean of their ranks."""
    better = sum(value > accuracy[method] for value in accuracy.values())
    equal = sum(value == accuracy[method] for value in accuracy.values())
    return better + (equal + 1) / 2


TABLES: dict[str, Callable[[], str]] = {
    "fashion": fashion, "widths": widths, "grid": grid, "dense_wins": dense_wins, "exactness": exactness,
    "attacks": attacks, "attack_ways": attack_ways, "autoattack": autoattack,
    "robust_schemes": robust_schemes, "certify": certify, "certify_cost": certify_cost,
    "implicit": implicit, "torch_module": lambda: torch_module("torch_module"),
    "torch_module_float32": lambda: torch_module("torch_module_float32"),
    "encoding": encoding, "autoencoder": autoencoder, "latents": latents, "distributed": distributed,
    "distributed_kills": distributed_kills,
    "deep_steps": deep_steps, "deep_fashion": deep_fashion, "deep_tables": deep_tables,
    "whole_runs": whole_runs, "rates": rates, "plan_start": plan_start, "plan_law": plan_law,
    "plan_rank": plan_rank, "screened": screened,
    "correlation": correlation, "structured": structured, "targets": targets, "slope": slope, "pool": pool,
    "grover": grover, "second_order": second_order, "representation_sets": representation_sets,
    "tensor_successes": tensor_successes, "tensor_regimes": tensor_regimes,
    "halfspace": halfspace, "data_tree": data_tree, "auto": auto, "gauss_newton": gauss_newton,
    "rivals_classification": lambda: rivals("classification"),
    "rivals_regression": lambda: rivals("regression"),
    "sets_classification": lambda: rivals_by_set("classification"),
    "sets_regression": lambda: rivals_by_set("regression"),
    "hashing_hidden": hashing_hidden, "hashing_outputs": hashing_outputs,
    "hashing_accuracy": hashing_accuracy,
    "slide_digits": slide_digits, "slide_elsewhere": slide_elsewhere, "slide_labels": slide_labels,
    "slide_wide": slide_wide,
    "mini_batches": mini_batches, "estimator": estimator,
    "foretold": foretold, "kernel_epochs": kernel_epochs, "kernel_depths": kernel_depths,
    "intervals": intervals, "first_orders": first_orders, "kernel_seconds": kernel_seconds,
    "systems": systems,
}  # fmt: skip


def wrapped(text: str) -> str:
    """The same with its prose wrapped; the rows of a table stay as they are."""
    return "\n".join(line if line.startswith("|") else fill(line, 110) for line in text.split("\n"))


def filled(text: str) -> str:
    """The page with each table between its marks made anew."""
    for name, make in TABLES.items():
        marks = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(marks, lambda m: m[1] + wrapped(make()) + "\n" + m[2], text, flags=re.S)  # noqa: B023
    return text


if __name__ == "__main__":
    stale = []
    for page in PAGES:
        path = ROOT / page
        before = path.read_text()
        after = filled(before)
        if before != after:
            stale.append(page)
            if "--check" not in sys.argv:
                path.write_text(after)
    if "--check" in sys.argv and stale:
        sys.exit(f"tables must be those of benchmarks/results. Stale: {', '.join(stale)}. Run {__file__}.")
