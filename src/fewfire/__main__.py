"""`python -m fewfire`: the command."""

from fewfire.cli.main import run

if __name__ == "__main__":
    run()
