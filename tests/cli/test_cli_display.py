"""What a person sees in a terminal of 80 columns."""

import io
import re

import pytest
from rich.console import Console

from fewfire.cli.display import TrainingDisplay, print_comparison, print_result
from fewfire.runs import Result
from histories import records
from problems import clustered_problem
from trainers import descent_trainer

RESULT = {
    "train_loss": 0.5, "train_accuracy": 0.9, "refreshes": 0, "chosen_index": "drift", "index_reason": None,
    "test_seconds": 0.1, "total_seconds": 65.0,
    "test_accuracy": 0.98765, "fire_rate": 0.0234, "work_share": 0.1234, "build_seconds": 1.26,
    "index_bytes": 4_163_000_000, "table_bits": 4, "tabled_share": 1.0, "oracle_queries": None,
    "training_seconds": 60.04, "steps": 2340,
    "peak_memory_bytes": 5_000_000_000, "seconds_per_step": 0.025, "dense_seconds_per_step": 0.25,
    "dense_step": "hand-written, transposed", "speedup": 10.0, "whole_run_speedup": 8.04,
    "max_weight_difference": 1.2e-6, "compared_steps": 40, "bfloat16_step": "bfloat16 autocast",
    "bfloat16_seconds_per_step": 0.125, "bfloat16_speedup": 5.0, "bfloat16_whole_run_speedup": 4.04,
    "pure_bfloat16_seconds_per_step": 0.1, "pure_bfloat16_speedup": 4.0,
    "dense_trials": {
        "hand-written, transposed": 0.25, "torch.compile": None, "bfloat16 autocast": 0.125,
        "pure bfloat16": 0.1,
    },
    "exactness": {"pairs": 2**26, "fired": 1_500_000, "equal": True},
    "regime": {
        "moved": 0.25, "kernel_change": 0.125, "condition": 1234.0, "effective_depth": 0.915,
        "kernel_width": 5210.0, "kernel_width_error": 20.0, "width": 65_536, "n_samples": 60_000,
        "n_looked_at": 128,
    },
}  # fmt: skip
PROBLEM = clustered_problem()
TRAINER = descent_trainer(PROBLEM.network, PROBLEM.inputs, PROBLEM.targets)


def console_of(width=80, *, terminal=True):
    return Console(
        file=io.StringIO(), width=width, force_terminal=terminal, highlight=False, markup=False, emoji=False
    )


def text_of(console):
    """What was written, without the codes of the terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accuracy": None},
        {"loss": 1.234567e30, "work_share": 2.0538, "fire_rate": 1.0, "seconds": 999.0},
    ],
)
def test_lines_of_epochs_have_one_width_below_80(changes):
    console = console_of(terminal=False)
    with TrainingDisplay(console, 10_000) as display:
        for record in records(3, **changes):
            display.epoch_done(record, TRAINER)
    lines = text_of(console).splitlines()
    assert len(lines) == 4
    assert {len(line) for line in lines} == {67}
    assert lines[0].split() == "epoch loss accuracy fire rate work of dense ms/step".split()


def test_a_line_shows_the_figures_of_its_epoch():
    console = console_of(terminal=False)
    with TrainingDisplay(console, 10) as display:
        display.epoch_done(records(1)[0], TRAINER)
    assert text_of(console).splitlines()[1].split() == ["1/10", "1", "0.2500", "2.00%", "4.00%", "333.3"]


def test_the_bar_shows_what_is_done_and_the_time_left():
    console = console_of()
    display = TrainingDisplay(console, 2)
    with display:
        display.built(0.5)
        display._progress.refresh()
        assert "building the index" in text_of(console)
        assert "50%" in text_of(console)
        display.stepped(1, 2)
        display._progress.refresh()
        assert re.search(r"epoch 1/2 .* 25% +(-:--:--|\d:\d\d:\d\d)", text_of(console))
        display.epoch_done(records(1)[0], TRAINER)
        display.stepped(2, 2)
        display._progress.refresh()
        assert re.search(r"epoch 2/2 .*100%", text_of(console))


def test_a_pipe_gets_no_bar():
    console = console_of(terminal=False)
    with TrainingDisplay(console, 2) as display:
        display.built(1.0)
        display.stepped(1, 2)
    assert text_of(console) == ""


def test_results_fit_80_columns(tmp_path):
    console = console_of()
    result = Result.from_dict(RESULT)
    print_result(console, result, tmp_path / ("long" * 30))
    print_comparison(console, result)
    text = text_of(console)
    assert text == (
        "\n"
        "test accuracy     0.9877\n"
        "pairs that fired  2.34%\n"
        "multiply-adds     12.34% of dense training's (build and refreshes included)\n"
        "index             built in 1.3 s, 4.16 GB\n"
        "table             4 bits a pair for 100.0% of the neurons, by the memory limit\n"
        "training          60.0 s, 2,340 steps\n"
        "peak memory       5.00 GB\n"
        "exactness         bit for bit as exhaustive search, on 67,108,864 pairs\n"
        "regime            neurons moved 0.25, kernel changed 12.5%\n"
        "                  condition 1,234, effective depth 0.92, kernel width 5,210\n"
        f"saved in          {tmp_path / ('long' * 30)}\n"
        "\n"
        "a step            25.00 ms\n"
        "dense float32     250.00 ms: 10.0 x a step, 8.0 x the whole run\n"
        "dense bfloat16    125.00 ms: 5.0 x a step, 4.0 x the whole run\n"
        "pure bfloat16     100.00 ms: 4.0 x a step\n"
        "ways tried        100.00 ms pure bfloat16\n"
        "                  125.00 ms bfloat16 autocast\n"
        "                  250.00 ms hand-written, transposed\n"
        "weights apart     1.2e-06 at the most, after 40 steps\n"
    )
    assert max(len(line) for line in text.splitlines() if "saved" not in line) <= 80


def test_queries_of_a_quantum_search_are_said_to_be_a_count(tmp_path):
    console = console_of()
    counted = Result.from_dict(RESULT | {"table_bits": None, "oracle_queries": 12_345_678_901})
    print_result(console, counted, tmp_path)
    line = "oracle queries    12,345,678,901 of a simulated quantum search: no speed-up"
    assert line in text_of(console).splitlines()
    assert len(line) <= 80
