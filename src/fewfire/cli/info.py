"""`fewfire info`: what runs here."""

import typer

from fewfire.system import machine


def info() -> None:
    """Print the version, the instruction set and the number of threads.

    Examples:

      fewfire info
      FEWFIRE_NUM_THREADS=1 FEWFIRE_SIMD=base fewfire info
    """
    typer.echo(str(machine.info()))
