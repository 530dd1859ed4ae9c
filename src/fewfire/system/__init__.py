"""The machine, its memory and its files."""
