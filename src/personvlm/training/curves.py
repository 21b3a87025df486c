"""The curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from personvlm.training.loop import read_curves


def plot(source: Path, target: Path) -> None:
    """Losses (smoothed over 1/100 of the run) and validation figures of ``curves.csv`` as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    series: dict[str, list[tuple[int, float]]] = {}
    for step, name, value in read_curves(source):
        series.setdefault(name, []).append((step, value))
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, points in series.items():
        steps, values = np.array(points).T
        if name.startswith("val."):
            right.plot(steps, values, marker="o", markersize=3, label=name.removeprefix("val."))
        elif name not in ("loss", "lr") and not name.startswith("clock."):
            window = max(1, len(values) // 100)
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            left.plot(steps[window - 1 :], smooth, label=name)
    left.set(title="training losses", xlabel="step", yscale="log")
    right.set(title="validation, heads", xlabel="step")
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
