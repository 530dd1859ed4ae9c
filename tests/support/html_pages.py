"""Reports as a reader of HTML sees them, and runs to make them of."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from fewfire.runs import Result, Run, Settings
from histories import records

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

SETTINGS: dict[str, Any] = {
    "data": "digits", "width": 4096, "index": "drift", "optimizer": "sgd", "epochs": 3, "n_features": 65,
    "schedule": {"name": "step", "every": 1, "gamma": 0.1}, "nesterov": False, "memory_limit": None,
    "learning_rate": 1100.25, "classes": [0, 1], "loss": "squared", "features": {}, "several_labels": False,
    "threshold": 1.5, "fewfire": "0.2.0", "instruction_set": "avx2", "n_samples": 800, "n_outputs": 2,
    "n_test": 200, "training_data": "0123456789abcdef",
}  # fmt: skip
RESULT: dict[str, Any] = {
    "test_accuracy": 0.98765, "train_loss": 0.25, "train_accuracy": 0.25, "fire_rate": 0.0234,
    "work_share": 0.1234, "steps": 9, "seconds_per_step": 0.5, "build_seconds": 1.0, "training_seconds": 4.0,
    "total_seconds": 8.0, "index_bytes": 4_163_000, "peak_memory_bytes": 5_000_000_000,
    "refreshes": 0, "table_bits": 8, "tabled_share": 1.0, "index_reason": None, "oracle_queries": None,
    "test_seconds": 0.5, "chosen_index": "drift", "speedup": None,
    "exactness": {"pairs": 4096, "fired": 77, "equal": True},
    "regime": {
        "moved": 0.25, "kernel_change": 0.125, "condition": 1234.0, "effective_depth": 0.9,
        "kernel_width": 5210.0, "kernel_width_error": 20.0, "width": 64, "n_samples": 60, "n_looked_at": 60,
    },
}  # fmt: skip
COMPARED = {
    "speedup": 10.04, "whole_run_speedup": 8.0, "dense_step": "torch.compile",
    "max_weight_difference": 1.2e-6, "compared_steps": 40, "bfloat16_step": "bfloat16",
    "bfloat16_speedup": 5.04, "bfloat16_whole_run_speedup": 4.0,
}  # fmt: skip
VOID = {"meta", "link", "img"}


def a_run(
    path: str = "runs/a", epochs: int = 3, result: dict[str, Any] | None = RESULT, **settings: Any
) -> Run:
    """A run whose last neurons moved 0.5, and the others a tenth of that."""
    return Run(
        Path(path),
        Settings.from_dict(SETTINGS | settings),
        records(epochs, moved_mean=0.05, moved_max=0.5),
        None if result is None else Result.from_dict(result),
    )


@dataclass
class Page(HTMLParser):
    """What a page holds; reading it fails where an element is not closed in its place."""

    texts: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # of each chart

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []

    @classmethod
    def of(cls, text: str) -> "Page":
        page = cls()
        page.feed(text)
        page.close()
        assert not page._open
        return page

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def rows(self, label: str) -> list[str]:
        """What stands beside a label in a table or list, up to the next label."""
        return self.texts[self.texts.index(label) + 1 :]

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "figure":
            self.lines.append(0)
        self.lines[-1:] = [count + (tag == "polyline") for count in self.lines[-1:]]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style" and data.strip():
            self.texts.append(data.strip())
            if self._open[-1] == "figcaption":
                self.captions.append(data.strip())
