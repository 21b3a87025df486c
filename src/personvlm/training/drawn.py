"""Drawn people as training samples, a small part of the whole: every color and garment, with exact labels."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from rich.progress import track

from personvlm.data.own import write_personvlm
from personvlm.data.readers import read_samples
from personvlm.data.rendered import rendered_samples
from personvlm.data.sample import Sample
from personvlm.schema import Annotations

TAUGHT = (
    "hair.length", "hair.color", "headwear", "eyewear", "neckwear", "upper.garment", "upper.sleeve", "upper.pattern",
    "upper.neckline", "upper.color", "lower.garment", "lower.color", "footwear.type", "footwear.color", "carrying",
    "view",
)  # fmt: skip
"""What may be learned from a drawing. Who somebody is and what they do is drawn by convention only."""


def drawn_people(folder: Path, count: int, seed: int, quiet: bool = False) -> list[Sample]:
    """``count`` rendered people, drawn once into ``folder`` and read from there afterwards."""
    if count == 0:
        return []
    place = folder / f"rendered-{count}-{seed}-{len(TAUGHT)}"
    listing = place / "all.jsonl"
    if not listing.is_file():
        place.mkdir(parents=True, exist_ok=True)
        samples = []
        people = rendered_samples(count, seed=seed)
        for index, (image, values) in enumerate(track(people, "drawing people", count, disable=quiet or count < 200)):
            path = place / f"{index:05d}.png"
            Image.fromarray(image).save(path)
            known = {name: value for name, value in values.items() if name in TAUGHT}
            samples.append(Sample(path, Annotations.build(known), source="rendered"))
        write_personvlm(samples, listing, place)
    return [Sample(each.image, each.annotations, source="rendered") for each in read_samples(listing, "personvlm")]
