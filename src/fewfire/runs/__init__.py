"""A run as a whole: from data to a folder with a trained network, its history and its result."""

from fewfire.runs.folder import Run, RunFolder
from fewfire.runs.observer import RunObserver
from fewfire.runs.options import TrainOptions
from fewfire.runs.result import Result
from fewfire.runs.run import resume_run, train_run
from fewfire.runs.settings import Settings

__all__ = [
    "Result",
    "Run",
    "RunFolder",
    "RunObserver",
    "Settings",
    "TrainOptions",
    "resume_run",
    "train_run",
]
