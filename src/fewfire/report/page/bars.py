"""Bars of amounts, side by side on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from fewfire.report.page.elements import element


@dataclass(frozen=True)
class Bar:
    """A bar of parts, each a name, a style and an amount; and what is written beside and below it."""

    label: str
    amount: str
    parts: Sequence[tuple[str, int, float]]
    below: Sequence[Element | str] = ()


def drawn_bars(bars: Sequence[Bar], full: float = 0.0) -> Element:
    """Bars on one scale, whose end is the largest of them, or `full` if that is more."""
    scale = max([full, *(sum(amount for *_, amount in bar.parts) for bar in bars)]) or 1.0
    rows = []
    for bar in bars:
        pieces = [
            element("i", class_=f"colour{style + 1}", title=name, style=f"width:{100 * amount / scale:.2f}%")
            for name, style, amount in bar.parts
            if amount > 0
        ]
        row = element(
            "div",
            element("h3", bar.label, element("span", bar.amount)),
            element("div", *pieces, class_="bar"),
        )
        if bar.below:
            row.append(element("p", *bar.below, class_="legend"))
        rows.append(row)
    return element("div", *rows, class_="card bars")
