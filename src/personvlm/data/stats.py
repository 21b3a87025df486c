"""Counts over samples: what is annotated, how often, and how large the pictures are."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

from personvlm.base.images import FORMATS
from personvlm.data.sample import Sample
from personvlm.schema import GROUPS

_MEASURED = 1000


def stats(samples: Sequence[Sample]) -> dict[str, Any]:
    """Counts as a plain dictionary that JSON can hold.

    Keys:
        samples, identities, with_identity, captions, unreadable: counts.
        sources: source -> samples.
        sizes: ``width`` and ``height`` -> min, median, max in pixels, and ``measured``: how many headers were read
            (at most a thousand, evenly spread). Pictures whose header cannot be read count as ``unreadable``.
        groups: group -> ``annotated`` (samples that say anything), ``partial`` (an exclusive group with several
            admissible values; its values are not counted) and ``values``: value -> samples that have it.
    """
    groups = {}
    for group in GROUPS:
        facts = [sample.annotations.known[group.name] for sample in samples if group.name in sample.annotations.known]
        certain = [fact for fact in facts if group.kind == "set" or len(fact.present) == 1]
        counts = Counter(value for fact in certain for value in fact.present)
        groups[group.name] = {
            "annotated": len(facts), "partial": len(facts) - len(certain),
            "values": {value: counts[value] for value in group.columns if counts[value]},
        }  # fmt: skip
    identities = {(sample.source, sample.identity) for sample in samples if sample.identity is not None}
    sizes, unreadable = _sizes(samples)
    return {
        "samples": len(samples), "identities": len(identities),
        "with_identity": sum(sample.identity is not None for sample in samples),
        "captions": sum(len(sample.captions) for sample in samples), "unreadable": unreadable,
        "sources": dict(Counter(sample.source for sample in samples)), "sizes": sizes, "groups": groups,
    }  # fmt: skip


def _sizes(samples: Sequence[Sample]) -> tuple[dict[str, Any], int]:
    chosen = samples[:: max(1, -(-len(samples) // _MEASURED))]
    widths, heights = [], []
    for sample in chosen:
        try:
            with Image.open(sample.image, formats=FORMATS) as image:
                widths.append(image.width)
                heights.append(image.height)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # counted below
    sizes: dict[str, Any] = {"measured": len(widths)}
    for name, values in (("width", widths), ("height", heights)):
        if values:
            sizes[name] = {"min": min(values), "median": int(statistics.median(values)), "max": max(values)}
    return sizes, len(chosen) - len(widths)


def rows(counts: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Of :func:`stats`, one row per annotated group for a table: group, annotated, partial, values by frequency."""
    for name, group in counts["groups"].items():
        if group["annotated"]:
            ordered = sorted(group["values"].items(), key=lambda item: -item[1])
            values = ", ".join(f"{value} {count}" for value, count in ordered)
            yield name, str(group["annotated"]), str(group["partial"]), values
