"""The study's pictures, drawn from ``study.json`` alone. Needs matplotlib, which the ``train`` extra brings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Study = Mapping[str, Any]

FILES = ("training_loss.png", "validation.png", "quality.png")
"""What :func:`draw` writes, in the order of the report."""

WALL = "minutes of training, wall clock"
"""Where a budget is of processor time, they differ by what else the machine did."""

COLORS: Mapping[str, str] = {"stage1": "#7a7a7a", "stage2": "#b07aa1", "stage3": "#e08a3c", "stage4": "#c23b3b",
                             "edge": "#2f6fa8"}  # fmt: skip


def draw(study: Study, folder: Path) -> None:
    """Write :data:`FILES` into ``folder``: training losses, validation NLL, quality against what was used."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    done = [entry for entry in study["entries"] if "failed" not in entry]
    budgets = list(study["budgets"])

    def saved(figure: Any, name: str) -> None:
        figure.savefig(folder / name, dpi=100)
        pyplot.close(figure)

    figure, axes = pyplot.subplots(1, max(1, len(budgets)), figsize=(5.5 * max(1, len(budgets)), 3.8),
                                   layout="constrained", squeeze=False)  # fmt: skip
    for axis, budget in zip(axes[0], budgets, strict=True):
        for entry in (each for each in done if each["budget"] == budget):
            points = entry["curve"]["loss"]
            axis.plot([each["crops"] for each in points], [each["loss"] for each in points], label=title(entry),
                      color=COLORS[entry["model"]], linestyle="--" if entry["variant"] else "-")  # fmt: skip
        axis.set(title=f"training loss, {budget}", xlabel="crops seen", yscale="log")
        _finish(axis)
    saved(figure, FILES[0])

    figure, axes = pyplot.subplots(1, max(1, len(budgets)), figsize=(5.5 * max(1, len(budgets)), 3.8),
                                   layout="constrained", squeeze=False)  # fmt: skip
    for axis, budget in zip(axes[0], budgets, strict=True):
        for entry in (each for each in done if each["budget"] == budget):
            points = entry["curve"]["validation"]
            axis.plot([each["seconds"] / 60 for each in points], [each["nll_per_character"] for each in points],
                      label=title(entry), color=COLORS[entry["model"]], marker="o", markersize=3,
                      linestyle="--" if entry["variant"] else "-")  # fmt: skip
        axis.set(title=f"validation, {budget}", xlabel=WALL, ylabel="nats per character")
        _finish(axis)
    saved(figure, FILES[1])

    used = [entry["used"]["seconds"] for entry in done] or [1.0]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
    for axis, name, place in ((left, "mA read from text, %", ("facts", "mA")), (right, "CIDEr-D", ("text", "cider_d"))):
        for entry in done:
            part = entry["scores"][place[0]]
            if part is None or part[place[1]]["value"] is None:
                continue
            factor = 100 if place[1] == "mA" else 1
            value = factor * part[place[1]]["value"]
            low, high = (factor * each for each in part[place[1]]["interval"])
            axis.errorbar(
                entry["used"]["seconds"] / 60, value, yerr=[[max(0.0, value - low)], [max(0.0, high - value)]],
                color=COLORS[entry["model"]], marker="os^Dv"[budgets.index(entry["budget"]) % 5], capsize=2,
                mfc="none" if entry["variant"] else None, label=f"{title(entry)}, {entry['budget']}",
            )  # fmt: skip
        axis.set(title=name, xlabel=WALL, xscale="log" if max(used) > 3 * min(used) else "linear")
        _finish(axis)
    saved(figure, FILES[2])


def title(entry: Mapping[str, Any]) -> str:
    """``stage 1``, ``stage 1 with mobilenet_v2``, ``edge``."""
    name = entry["model"].replace("stage", "stage ")
    return f"{name} with {entry['variant']}" if entry["variant"] else name


def _finish(axis: Any) -> None:
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7)
