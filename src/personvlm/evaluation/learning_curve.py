"""What a learning curve says: what each doubling of people brings, how far memory is ahead of sight; as a picture.

Reads what :mod:`personvlm.training.learning_curve` measured. Torch-free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.evaluation.confidence_plots import require

Floats = NDArray[np.float64]
Point = Mapping[str, Any]

_COLORS = ("#2f6fa8", "#c23b3b", "#3f8f5f", "#b07aa1", "#e08a3c")


def result(points: Sequence[Point], also: Sequence[Point], target: float | None = None,
           **about: Any) -> dict[str, Any]:  # fmt: skip
    """All that there is to say, fit for JSON.

    Args:
        points: runs (:func:`personvlm.training.learning_curve.learned`).
        also: finished models, measured on the same people, with their ``name``, ``size`` and ``parameters``.
        target: see :func:`slopes`.
        about: kept beside them: ``made``, ``machines``, ``steps``, ``batch``, ``seed`` and what else belongs to it.
    """
    return {**about, "slopes": slopes(points, target), "points": [without_resamples(point) for point in points],
            "also": [without_resamples(point) for point in also]}  # fmt: skip


def without_resamples(point: Point) -> dict[str, Any]:
    """A run as a result keeps it: 95 % intervals of ``mean`` and ``loss`` over people in place of the resamples."""
    kept = dict(point)
    for part in ("val", "seen"):
        figures = dict(point[part])
        for name, values in figures.pop("resampled").items():
            figures[f"{name}_interval"] = _interval(np.array(values))
        kept[part] = figures
    return kept


def slopes(points: Sequence[Point], target: float | None = None) -> list[dict[str, Any]]:
    """What a doubling of the people brings, for each size that was trained on several numbers of them.

    The intervals are of the validation people alone (paired: the same resamples for every run); another seed of the
    training would add to them.

    Args:
        points: runs, with their resamples.
        target: of the mean of the six, on unseen people.

    Returns:
        Per size ``size`` and ``largest`` (people), and each with ``value`` and ``interval``: ``mean`` and ``loss`` per
        doubling (least squares over all runs), ``last``: the mean's over the last step alone; ``gap``: seen people's
        mean over unseen people's at the largest number. With a target ``people``: how many it would take if every
        further doubling brought what the last one did; None where that brought nothing.
    """
    rows = []
    for size, several in by_size(points).items():
        if len({point["compared"] for point in several}) < 2:
            continue
        doublings = np.log2([point["compared"] for point in several])
        mean, loss = (_all(several, "val", name) for name in ("mean", "loss"))
        last = (mean[:, -1] - mean[:, -2]) / (doublings[-1] - doublings[-2])
        figures = {"mean": _slope(doublings, mean), "loss": _slope(doublings, loss), "last": last}
        gap = several[-1]["seen"]["mean"] - several[-1]["val"]["mean"]
        row: dict[str, Any] = {"size": size, "largest": several[-1]["compared"], "gap": gap}
        # The first row is of the people themselves, the others are resamples.
        row |= {name: {"value": float(values[0]), "interval": _interval(values[1:])}
                for name, values in figures.items()}  # fmt: skip
        if target is not None:
            row["target"] = target
            row["people"] = _needed(several[-1]["compared"], target - several[-1]["val"]["mean"], float(last[0]))
        rows.append(row)
    return rows


def by_size(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Runs of each size, from few people to many."""
    sizes: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda point: int(point["compared"])):
        sizes.setdefault(point["size"], []).append(point)
    return sizes


def table(curve: Mapping[str, Any]) -> str:
    """Markdown of the whole result: a row per run, then what follows."""
    lines = ["| run | size | encoder and heads | mean of the six, unseen people | 95 % | people trained on | gap "
             "| loss per crop, unseen | trained on |",
             "|---|---|---:|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    rows = [point for several in by_size(curve["points"]).values() for point in several]
    for point in (*rows, *curve["also"]):
        val, seen = point["val"], point["seen"]
        who = f"{point['compared']:,} people, {point['crops']:,} crops" if "crops" in point else point["name"]
        gap = 100 * (seen["mean"] - val["mean"])
        lines.append(f"| {who} | {point['size']} | {point['parameters']:,} | {100 * val['mean']:.1f} "
                     f"| {_range(val['mean_interval'])} | {100 * seen['mean']:.1f} | {gap:.1f} "
                     f"| {val['loss']:.2f} | {seen['loss']:.2f} |")  # fmt: skip
    for row in curve["slopes"]:
        last, mean, loss = row["last"], row["mean"], row["loss"]
        text = (f"{row['size']}: a doubling of people brings {100 * mean['value']:+.1f} points "
                f"({_range(mean['interval'], '+')}) on the mean of the six, the last one {100 * last['value']:+.1f} "
                f"({_range(last['interval'], '+')}), and {loss['value']:+.2f} ({loss['interval'][0]:+.2f} to "
                f"{loss['interval'][1]:+.2f}) on the loss; at {row['largest']:,} people the gap is "
                f"{100 * row['gap']:.1f} points.")  # fmt: skip
        if "target" in row:
            needed = "no number of people seen here: the last doubling brought next to nothing"
            if row["people"]:
                needed = f"about {row['people']:,} people, if every further doubling brought what the last one did"
            text += f" {100 * row['target']:.1f} would take {needed}."
        lines += ["", text]
    val, seen = rows[0]["val"], rows[0]["seen"]
    lines += [
        "",
        f"The mean is in %, as in `curves.csv`; unseen: {val['crops']:,} crops of {val['people']:,} people (val); "
        f"trained on: the same {seen['people']:,} people, whom every run saw, {seen['crops']:,} crops. "
        f"{curve['steps']:,} steps of {curve['batch']} crops each, nested shares of one order (seed {curve['seed']}); "
        f"the other sets and drawn people are cut by the same shares. {'; '.join(curve['machines'])}; {curve['made']}.",
    ]  # fmt: skip
    return "\n".join(lines)


def draw(curve: Mapping[str, Any], path: Path) -> None:
    """Mean of the six and loss over people (log x), unseen and trained on; and over sizes where there are several.

    Raises:
        PersonVLMError: matplotlib is not installed.
    """
    require()
    from matplotlib.figure import Figure

    sizes = by_size(curve["points"])
    figure = Figure(figsize=(5.4 * (2 + (len(sizes) > 1)), 3.9), layout="constrained")
    axes = figure.subplots(1, 2 + (len(sizes) > 1))
    for number, (size, several) in enumerate(sizes.items()):
        color = _COLORS[number % len(_COLORS)]
        people = [point["compared"] for point in several]
        for axis, name, factor in ((axes[0], "mean", 100), (axes[1], "loss", 1)):
            val, seen = (factor * np.array([point[part][name] for point in several]) for part in ("val", "seen"))
            ends = factor * np.array([point["val"][f"{name}_interval"] for point in several]).T
            axis.errorbar(people, val, yerr=np.clip([val - ends[0], ends[1] - val], 0, None), color=color, marker="o",
                          capsize=3, label=f"{size}, unseen people")  # fmt: skip
            axis.plot(people, seen, color=color, marker="s", mfc="none", linestyle="--", label=f"{size}, trained on")
            axis.fill_between(people, val, seen, color=color, alpha=0.08)
    for point in curve["also"]:
        for axis, name, factor in ((axes[0], "mean", 100), (axes[1], "loss", 1)):
            most = max(each["compared"] for each in curve["points"])
            axis.plot([most], [factor * point["val"][name]], "D", color="#1d1f21", label=f"{point['name']}, unseen")
            axis.plot([most], [factor * point["seen"][name]], "D", mfc="none", color="#1d1f21")
    ticks = sorted({point["compared"] for point in curve["points"]})
    for axis, title in ((axes[0], "mean of the six, %"), (axes[1], "loss per crop")):
        axis.set_xscale("log", base=2)
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.set(title=title, xlabel="people trained on")
        axis.legend(fontsize=7)
    if len(sizes) > 1:
        _draw_sizes(axes[2], {size: several[-1] for size, several in sizes.items()})
    for axis in axes:
        axis.grid(alpha=0.3)
    figure.supxlabel("; ".join(curve["machines"]), fontsize=6, color="#8a8f96")
    figure.savefig(path, dpi=110)


def _draw_sizes(axis: Any, largest: Mapping[str, Point]) -> None:
    places = range(len(largest))
    for part, style in (("val", "o"), ("seen", "s")):
        axis.plot(places, [100 * point[part]["mean"] for point in largest.values()], style, color=_COLORS[0],
                  mfc="none" if part == "seen" else None,
                  label="unseen people" if part == "val" else "trained on")  # fmt: skip
    axis.set_xticks(places, [f"{size}\n{point['parameters'] / 1e6:.2f}M" for size, point in largest.items()])
    axis.set(title="mean of the six, %, all people", xlabel="size", xlim=(-0.5, len(largest) - 0.5))
    axis.legend(fontsize=7)


def _all(points: Sequence[Point], part: str, name: str) -> Floats:
    """``[1 + R, runs]``: the figure of the people themselves, then of the resamples."""
    return np.array([[point[part][name], *point[part]["resampled"][name]] for point in points], np.float64).T


def _slope(x: Floats, y: Floats) -> Floats:
    """Least squares of each row of ``y [R, P]`` over ``x [P]``."""
    centered = x - x.mean()
    slope: Floats = (y @ centered) / (centered @ centered)
    return slope


def _interval(values: Floats) -> list[float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return [float(low), float(high)]


def _needed(people: int, missing: float, per_doubling: float) -> int | None:
    """Two digits of it; None where no number of people would do, or none that there are."""
    if missing <= 0:
        return people
    if per_doubling <= 0 or missing / per_doubling > 20:
        return None
    exact = people * 2 ** (missing / per_doubling)
    return int(float(f"{exact:.1e}"))


def _range(interval: Sequence[float], sign: str = "") -> str:
    return f"{100 * interval[0]:{sign}.1f} to {100 * interval[1]:{sign}.1f}"
