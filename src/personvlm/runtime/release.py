"""From trained weights to a folder that the describer loads: graphs, then calibration; and calibration by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from personvlm.base.errors import InputError
from personvlm.base.folders import check_free, copy_files
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.models.config import EdgeConfig
from personvlm.runtime.calibrate import calibrate
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.engine import OnnxEngine
from personvlm.schema import GROUP
from personvlm.schema.groups import column_slices

SHOWN = (0.8, 0.9, 0.95)
"""Precisions at which a summary says which values can be stated."""

MEASURED = ("metrics.json", "MODEL_CARD.md", "adapted.json", "versions.json")
"""What was measured of a model, and what it was before, says nothing about one that looks, or is sure, otherwise."""

Progress = Callable[[Iterable[int], int], Iterable[int]]


def release(directory: Path, validation: Sequence[Sample], taught: Mapping[str, tuple[str, ...]]) -> None:
    """Export the model in ``directory`` and calibrate it on ``validation`` (people that it was not trained on)."""
    from personvlm.runtime.export import export  # torch: only here, so that the describer never needs it

    export(directory)
    calibrate(OnnxEngine(directory), Transform.load(directory), validation, taught).save(directory)


def at_size(directory: Path, out: Path, height: int, width: int, name: str = "") -> dict[str, int]:
    """The same weights looking at pictures of another size: a copy of the folder with graphs and transform of its own.
    Confidence is still that of the old size: :func:`recalibrate` it.

    Args:
        directory: a trained edge model.
        out: gets the copy, less what was measured at the old size.
        height, width: in pixels, multiples of 32.
        name: what descriptions shall call it; by default as before, under a version of its own.

    Returns:
        Size of each graph in bytes.

    Raises:
        InputError: the size does not fit, ``directory`` has no weights, or ``out`` holds something.
    """
    from personvlm.runtime.export import export

    if min(height, width) < 64 or height % 32 or width % 32:
        raise InputError(f"size {height}x{width}: height and width must be multiples of 32, and 64 at least")
    check_free(out)
    config, transform = EdgeConfig.load(directory), Transform.load(directory)
    copy_files(directory, out, (*MEASURED, "*.onnx"))
    (replace(config, name=name) if name else config.told_apart(f"{height}x{width}".encode())).save(out)
    replace(transform, height=height, width=width).save(out)
    return export(out)


def recalibrate(
    directory: Path, samples: Sequence[Sample], *, out: Path | None = None, batch: int = 32,
    progress: Progress = lambda steps, total: steps,
) -> Calibration:  # fmt: skip
    """Fit the calibration of a finished model anew, on other people than those it was trained on. Needs no torch.

    Args:
        directory: the model; its ``calibration.json`` says which values it was taught.
        samples: labelled pictures. Groups that they do not label keep the calibration they had, and are not said at a
            stated precision.
        out: leave the model alone and write a copy with the new calibration here.
        batch: pictures per call of the model.
        progress: passes on the start of each batch, of so many.

    Raises:
        InputError: the model or the pictures cannot be read, nothing is labelled, or ``out`` holds something else.
    """
    before = Calibration.load(directory)
    if not any(sample.annotations.known.keys() & before.taught.keys() for sample in samples):
        raise InputError(f"nothing to calibrate on: none of {len(samples)} samples labels a group that the model knows")
    if out is not None:
        check_free(out)
    fitted = calibrate(OnnxEngine(directory), Transform.load(directory), samples, before.taught, before=before,
                       batch=batch, progress=progress)  # fmt: skip
    if out is not None:
        copy_files(directory, out, MEASURED)
    fitted.save(directory if out is None else out)
    return fitted


def summary(calibration: Calibration) -> dict[str, Any]:
    """What a calibration came to, fit for JSON: ``people``, ``track``, and per taught group ``scale``, whether it is
    ``shifted``, and ``said_at``: precision -> values that can be stated at it."""
    said = {level: calibration.at_precision(level).confident for level in SHOWN}
    groups = {}
    for name in GROUP:
        if name in calibration.taught:
            where = column_slices()[name]
            groups[name] = {
                "scale": calibration.scale[where][0], "shifted": any(calibration.shift[where]),
                "said_at": {f"{level:g}": [value for value in GROUP[name].values if said[level][name][value] <= 1]
                            for level in SHOWN},
            }  # fmt: skip
    return {"people": calibration.people, "track": calibration.track, "groups": groups}
