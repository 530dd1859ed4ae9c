"""`fewfire info`: what runs here."""

import typer

import fewfire
from fewfire.system import machine


def info() -> None:
    """Print the version, the instruction set and the number of threads.

    Examples:

      fewfire info
      FEWFIRE_NUM_THREADS=1 FEWFIRE_SIMD=base fewfire info
    """
    typer.echo(f"fewfire {fewfire.__version__}")
    available = ", ".join(machine.available_instruction_sets())
    typer.echo(f"instruction set: {machine.instruction_set()} (available: {available}; FEWFIRE_SIMD chooses)")
    typer.echo(f"threads: {machine.threads()} (FEWFIRE_NUM_THREADS chooses)")
