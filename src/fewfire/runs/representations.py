"""The report on representations of a regression that a reader gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fewfire.diagnose import RepresentationReport, representation_report
from fewfire.errors import DataError
from fewfire.prepare.targets import REGRESSION
from fewfire.runs.options import TrainOptions
from fewfire.runs.prepare import load


@dataclass(frozen=True)
class RepresentationsOfData:
    """A report, and the name of the data."""

    name: str
    report: RepresentationReport

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        return {"name": self.name} | self.report.as_dict()


def representations_of_data(
    options: TrainOptions, *, say: Callable[[str], None] = lambda _: None
) -> RepresentationsOfData:
    """Compare what may stand before a wide layer on the training rows.

    Raises
    ------
    DataError
        The data cannot be read, are no regression, are fewer than 40 rows, or their inputs are not finite.
    """
    say("reading the data")
    dataset = load(options)
    if dataset.task != REGRESSION:
        raise DataError(
            "representations must be compared on a regression, whose errors have squares. Got classes. Give "
            "numbers as targets, or leave --representations out."
        )
    labels = np.asarray(dataset.labels, np.float64)
    report = representation_report(dataset.inputs, labels, seed=options.seed, say=say)
    return RepresentationsOfData(dataset.name, report)
