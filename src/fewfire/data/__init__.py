"""Reading what users have, checking it, and scaling it to the unit sphere."""

from fewfire.data.classes import Classes
from fewfire.data.dataset import Dataset, Rows
from fewfire.data.features import Features
from fewfire.data.load import load_dataset, load_inputs
from fewfire.data.scaling import InputScaling

__all__ = ["Classes", "Dataset", "Features", "InputScaling", "Rows", "load_dataset", "load_inputs"]
