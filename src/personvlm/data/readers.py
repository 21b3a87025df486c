"""Readers of the public data sets that the project trains on and speaks the language of. All give :class:`Sample`.

``root`` is the folder that image paths start from, by default the data file's own. Every reader raises
:class:`~personvlm.base.errors.InputError` for a malformed line (named by file and number) and for missing images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.coco import read_coco
from personvlm.data.lines import check_images, missing_images, read_lines
from personvlm.data.own import identity_of, read_personvlm
from personvlm.data.sample import Sample
from personvlm.schema import Annotations, Known
from personvlm.schema.mappings import ccp, clothing_attribute, msp60k, peta


def read_peta(jsonl: Path, root: Path | None = None) -> list[Sample]:
    """PETA: ``{"image", "identity", "labels": [PETA's own names]}`` per line, for example ``peta/train.jsonl``."""

    def sample(image: Path, row: dict[str, Any]) -> Sample:
        labels = _names(row, "labels")
        return Sample(image, peta.to_annotations(labels), identity=identity_of(row), labels=labels, source="peta")

    return _read(jsonl, root, ("image", "labels"), sample)


def read_ccp(jsonl: Path, root: Path | None = None) -> list[Sample]:
    """Clothing Co-Parsing: ``{"image", "tags": [names]}`` per line. It names no identities."""

    def sample(image: Path, row: dict[str, Any]) -> Sample:
        tags = _names(row, "tags")
        return Sample(image, ccp.to_annotations(tags), labels=tags, source="ccp")

    return _read(jsonl, root, ("image", "tags"), sample)


def read_clothing_attribute(jsonl: Path, root: Path | None = None) -> list[Sample]:
    """Clothing Attribute: ``{"image", "labels": {field: code | null}}`` per line. It names no identities."""

    def sample(image: Path, row: dict[str, Any]) -> Sample:
        labels = row["labels"]
        if not isinstance(labels, dict):
            raise ValueError("'labels' must be an object of the data set's fields")
        names = tuple(f"{field}={code}" for field, code in labels.items() if code is not None)
        return Sample(image, clothing_attribute.to_annotations(labels), labels=names, source="clothing_attribute")

    return _read(jsonl, root, ("image", "labels"), sample)


_VIEWS = MappingProxyType({
    "front": ("front",), "back": ("back",), "side": ("side",),
    "front-side": ("front", "side"), "back-side": ("back", "side"),
})  # fmt: skip


def read_orientation(jsonl: Path, root: Path | None = None, split: str | None = None) -> list[Sample]:
    """Crops with one of eight body orientations: ``{"image", "identity", "camera", "view", "split"}`` per line.

    A diagonal orientation ("back-side") is a partial label: both of its views are admissible. Nothing but the view is
    annotated.

    Args:
        jsonl: the data file.
        root: the folder that image paths start from.
        split: keep only these people: ``train`` or ``test``; all by default.
    """

    def sample(image: Path, row: dict[str, Any]) -> Sample:
        if row["view"] not in _VIEWS:
            raise ValueError(f"'view' is {row['view']!r}; legal: {', '.join(_VIEWS)}")
        view = Annotations({"view": Known(frozenset(_VIEWS[row["view"]]))})
        labels = (row["view"], f"camera={row['camera']}", f"split={row['split']}")
        return Sample(image, view, identity=identity_of(row), labels=labels, source="orientation")

    samples = _read(jsonl, root, ("image", "identity", "camera", "view", "split"), sample)
    return [sample for sample in samples if split is None or f"split={split}" in sample.labels]


def read_msp60k(jsonl: Path, root: Path | None = None, *, pictures: bool = True) -> list[Sample]:
    """MSP60K's caption files: ``{"image", "one_hot": [58 numbers], "answer": caption}`` per line.

    Images are looked for at ``root/image`` and, where they are not there, at ``root/name``. The identity is the track
    (see :func:`track_of`). With ``pictures=False`` they need not be there, and the labels and captions are used alone.
    """
    root = jsonl.parent if root is None else root

    def sample(image: Path, row: dict[str, Any]) -> Sample:
        if not isinstance(row["one_hot"], list):
            raise ValueError(f"'one_hot' must be a list of 58 zeros and ones, not {row['one_hot']!r}")
        labels = msp60k.labels_of(row["one_hot"])
        answer = row.get("answer") or ""
        if not isinstance(answer, str):
            raise ValueError(f"'answer' must be a text, not {type(answer).__name__}")
        captions = (answer,) if answer.strip() else ()
        return Sample(image, msp60k.to_annotations(row["one_hot"]), captions, track_of(image), labels, "msp60k")

    rows = list(read_lines(jsonl, ("image", "one_hot")))
    for number, row in rows:
        if not isinstance(row["image"], str):
            raise InputError(f"{jsonl}, line {number}: 'image' must be a path, not {row['image']!r}")
    images = [root / row["image"] for _, row in rows]
    if missing_images(images):
        flat = [root / image.name for image in images]
        images = flat if len(missing_images(flat)) < len(missing_images(images)) else images
    if pictures:
        check_images(images, jsonl)
    return [_build(sample, image, jsonl, number, row) for image, (number, row) in zip(images, rows, strict=True)]


def track_of(image: Path) -> str:
    """The track that an MSP60K image belongs to: its name before its last ``_``, which is followed by the frame.

    A few images have no frame number (``part14_00355.jpg``, 25 of 3,000); all of a part are then one track, which keeps
    them on one side of a split. Where nothing before the ``_`` counts anything (``crop_0017.jpg``), an image is a track
    of its own. Neighboring tracks may show the same person; the data set does not say.

    Example:
        >>> track_of(Path("images/part15_01629_012.jpg"))
        'part15_01629'
    """
    track = image.stem.rpartition("_")[0]
    return track if any(letter.isdigit() for letter in track) else image.stem


READERS: MappingProxyType[str, Callable[[Path, Path | None], list[Sample]]] = MappingProxyType({
    "peta": read_peta, "personvlm": read_personvlm, "ccp": read_ccp, "clothing_attribute": read_clothing_attribute,
    "orientation": read_orientation, "msp60k": read_msp60k, "coco": read_coco,
})  # fmt: skip


def read_samples(path: Path, format: str, root: Path | None = None, mapping: Path | None = None) -> list[Sample]:
    """Read a data file of a named format (the keys of :data:`READERS`).

    Args:
        path: the data file.
        format: its format.
        root: the folder that image paths start from.
        mapping: what the attributes of a COCO file mean; see :func:`~personvlm.data.coco.read_coco`.

    Raises:
        InputError: no such format, a mapping for one that takes none, or what the reader refuses.
    """
    if format not in READERS:
        raise InputError(f"{format!r} is not a data format; legal: {', '.join(READERS)}")
    if format == "coco":
        return read_coco(Path(path), None if root is None else Path(root), mapping)
    if mapping is not None:
        raise InputError(f"{mapping}: a mapping is for attributes of --format coco; {format} has names of its own")
    return READERS[format](Path(path), None if root is None else Path(root))


def _read(jsonl: Path, root: Path | None, required: tuple[str, ...],
          sample: Callable[[Path, dict[str, Any]], Sample]) -> list[Sample]:  # fmt: skip
    root = jsonl.parent if root is None else root
    samples = [_build(sample, root / str(row["image"]), jsonl, number, row)
               for number, row in read_lines(jsonl, required)]  # fmt: skip
    check_images((sample.image for sample in samples), jsonl)
    return samples


def _build(sample: Callable[[Path, dict[str, Any]], Sample], image: Path, jsonl: Path, number: int,
           row: dict[str, Any]) -> Sample:  # fmt: skip
    try:
        return sample(image, row)
    except (ValueError, TypeError) as error:
        raise InputError(f"{jsonl}, line {number}: {error}") from None


def _names(row: dict[str, Any], key: str) -> tuple[str, ...]:
    names = row[key]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key!r} must be a list of names")
    return tuple(names)
