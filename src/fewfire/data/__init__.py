"""Readers: from what a user names to checked arrays."""

from fewfire.data.dataset import Dataset, Rows
from fewfire.data.load import load_dataset, load_inputs

__all__ = ["Dataset", "Rows", "load_dataset", "load_inputs"]
