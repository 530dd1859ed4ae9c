"""Entry point of the command, which can tell also what keeps fewfire from being imported."""

import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command. A setting in the environment that does not hold ends it with one line.

    Raises
    ------
    SystemExit
        Always, with the exit code.
    """
    try:
        from fewfire.cli.app import run as run_app
    except ValueError as error:
        print(f"fewfire: {error}", file=sys.stderr)
        sys.exit(2)
    run_app()


if __name__ == "__main__":
    run()
