"""A protocol's result as tables for people. No table is built without every baseline row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from personvlm.evaluation.baselines import BASELINES
from personvlm.evaluation.facts import HEADLINE
from personvlm.evaluation.protocols import clean, published
from personvlm.evaluation.protocols.run import PREDICTIONS
from personvlm.evaluation.slices import ENOUGH

Figure = Mapping[str, Any]
Column = tuple[str, Callable[[Mapping[str, Any]], Figure], Callable[[float | None], str]]


def protocol_tables(result: Mapping[str, Any]) -> list[Table]:
    """Tables of what :func:`~personvlm.evaluation.protocols.run.run_protocol` returns.

    Raises:
        ValueError: a baseline row is missing.
    """
    if result["name"] == "published":
        return [
            rows_table(result, "Text, protocol published", _text_columns(published.TEXT)),
            rows_table(result, "Attributes by keywords, protocol published", _attribute_columns()),
        ]
    tables = []
    if all(row is None or row["text"] is not None for row in result["rows"].values()):
        tables.append(rows_table(result, "Text, protocol clean", _text_columns(clean.TEXT)))
    tables.append(rows_table(result, "Facts read from text, each person once, protocol clean", _facts_columns()))
    tables.append(rows_table(result, "Values stated, each person once, protocol clean", _statement_columns()))
    tables.append(rows_table(result, _retrieval_title(result), _retrieval_columns()))
    if "slices" in result:
        tables.append(slices_table(result["slices"]))
    return tables


def rows_table(result: Mapping[str, Any], title: str, columns: Sequence[Column]) -> Table:
    """One table: the predictions with intervals, then the baselines.

    Args:
        result: with ``rows``, ``notes`` and ``n``.
        title: of the table.
        columns: heading, where the figure is in a row, how it is shown.

    Raises:
        ValueError: a baseline row is missing. One that cannot be made is None, and its note says why.
    """
    rows = result["rows"]
    for name in BASELINES:
        if name not in rows:
            raise ValueError(f"{title}: the baseline {name!r} is missing; no table goes without it")
        if rows[name] is None and not result["notes"].get(name):
            raise ValueError(f"{title}: the baseline {name!r} is empty, and nothing says why")
    table = Table(title=f"{title}: {result['n']} pictures, references: {result['references']}")
    table.add_column("")
    for heading, _, _ in columns:
        table.add_column(heading, justify="right")
    if rows.get(PREDICTIONS) is not None:
        figures = [(of(rows[PREDICTIONS]), shown) for _, of, shown in columns]
        table.add_row("generated text", *(shown(item["value"]) for item, shown in figures))
        intervals = (_interval(item.get("interval"), shown) for item, shown in figures)
        table.add_row("  95 % interval", *intervals, style="dim")
        table.add_section()
    for name, heading in BASELINES.items():
        row = rows[name]
        if row is None:
            table.add_row(heading, *("–" for _ in columns), style="dim")
        else:
            table.add_row(heading, *(shown(of(row)["value"]) for _, of, shown in columns))
    missing = [f"{BASELINES[name]}: {result['notes'][name]}" for name in BASELINES if rows[name] is None]
    nearest = [] if rows["nearest_caption"] is None else [f"nearest caption: {result['notes']['nearest_caption']}"]
    notes = "; ".join([*nearest, *missing])
    table.caption = Text(notes) if notes else None  # not markup: names of files may hold brackets
    return table


def slices_table(slices: Mapping[str, Any]) -> Table:
    """The six groups on every slice beside the best constant answer there, and rates of false statements."""
    table = Table(title="Slices: mean of the six groups, best constant answer, false statements, omissions")
    for heading in ("", "slice"):
        table.add_column(heading)
    for heading in ("people", "mean", "95 %", "majority", *HEADLINE, "hallucination", "omission"):
        table.add_column(heading, justify="right")
    for dimension, item in slices.items():
        table.add_section()
        for name, scored in item["slices"].items():
            cells = [scored["mean"], *(scored[group] for group in HEADLINE)]
            table.add_row(
                dimension.replace("_", " "), name, str(scored["people"]), percent(cells[0]["value"]),
                _interval(cells[0]["interval"], percent), percent(cells[0]["majority"]),
                *(percent(cell["value"]) for cell in cells[1:]), percent(scored["hallucination"]["value"]),
                percent(scored["omission"]["value"]),
            )  # fmt: skip
        table.add_row("", f"largest gap ({ENOUGH} people or more)", "", percent(item["gap"]), style="dim")
    return table


def percent(value: float | None) -> str:
    """``0.8642`` as ``86.4 %``; a figure that is not defined as a dash. 1 is shown only where nothing is wrong."""
    if value is None:
        return "–"
    shown = round(100 * value, 1)
    if shown == 100 and value < 1:
        shown = 99.9
    return f"{shown:.1f} %"


def plain(value: float | None) -> str:
    """Two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def _text_columns(names: Sequence[str]) -> list[Column]:
    return [(_heading(name), _at("text", name),
             plain if name.startswith("cider") or name in ("tokens", "characters") else percent) for name in names]


def _attribute_columns() -> list[Column]:
    names = (*published.GROUPS, "mean")
    columns: list[Column] = [(name.replace("_", " "), _at("attributes", name), percent) for name in names]
    return [*columns, ("keyword overlap", _at("keyword_overlap", "mean"), percent)]


def _facts_columns() -> list[Column]:
    return [("bag (balanced)" if name == "bag" else name, _at("facts", "groups", name), percent)
            for name in (*HEADLINE, "mean")]  # fmt: skip


def _statement_columns() -> list[Column]:
    names = ("mA", "F1", "precision", "recall", "hallucination", "omission", "stated")
    return [(name, _at("facts", name), plain if name == "stated" else percent) for name in names]


def _retrieval_columns() -> list[Column]:
    directions = (("caption_to_image", "caption to image"), ("image_to_caption", "image to caption"))
    return [(f"{heading} R@{k}", _at("retrieval", direction, f"R@{k}"), percent)
            for direction, heading in directions for k in (1, 5, 10)]  # fmt: skip


def _at(*path: str) -> Callable[[Mapping[str, Any]], Figure]:
    """The figure at a place of a row; the six groups call theirs ``accuracy``."""

    def get(row: Mapping[str, Any]) -> Figure:
        for key in path:
            row = row[key]
        return row if "value" in row else {"value": row["accuracy"], "interval": row["interval"]}

    return get


def _retrieval_title(result: Mapping[str, Any]) -> str:
    pool = next(row["retrieval"]["pool"] for row in result["rows"].values() if row is not None)
    return f"Retrieval by facts among {pool} people, protocol clean"


def _heading(name: str) -> str:
    names = {"rouge_l": "ROUGE-L", "cider": "CIDEr", "cider_d": "CIDEr-D"}
    return names.get(name, name.upper().replace("_", "-") if name.startswith("bleu") else name)


def _interval(bounds: Sequence[float | None] | None, shown: Callable[[float | None], str]) -> str:
    if bounds is None or None in bounds:
        return ""
    return "–".join(shown(bound).removesuffix(" %") for bound in bounds)
