"""Tables for people of what :mod:`~personvlm.evaluation.confidence` measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from personvlm.evaluation.confidence import SLACK
from personvlm.evaluation.protocols.tables import percent


def confidence_tables(result: Mapping[str, Any]) -> list[Table]:
    """Tables of the ``calibration`` and ``precision`` objects that the result holds, none for those it lacks."""
    tables = []
    if result.get("calibration"):
        tables.append(calibration_table(result["calibration"]))
    if result.get("precision"):
        tables += [precision_table(result["precision"]), values_table(result["precision"])]
    return tables


def calibration_table(calibration: Mapping[str, Any]) -> Table:
    """ECE and Brier skill per headline group, with their means."""
    table = Table(title="Confidence: calibration under --say all, each person once")
    table.add_column("")
    for name in ("ECE", "95 % interval", "Brier skill over the prior", "95 % interval", "AURC", "pictures"):
        table.add_column(name, justify="right")
    for group, row in calibration["groups"].items():
        table.add_row(group, *_calibrated(row), _decimal(row["risk_coverage"]["area"]), str(row["n"]))
    table.add_section()
    table.add_row("mean", *_calibrated(calibration), "", "")
    return table


def precision_table(precision: Mapping[str, Any]) -> Table:
    """Pooled precision and coverage at what was asked for, and the values that fall short."""
    table = Table(title=f"At --min-precision {precision['asked']:g}, each person once", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("")
    for name, said in (("the text", precision["text"]), ("the attributes, absences too", precision["attributes"])):
        table.add_row(f"precision of {name}", percent(said["accuracy"]), _shares(said["interval"]))
    table.add_row("coverage: annotated groups that are stated", percent(precision["text"]["coverage"]), "")
    table.add_row("groups stated per text", f"{precision['text']['groups']:.1f}", "")
    count = sum(map(len, precision["values"].values()))
    short = ", ".join(precision["short"]) or f"of {count} values"
    table.add_row(f"values wholly below {precision['asked'] - SLACK:.0%}", str(len(precision["short"])), short)
    return table


def values_table(precision: Mapping[str, Any]) -> Table:
    """Every value that was said, the least precise first."""
    table = Table(title=f"Values said at --min-precision {precision['asked']:g}")
    table.add_column("value")
    for name in ("precision", "95 % interval", "people", "pictures"):
        table.add_column(name, justify="right")
    rows = [(f"{group}: {value}", row) for group, values in precision["values"].items()
            for value, row in values.items()]  # fmt: skip
    for name, row in sorted(rows, key=lambda item: item[1]["precision"]):
        style = "red" if name in precision["short"] else None
        table.add_row(name, percent(row["precision"]), _shares(row["interval"]), f"{row['people']:.0f}", str(row["n"]),
                      style=style)  # fmt: skip
    return table


def _calibrated(row: Mapping[str, Any]) -> list[str]:
    return [text for name in ("ece", "brier_skill")
            for text in (_decimal(row[name]["value"]), " – ".join(map(_decimal, row[name]["interval"])))]  # fmt: skip


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _shares(bounds: Sequence[float | None]) -> str:
    low, high = bounds
    return "" if low is None or high is None else f"{100 * low:.1f} – {100 * high:.1f}"
