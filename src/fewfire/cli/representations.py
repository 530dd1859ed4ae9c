"""How the command shows a report on representations."""

from rich.console import Console

from fewfire.runs.representations import RepresentationsOfData


def print_representations(console: Console, found: RepresentationsOfData) -> None:
    """Errors on rows held out, after all others, after half of them, and foretold for twice as many."""
    report = found.report
    console.print(
        f"\n{found.name}: {report.n_rows:,} rows of {report.n_features:,} columns to learn from, errors on "
        f"{report.n_held:,} others as shares of the variance\n",
        soft_wrap=True,
    )
    line = "{:<15} {:>8} {:>8} {:>10} {:>8}   {}"
    console.print(line.format("before it", "error", "at half", "at double", "seconds", "what was learned"))
    for one in report.table:
        console.print(
            line.format(one.name, f"{one.error:.4f}", f"{one.at_half:.4f}", f"{one.at_double:.4f}",
                        f"{one.seconds:.1f}", one.detail),
            soft_wrap=True,
        )  # fmt: skip
    for text in (*report.left_out, report.advice):
        console.print(f"\n{text}", soft_wrap=True)
