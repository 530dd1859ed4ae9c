"""How the command shows a table of evidence."""

from rich.console import Console

from fewfire.runs.evidence import TOLD_APART, EvidenceTable


def print_evidence(console: Console, found: EvidenceTable) -> None:
    """Differences to the best, in nats, beside the errors of leaving one out."""
    say = console.print
    say(f"\n{found.name}: evidence of {found.n_samples:,} samples, in nats below the best\n")
    line = "{:>8} {:>7} {:>10} {:>10} {:>9} {:>16}"
    say(line.format("trained", "layers", "threshold", "nats", "ridge", "RMSE left out"))
    best = found.kernels[0].log
    for one in found.kernels:
        say(line.format(one.trained, one.depth, f"{one.threshold:g}", f"{one.log - best:.1f}",
                        f"{one.ridge:.1e}", f"{one.left_out:.4f}"))  # fmt: skip
    near = sum(best - one.log < TOLD_APART for one in found.kernels)
    if near > 1:
        say(f"\nThe first {near} cannot be told apart: less than a nat.")
    say(f"\nDeep, weakly nonlinear networks of width {found.width:,}\n")
    line = "{:>7} {:>7} {:>8} {:>10} {:>12} {:>16}"
    say(line.format("layers", "psi", "noise", "nats", "first order", "effective depth"))
    top = found.networks[0].log
    for one in found.networks:
        say(line.format(one.depth, f"{one.psi:g}", f"{one.noise:g}", f"{one.log - top:.1f}",
                        f"{one.log - one.leading:.2g}", f"{one.effective_depth:.2g}"))  # fmt: skip
    said = dict.fromkeys(warning for one in found.networks for warning in one.warnings)
    for warning in said:
        say(f"\n{warning}", soft_wrap=True)
    say(f"\n{found.finite} neurons: at that width finite width counts a nat.")
