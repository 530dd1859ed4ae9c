"""`fewfire diagnose`: what the tangent kernel says of data before training, and of a run after it."""

import json as json_format
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.evidence import print_evidence
from fewfire.cli.options import Json, Quiet, real_numbers, takes, whole_numbers
from fewfire.cli.representations import print_representations
from fewfire.cli.streams import console_of, say_error
from fewfire.diagnose.quantum import ASSUMES
from fewfire.report.page.page import diagnosis_page
from fewfire.report.pictures import can_draw
from fewfire.runs import TrainOptions
from fewfire.runs.aside import aside
from fewfire.runs.diagnosis import FILE, PICTURE, Diagnosis, diagnose_data, diagnose_run
from fewfire.runs.evidence import EvidenceAsked, evidence_of_data
from fewfire.runs.representations import representations_of_data
from fewfire.system.files import OutputFolder, write_atomically
from fewfire.system.machine import set_threads

PAGE = "diagnosis.html"
DEPTHS = "1,2,3"


@takes("data", "target", "task", "categories", "drop", "width", "threshold", "fire_rate", "test_fraction",
       "seed", "threads")  # fmt: skip
def diagnose(
    options: TrainOptions,
    samples: Annotated[int, typer.Option(help="Samples that the kernel is of.")] = 1024,
    depth: Annotated[
        str, typer.Option(help="Hidden layers, a,b,c, of the limits of great width beside it.")
    ] = DEPTHS,
    quantum: Annotated[
        bool, typer.Option("--quantum", help="What a quantum linear solver would cost, too.")
    ] = False,
    evidence: Annotated[
        bool,
        typer.Option("--evidence", help="A table of evidence of kernels and deep networks, in its place."),
    ] = False,
    representations: Annotated[
        bool,
        typer.Option(
            "--representations", help="What may stand before the wide layer of a regression, in its place."
        ),
    ] = False,
    psi: Annotated[
        str, typer.Option(help="With --evidence: cubic parts of the deep networks' activation, a,b,c.")
    ] = "-0.4,-0.2,0",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for figures, picture and page; by default that of a run, else none."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Look at the tangent kernel of data before training, or of a run.

    How many epochs, would Gauss-Newton be cheaper, how many layers, was that
    the kernel regime? For DATA the folder of a run may be given. Nothing is
    trained.

    Examples:

      fewfire diagnose digits
      fewfire diagnose runs/digits --json
      fewfire diagnose table.csv --evidence --depth 1,2,4,8
      fewfire diagnose table.csv --representations
    """
    depths = whole_numbers(depth, "--depth", example=DEPTHS)
    psis = real_numbers(psi, "--psi", example="-0.4,0")
    if samples < 2:
        raise ValueError(f"--samples must be >= 2. Got {samples}. Leave it out for 1,024.")
    if options.threads is not None:
        set_threads(options.threads)
    console = console_of(json=json, quiet=quiet)
    path = Path(options.data)
    is_run = (path / "settings.json").exists()
    if evidence and representations:
        raise ValueError(
            "a diagnosis must be of one kind. Got --evidence and --representations. Ask for one after the "
            "other."
        )
    in_its_place = "--evidence" if evidence else "--representations" if representations else None
    if in_its_place and is_run:
        raise ValueError(
            f"{in_its_place} must be of data. Got the run {path}. Give the data that it was trained on."
        )
    saves = nullcontext() if out is None or in_its_place else OutputFolder(out).created()
    with saves, console.status("reading") if console.is_interactive else nullcontext() as status:
        say = _progress(console, status)
        if representations:
            found: Any = representations_of_data(options, say=say)
        elif evidence:
            asked = EvidenceAsked(samples=samples, depths=depths, psis=psis)
            found = evidence_of_data(options, asked, say=say)
        elif is_run:
            found = diagnose_run(path, samples=samples, depths=depths, quantum=quantum, say=say)
        else:
            found = diagnose_data(options, samples=samples, depths=depths, quantum=quantum, say=say)
    if representations:
        print_representations(console, found)
    elif evidence:
        print_evidence(console, found)
    else:
        _print(console, found)
        folder = path if is_run and out is None else out
        if folder is not None:
            _save(console, found, folder, is_run=out is None)
    if json:
        print(json_format.dumps(found.as_dict()))


def _progress(console: Console, status: Any) -> Callable[[str], None]:
    """Shows what comes next, on a terminal as a line that is replaced."""
    return console.print if status is None else status.update


def _print(console: Console, found: Diagnosis) -> None:
    say: Callable[[str], None] = lambda text: console.print(text, soft_wrap=True)  # noqa: E731
    say("")
    for name, text in found.report.lines():
        say(f"{name:<18}{text}")
    if found.start is not None and found.end is not None:
        say(f"{'after training':<18}{_after(found)}")
    if found.taylor is not None:
        say(f"{'outputs changed':<18}{found.taylor}")
    if found.recorded:
        say(f"\n{'epoch':>9}  {'foretold loss':>14}  {'recorded loss':>14}")
        for epoch, (one, other) in enumerate(zip(found.foretold, found.recorded, strict=True), 1):
            say(f"{epoch:>9}  {one:>14.4g}  {other:>14.4g}")
        if found.report.n_looked_at < found.report.n_samples:
            say("Foretold for the samples that were looked at: of all of them the loss falls more slowly.")
    say(f"\n{'layers':>9}  {'condition':>12}  {'effective rank':>14}  {'error left out, of variance':>28}")
    for one in found.layers:
        error = (one.leave_one_out or 0.0) / one.variance
        say(f"{one.layers.depth:>9}  {one.condition:>12,.4g}  {one.effective_rank:>14.4g}  {error:>28.3f}")
    for verdict in found.report.verdicts:
        say(f"\n{verdict}")
    if found.quantum:
        _print_quantum(say, found)


def _after(found: Diagnosis) -> str:
    start, end = found.start, found.end
    assert start is not None
    assert end is not None
    limit = "" if end.own_to_limit is None else f", {end.own_to_limit:.1%} off the limit"
    return f"condition {end.condition:,.4g} after {start.condition:,.4g}{limit}"


def _print_quantum(say: Callable[[str], None], found: Diagnosis) -> None:
    say(f"\nQuantum costs of telling {found.classes[0]} from {found.classes[1]}. {ASSUMES}\n")
    heads = (
        "samples",
        "depth",
        "exact",
        "sparse",
        "diagonal",
        "condition",
        "post-selection",
        "alone",
        "readout",
    )
    line = "{:>8} {:>6} {:>7} {:>7} {:>9} {:>10} {:>15} {:>9} {:>8}"
    say(line.format(*heads))
    for one in found.quantum:
        say(line.format(one.samples, one.depth, f"{one.exact:.3f}", f"{one.sparse:.3f}",
                        f"{one.diagonal:.3f}", f"{one.condition:.4g}", f"{one.post_selection:.3g}",
                        f"{one.post_selection_alone:.3g}", f"{one.readout:.3g}"))  # fmt: skip
    last = found.quantum[-1]
    say(
        f"\nWithout a quantum computer, at {last.samples}: {last.iterations} iterations of conjugate "
        f"gradients, Nystrom {last.nystrom:.3f}, five neighbours {last.neighbours:.3f}."
    )


def _save(console: Console, found: Diagnosis, path: Path, *, is_run: bool) -> None:
    """Figures, picture and page into a folder; in that of a run the report takes them up."""
    figures, picture = found.as_dict(), path / PICTURE
    write_atomically(path / FILE, json_format.dumps(figures, indent=2) + "\n")
    if can_draw():
        with aside("the picture could not be drawn", f"The figures are saved in {path}.", say_error):
            from fewfire.report.pictures.kernel import draw_kernel

            draw_kernel(
                found.report, found.layers, (picture, picture.with_suffix(".svg")),
                f"The tangent kernel of {found.name}", foretold=found.foretold, recorded=found.recorded,
            )  # fmt: skip
    write_atomically(path / PAGE, diagnosis_page(figures, picture))
    more = f"; `fewfire report {path}` shows them" if is_run else ""
    console.print(f"\nfigures, picture and page saved in {path}{more}", soft_wrap=True)
