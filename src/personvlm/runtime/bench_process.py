"""One deployment in a process of its own: describes the pictures of a folder and prints what that took of memory.

    python -m personvlm.runtime.bench_process FOLDER [MODEL]

A separate process, because a benchmark's own memory says nothing about the product's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from personvlm.runtime.bench_hardware import memory_mb
from personvlm.runtime.describer import Describer

HEAVY = ("torch", "transformers", "accelerate")


def main(folder: str, model: str | None = None) -> None:
    """Prints one JSON object: ``pictures``, ``loaded_mb``, ``rss_mb``, ``peak_mb`` and ``heavy``, the packages of
    :data:`HEAVY` that were imported."""
    describer = Describer.load(model)
    loaded = memory_mb()["rss"]
    pictures = sorted(Path(folder).iterdir())
    for _ in describer.results(pictures, batch=16):
        pass
    for picture in pictures[:8]:
        describer.describe(picture)
    memory = memory_mb()
    print(json.dumps({"pictures": len(pictures) + len(pictures[:8]), "loaded_mb": round(loaded, 1),
                      "rss_mb": round(memory["rss"], 1), "peak_mb": round(memory["peak"], 1),
                      "heavy": [name for name in HEAVY if name in sys.modules]}))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
