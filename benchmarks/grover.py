"""Oracle queries of a quantum search for all neurons that fire on a sample, over widths 2^8 .. 2^20.

    python benchmarks/grover.py      some seconds

Gaussian weights, the paper's threshold, 64 random samples of norm 1. Drawn by the Grover index, and expected
for the same numbers of firing neurons; then expected if as many fired as the paper allows for, m^(4/5). Draws
docs/images/grover.svg, too.
"""

from pathlib import Path

import numpy as np

from common import save, unit_rows
from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import GroverIndex
from fewfire.quantum.search import expected_report, expected_searches
from fewfire.report.pictures.style import AMBER, BLUE, INK, RED, finish, log_scale, name_lines, new_figure
from fewfire.report.pictures.style import save as save_picture

N_SAMPLES, N_FEATURES = 64, 16
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "grover.svg"


def figures_of(width: int) -> dict[str, float]:
    """All of them a sample, on average."""
    inputs = Inputs.of(unit_rows(N_SAMPLES, N_FEATURES))
    network, index = TwoLayerNetwork.initialize(width, N_FEATURES, 1), GroverIndex()
    index.build(network.layer, inputs)
    fires = index.fire_set(inputs)
    reports = [expected_report(width, k) for k in np.bincount(fires.samples, minlength=N_SAMPLES)]
    expected, missed = np.mean(reports, axis=0)
    return {
        "width": width,
        "threshold": network.threshold,
        "fire": len(fires) / N_SAMPLES,
        "queries": index.work.oracle_queries / N_SAMPLES,
        "expected_queries": expected,
        "of_the_last_search": float(expected_searches(width, 0).queries),
        "missed": index.missed / N_SAMPLES,
        "expected_missed": missed,
        "fire_bound": width**0.8,
        "expected_queries_bound": expected_report(width, round(width**0.8))[0],
    }


def exponent(widths: np.ndarray, values: np.ndarray) -> float:
    """Of the width, by least squares in logarithms."""
    return float(np.polyfit(np.log(widths), np.log(values), 1)[0])


def draw(rows: dict[str, np.ndarray]) -> None:
    widths = rows["width"]
    figure = new_figure(8, 4.5, "Queries of a search for all neurons that fire on a sample")
    axes = figure.subplots()
    axes.plot(widths, widths, color=INK, label="one by one: m")
    axes.plot(widths, rows["expected_queries_bound"], "--", color=AMBER, label="quantum, if m^(4/5) fired")
    axes.plot(widths, rows["expected_queries"], color=BLUE, label="quantum, expected")
    axes.plot(widths, rows["queries"], "o", color=RED, label="quantum, drawn")
    axes.set_xscale("log", base=2)
    log_scale(axes)
    axes.set_xlabel("width m")
    axes.set_ylabel("queries per sample")
    finish(axes)
    name_lines(axes)
    save_picture(figure, PICTURE)


widths = [figures_of(2**power) for power in range(8, 21, 2)]
rows = {name: np.array([row[name] for row in widths]) for name in widths[0]}
for row in widths:
    print(f"width {row['width']:>9,}: {row['fire']:,.0f} fire, {row['queries']:,.0f} queries, "
          f"{row['expected_queries']:,.0f} expected")  # fmt: skip
stopping = rows["of_the_last_search"]
exponents = {
    name: exponent(rows["width"], values)
    for name, values in {
        "queries": rows["queries"],
        "without_the_last_search": rows["queries"] - stopping,
        "expected_without_the_last_search": rows["expected_queries"] - stopping,
        "bound_without_the_last_search": rows["expected_queries_bound"] - stopping,
        "root_of_width_times_fire": np.sqrt(rows["width"] * rows["fire"]),
    }.items()
}
print(exponents)
draw(rows)
save("grover", "python benchmarks/grover.py", {"widths": widths, "exponents": exponents})
