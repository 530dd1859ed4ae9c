"""What the columns of a table stand for, and how they become numbers for a network."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare.categories import UNSEEN, OneHot, codes_of_texts, codes_seen, texts_seen
from fewfire.prepare.gaps import Gaps
from fewfire.prepare.preparation import coded_columns

MOST_NAMED = 30  # columns of a table that are named one by one


@dataclass(frozen=True, eq=False)
class Features:
    """The columns of a table but for its target: as a file has them, or as training saw them.

    Attributes
    ----------
    n_columns : int
    names : tuple of str, or None where the columns have none
    targets : {column: its name, or None}
        Where the targets stand in the table as training read it, counted with all its columns.
    dropped : {column: its name, or None}
        Where columns stand there that were left out.
    categories : {column: its categories}
        In this column code c stands for the c-th of these texts; a mark of a missing value, if the last is
        one, has the code NaN. All other columns hold numbers.
    gaps : Gaps or None
        What stands for a number that is missing; None where none may be.
    first_index : 0, 1 or None
        Where sparse rows of svmlight begin to count columns; None where the source has none.
    """

    n_columns: int
    names: tuple[str, ...] | None = None
    targets: Mapping[int, str | None] = field(default_factory=dict)
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    gaps: Gaps | None = None
    dropped: Mapping[int, str | None] = field(default_factory=dict)
    first_index: int | None = None

    @property
    def target(self) -> str | None:
        """The name of the target, where there is one and it has a name."""
        return next(iter(self.targets.values())) if len(self.targets) == 1 else None

    @property
    def one_hot(self) -> OneHot:
        return OneHot(
            self.n_columns, {column: codes_seen(texts) for column, texts in self.categories.items()}
        )

    @property
    def n_inputs(self) -> int:
        """Columns once each category has one of its own, and so has each column of numbers with gaps."""
        n_gaps = 0 if self.gaps is None else len(self.gaps.columns)
        return self.n_columns + sum(len(texts) - 1 for texts in self.categories.values()) + n_gaps

    def seen_in(self, inputs: NDArray) -> "Features":
        """The same columns with what inputs (n, n_columns) teach: categories, sorted, and gaps of a table.

        A missing value is one category, in however many ways it is written.
        """
        seen = {
            column: texts_seen(texts[code] for code in np.unique(inputs[:, column]).astype(int))
            for column, texts in self.categories.items()
        }
        gaps = Gaps.of(inputs, self.one_hot.numbers) if self.targets else None
        return replace(self, categories=seen, gaps=gaps)

    def recoded(self, inputs: NDArray, found: "Features") -> NDArray:
        """Inputs (n, n_columns) with these codes in place of those of `found`; UNSEEN for what is new.

        Without categories they are given back as they are, not copied.
        """
        if self.categories:
            inputs = inputs.copy()
        for column, texts in self.categories.items():
            codes = codes_of_texts(found.categories[column], texts)
            inputs[:, column] = codes[inputs[:, column].astype(int)]
        return inputs

    def coded(self, rows: NDArray) -> NDArray:
        """Rows (n, n_columns) with these codes, as (n, n_inputs) with a column for each category.

        A category that is new is 0 in all of them. A number that is missing is filled. Without categories and
        gaps nothing changes.
        """
        return coded_columns(rows, self.one_hot, self.gaps)

    @property
    def readings(self) -> list[tuple[str, str]]:
        """Each column of a table and how it was read, in the order of the table; none of other sources.

        More than 30 are counted: how they were read, and how many.
        """
        if not self.targets:
            return []
        numbers = self.one_hot.numbers
        lacking = set() if self.gaps is None else {numbers[place] for place in self.gaps.columns}

        def read(place: int) -> tuple[str | None, str]:
            name = None if self.names is None else self.names[place]
            if place in self.categories:
                return name, f"category, {len(self.categories[place])} values"
            return name, "number, some missing" if place in lacking else "number"

        features = map(read, range(self.n_columns))
        beside = {column: (name, "target") for column, name in self.targets.items()}
        beside |= {column: (name, "left out") for column, name in self.dropped.items()}
        rows = []
        for column in range(self.n_columns + len(beside)):
            name, how = beside.get(column) or next(features)
            rows.append((f"column {column + 1}" if name is None else name, how))
        if len(rows) <= MOST_NAMED:
            return rows
        counts = Counter(how.split(",")[0] for _, how in rows)
        return [(how, f"{count:,} columns") for how, count in counts.items()]

    def unseen_in(self, found: "Features") -> list[str]:
        """The categories of `found` that are none of these: each with its column, for a person."""
        return [
            f"{text!r} in {self.names[column] if self.names else f'column {column + 1}'}"
            for column, texts in self.categories.items()
            for text, code in zip(
                found.categories[column], codes_of_texts(found.categories[column], texts), strict=True
            )
            if code == UNSEEN
        ]

    def state(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {
            "n_columns": self.n_columns,
            "names": self.names,
            "targets": list(self.targets.items()),
            "categories": {str(column): texts for column, texts in self.categories.items()},
            "gaps": None if self.gaps is None else self.gaps.state(),
            "dropped": list(self.dropped.items()),
            "first_index": self.first_index,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Features":
        """The inverse of `state`."""
        names = state["names"]
        last = [(state["n_columns"], state.get("target"))]  # as earlier versions took it to be
        return cls(
            state["n_columns"],
            None if names is None else tuple(names),
            dict(state.get("targets", last)),
            {int(column): tuple(texts) for column, texts in state["categories"].items()},
            Gaps.from_state(state["gaps"]) if state.get("gaps") else None,
            dict(state.get("dropped", ())),
            state.get("first_index"),
        )
