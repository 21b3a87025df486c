"""Measure a model on PETA's test split and keep the figures in its ``metrics.json``, where README and CLI find them.

    python tools/measure.py [MODEL_FOLDER] [--data TEST.jsonl]

Data come from ``$PERSONVLM_ASSETS/data/peta/test.jsonl`` by default. Needs torch, to count parameters; a folder without
``model.safetensors`` keeps the counts that its ``metrics.json`` has.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from personvlm.data.readers import read_peta
from personvlm.evaluation.evaluate import evaluate
from personvlm.models.edge import EdgeVLM
from personvlm.runtime.describer import Describer, shipped

PRECISION = 0.9
"""What is stated at this precision is measured too. Nothing is fitted here: `personvlm calibrate` does that, on val."""


def counted(model: EdgeVLM) -> dict[str, str | int]:
    """What ``metrics.json`` says of a model itself."""
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return {"name": model.config.name, "version": model.config.version, "parameters": sum(count for count, _ in counts),
            "trainable": sum(count for count, trains in counts if trains)}  # fmt: skip


def main() -> None:
    """Write ``name``, ``version``, ``parameters``, ``trainable`` and ``test`` (the object of ``evaluate --json``)."""
    assets = Path(os.environ.get("PERSONVLM_ASSETS", "../shared"))
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path, nargs="?", default=shipped())
    parser.add_argument("--data", type=Path, default=assets / "data" / "peta" / "test.jsonl")
    given = parser.parse_args()
    path = given.model / "metrics.json"
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if "parameters" not in kept or (given.model / "model.safetensors").is_file():
        kept |= counted(EdgeVLM.load(given.model))
    describer = Describer.load(given.model)
    test = evaluate(describer, read_peta(given.data), describer.calibration.benchmark, min_precision=PRECISION,
                    progress=lambda stage: print(stage, file=sys.stderr))  # fmt: skip
    path.write_text(json.dumps({**kept, "test": test}, indent=1, allow_nan=False) + "\n", "utf-8")
    print(path)


if __name__ == "__main__":
    main()
