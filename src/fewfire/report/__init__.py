"""The report: one HTML page of one or several runs; pictures of a run and of studies."""

from fewfire.report.page.page import report
from fewfire.report.pictures.history import draw_history

__all__ = ["draw_history", "report"]
