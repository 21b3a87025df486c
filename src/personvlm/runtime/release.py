"""From trained weights to a folder that the describer loads: graphs, then calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.runtime.calibrate import calibrate
from personvlm.runtime.engine import OnnxEngine


def release(directory: Path, validation: Sequence[Sample], taught: Mapping[str, tuple[str, ...]]) -> None:
    """Export the model in ``directory`` and calibrate it on ``validation`` (people that it was not trained on)."""
    from personvlm.runtime.export import export  # torch: only here, so that the describer never needs it

    export(directory)
    calibrate(OnnxEngine(directory), Transform.load(directory), validation, taught).save(directory)
