"""HTML whose every figure says where in ``study.json`` it stands: ``<span data-at="/entries/0/parameters">``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Any

Place = tuple[str | int, ...]
"""Keys and indices from the top of the object."""

NOTHING = "–"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _minutes(value: float) -> str:
    return f"{value / 60:.1f} min"


FORMATS: Mapping[str, Callable[[Any], str]] = MappingProxyType({
    "percent": _percent, "points": _points, "minutes": _minutes, "count": lambda value: f"{value:,.0f}",
    "two": lambda value: f"{value:.2f}", "three": lambda value: f"{value:.3f}", "signed": lambda value: f"{value:+.2f}",
    "one": lambda value: f"{value:.1f}", "text": str, "yes": lambda value: "yes" if value else "no",
})  # fmt: skip
"""How a figure is shown: its name stands in ``data-as``."""


@dataclass(frozen=True)
class Cell:
    """A figure: where it stands, how it is shown, and where its interval stands, if it has one."""

    at: Place
    form: str
    interval: Place | None = None
    style: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table: a class for its looks, what it is called, its cells; None is a dash."""

    title: Cell | str
    cells: Sequence[Cell | str | None]
    style: str = ""


class Page:
    """Looks figures up by their places.

    Args:
        study: the object of ``study.json``.
    """

    def __init__(self, study: Mapping[str, Any]) -> None:
        self.study = study

    def get(self, at: Place) -> Any:
        """What stands at a place; None where nothing does."""
        value: Any = self.study
        for key in at:
            if value is None or (isinstance(value, Mapping) and key not in value):
                return None
            value = value[key]
        return value

    def figure(self, at: Place, form: str = "text") -> str:
        """One figure, marked with its place."""
        value = self.get(at)
        if value is None:
            return NOTHING
        where = "/" + "/".join(str(key).replace("~", "~0").replace("/", "~1") for key in at)
        return f'<span data-at="{escape(where)}" data-as="{form}">{escape(FORMATS[form](value))}</span>'

    def cell(self, cell: Cell | str | None, span: int = 1) -> str:
        """A table cell, over ``span`` columns."""
        wide = f' colspan="{span}"' if span > 1 else ""
        if cell is None:
            return f"<td{wide}>{NOTHING}</td>"
        if isinstance(cell, str):
            return f"<td{wide}>{escape(cell)}</td>"
        inside = self.figure(cell.at, cell.form)
        if cell.interval is not None and None not in (self.get(cell.interval) or (None,)):
            low, high = (self.figure((*cell.interval, side), cell.form) for side in (0, 1))
            inside += f'<span class="interval">{low} to {high}</span>'
        style = cell.style or ("text" if cell.form == "text" else "")
        return f'<td{wide} class="{escape(style)}">{inside}</td>' if style else f"<td{wide}>{inside}</td>"

    def table(self, heads: Sequence[str], rows: Sequence[Row]) -> str:
        """A table; ``heads`` has the name of the first column too."""
        top = "".join(f"<th>{escape(head)}</th>" for head in heads)
        lines = []
        for row in rows:
            title = escape(row.title) if isinstance(row.title, str) else self.figure(row.title.at, row.title.form)
            *cells, last = row.cells
            left = max(1, len(heads) - 1 - len(cells))  # a sentence may stand in place of figures
            inside = "".join([*map(self.cell, cells), self.cell(last, left)])
            lines.append(f'<tr class="{row.style}"><td>{title}</td>{inside}</tr>')
        return f'<div class="wide"><table><tr>{top}</tr>{"".join(lines)}</table></div>'


def value_of(at: Place, form: str) -> Cell:
    """The cell of a ``{"value", "interval"}`` that stands at a place."""
    return Cell((*at, "value"), form, (*at, "interval"))
