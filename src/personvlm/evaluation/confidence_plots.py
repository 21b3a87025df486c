"""Pictures of what :mod:`~personvlm.evaluation.confidence` measured: reliability diagrams and risk over coverage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from personvlm.base.errors import PersonVLMError

_INK, _SOFT, _FILL, _ACCENT = "#1d1f21", "#8a8f96", "#3d6b96", "#ae3f28"


def plot_confidence(result: Mapping[str, Any], directory: Path) -> list[Path]:
    """Write ``reliability.png`` and ``risk_coverage.png``, and ``precision.png`` where one was asked for.

    Args:
        result: of ``evaluate``, with its ``calibration``.
        directory: is made where it is missing.

    Raises:
        PersonVLMError: matplotlib is not installed, or there is nothing to draw.
    """
    require()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not result.get("calibration"):
        raise PersonVLMError("no plots: confidence is only measured where a model describes pictures")
    directory.mkdir(parents=True, exist_ok=True)
    groups = result["calibration"]["groups"]
    written = []

    def save(figure: Figure, name: str) -> None:
        figure.savefig(directory / name, dpi=130)
        written.append(directory / name)

    style: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": _SOFT,
                  "text.color": _INK, "axes.labelcolor": _INK, "xtick.color": _SOFT,
                  "ytick.color": _SOFT}  # fmt: skip
    with rc_context(style):
        for name, draw in (("reliability.png", _reliability), ("risk_coverage.png", _risk)):
            figure = Figure(figsize=(9, 6), layout="constrained")
            for place, (group, row) in zip(figure.subplots(2, 3).flat, groups.items(), strict=True):
                draw(place, row)
                place.set_title(group, loc="left", fontsize=10, fontweight="bold", color=_INK)
            save(figure, name)
        if result.get("precision"):
            precision = result["precision"]
            count = sum(map(len, precision["values"].values()))
            figure = Figure(figsize=(7, 1.2 + 0.19 * max(count, 1)), layout="constrained")
            _values(figure.subplots(), precision)
            save(figure, "precision.png")
    return written


def require() -> None:
    """Ask for matplotlib before minutes are spent on what it shall draw.

    Raises:
        PersonVLMError: it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise PersonVLMError("plots need matplotlib: `pip install matplotlib`, or `make dev`") from error


def _reliability(place: Any, row: Mapping[str, Any]) -> None:
    bins = row["reliability"]
    place.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.8, linestyle=":")
    place.plot([each["confidence"] for each in bins], [each["accuracy"] for each in bins], color=_FILL, marker="o",
               markersize=4, linewidth=1.2)  # fmt: skip
    place.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="share right")
    ece, skill = (row[name]["value"] for name in ("ece", "brier_skill"))
    if ece is not None and skill is not None:
        place.text(0.04, 0.95, f"ECE {ece:.3f}\nBrier skill {skill:.2f}", va="top", fontsize=8)


def _risk(place: Any, row: Mapping[str, Any]) -> None:
    curve = row["risk_coverage"]
    place.plot(curve["coverage"], curve["risk"], color=_FILL, linewidth=1.4)
    place.set(xlim=(0, 1), ylim=(0, max([0.05, *curve["risk"]]) * 1.1), xlabel="share answered", ylabel="share wrong")
    place.grid(axis="y", color="#e3e3dd", linewidth=0.6)
    if curve["area"] is not None:
        place.text(0.04, 0.95, f"AURC {curve['area']:.3f}", va="top", fontsize=8, transform=place.transAxes)


def _values(place: Any, precision: Mapping[str, Any]) -> None:
    rows = [(f"{group}: {value}", row) for group, values in precision["values"].items()
            for value, row in values.items()]  # fmt: skip
    rows.sort(key=lambda item: -item[1]["precision"])
    for height, (name, row) in enumerate(rows):
        color = _ACCENT if name in precision["short"] else _FILL
        place.plot(row["interval"], [height, height], color=color, linewidth=1.2)
        place.plot([row["precision"]], [height], "o", color=color, markersize=3 + min(6.0, row["people"] ** 0.5 / 4))
    place.axvline(precision["asked"], color=_SOFT, linewidth=0.8, linestyle=":")
    place.set_yticks(range(len(rows)), [name for name, _ in rows], color=_INK, fontsize=7.5)
    place.set(xlim=(min([0.5, *(row["interval"][0] for _, row in rows)]), 1.0), ylim=(-1, len(rows)),
              xlabel=f"precision at --min-precision {precision['asked']:g}, 95 % interval over people")  # fmt: skip
