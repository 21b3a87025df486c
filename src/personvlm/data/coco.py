"""COCO's JSON with attributes of people: boxes in pictures of whole scenes, of which crops are cut.

``annotations`` of the category ``person`` count, with an object ``attributes`` (as CVAT and others write it) in our
vocabulary or through a table (:mod:`personvlm.data.attribute_names`). Read too, where they are there: ``caption`` or
``captions``; ``identity``, or else ``track_id``; ``camera`` of the annotation or its image. Crowds and people of whom
nothing is known are left out.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.base.images import MIN_SIDE, decode
from personvlm.data.attribute_names import EMPTY, Table, read_table, table_beside, translated
from personvlm.data.lines import check_images, read_json
from personvlm.data.sample import Sample

_log = logging.getLogger(__name__)

MARGIN = 0.05
"""Of the sides of a box, added around it: what `personvlm run` cuts out, and so what a model gets to see."""

PEOPLE = frozenset(("person", "pedestrian"))
_QUALITY = 95


@dataclass(frozen=True)
class _Person:
    """An annotation: ``box`` is (left, top, width, height) in the picture ``sample.image``, in pixels, which the file
    calls ``name`` and says to be of ``size`` (width, height)."""

    number: int | str
    name: str
    sample: Sample
    box: tuple[float, float, float, float]
    size: tuple[int, int] | None


def read_coco(path: Path, root: Path | None = None, mapping: Path | None = None,
              crops: Path | None = None) -> list[Sample]:  # fmt: skip
    """Read a file of COCO's detection format.

    Args:
        path: the JSON file.
        root: the folder that ``file_name`` of the images starts from; by default the file's own.
        mapping: a table of attributes; by default ``NAME.mapping.json`` beside the file, if it is there.
        crops: where crops are put, which are made once; by default ``NAME.crops`` beside the file. A box around the
            whole picture is not cut.

    Raises:
        InputError: not of the format (names the annotation), an attribute that nobody knows, missing or damaged
            images, or no person with attributes.
    """
    document = _document(path)
    beside = table_beside(path)
    table = read_table(mapping) if mapping is not None else read_table(beside) if beside.is_file() else EMPTY
    images = _images(path, document)
    people, bare = list[_Person](), 0
    for person in _people(path, document, images, path.parent if root is None else root, table):
        if person.sample.annotations.known or person.sample.captions:
            people.append(person)
        else:
            bare += 1
    if not people:
        raise InputError(f"{path}: none of its {bare} people has attributes that say anything; give annotations an "
                         "object 'attributes'")  # fmt: skip
    if bare:
        _log.warning("%s: %d people of whom nothing is annotated are left out", path, bare)
    check_images((person.sample.image for person in people), path)
    return _cut(path, people, path.with_name(f"{path.stem}.crops") if crops is None else crops)


def _document(path: Path) -> Mapping[str, Any]:
    document = read_json(path)
    needed = ("images", "annotations", "categories")
    if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in needed):
        raise InputError(f"{path}: not COCO's format: one object with the lists {', '.join(needed)}; a list of results "
                         "alone names no pictures")  # fmt: skip
    return document


def _images(path: Path, document: Mapping[str, Any]) -> dict[Any, Mapping[str, Any]]:
    images: dict[Any, Mapping[str, Any]] = {}
    for row, image in enumerate(document["images"]):
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str) or (
                not isinstance(image.get("id"), int | str)):  # fmt: skip
            raise InputError(f"{path}, images[{row}]: 'id' and 'file_name' are needed, a number and a name")
        images[image["id"]] = image
    return images


def _people(path: Path, document: Mapping[str, Any], images: Mapping[Any, Mapping[str, Any]], root: Path,
            table: Table) -> Iterator[_Person]:  # fmt: skip
    names = {each["id"]: str(each.get("name")) for each in document["categories"]
             if isinstance(each, dict) and isinstance(each.get("id"), int | str)}  # fmt: skip
    wanted = {number for number, name in names.items() if name.strip().lower() in PEOPLE}
    if not wanted:
        raise InputError(f"{path}: no category is named {' or '.join(sorted(PEOPLE))}; there are "
                         f"{', '.join(map(repr, names.values())) or 'none'}")  # fmt: skip
    for row, given in enumerate(document["annotations"]):
        number = given.get("id", f"[{row}]") if isinstance(given, dict) else f"[{row}]"
        try:
            if given["category_id"] in wanted and not given.get("iscrowd"):
                yield _person(number, given, images, root, table)
        except KeyError as error:
            raise InputError(f"{path}, annotation {number}: no {error.args[0]!r}") from None
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(f"{path}, annotation {number}: {error}") from None


def _person(number: int | str, given: Mapping[str, Any], images: Mapping[Any, Mapping[str, Any]], root: Path,
            table: Table) -> _Person:  # fmt: skip
    if given["image_id"] not in images:
        raise ValueError(f"'image_id' is {given['image_id']!r}, and there is no such image")
    image, box = images[given["image_id"]], given["bbox"]
    if (not isinstance(box, list) or len(box) != 4 or not all(isinstance(side, int | float) for side in box)
            or not all(map(math.isfinite, box)) or min(box[2:]) <= 0):  # fmt: skip
        raise ValueError(f"'bbox' is {box!r}; it must be [left, top, width, height] in pixels")
    attributes = given.get("attributes") or {}
    if isinstance(attributes, list):  # tags: those that are listed hold
        attributes = dict.fromkeys(map(str, attributes), True)
    if not isinstance(attributes, dict):
        raise ValueError("'attributes' must be an object: name -> value")
    captions = given.get("captions", given.get("caption")) or []
    captions = [captions] if isinstance(captions, str) else captions
    if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
        raise ValueError("'captions' must be a text or a list of texts")
    camera = given.get("camera", image.get("camera"))
    track = given.get("track_id", attributes.get("track_id"))
    identity = given.get("identity")
    if identity is None and track is not None:
        identity = f"track {track}" if camera is None else f"{camera} {track}"
    size = (image.get("width"), image.get("height"))
    left, top, width, height = map(float, box)
    return _Person(
        number, image["file_name"],
        Sample(root / image["file_name"], translated(attributes, table), tuple(captions),
               None if identity is None else str(identity), () if camera is None else (f"camera={camera}",), "coco"),
        (left, top, width, height),
        (int(size[0]), int(size[1])) if size[0] and size[1] else None,
    )  # fmt: skip


def _cut(path: Path, people: list[_Person], folder: Path) -> list[Sample]:
    """The samples, in their order, each with the file of its crop."""
    samples: dict[int, Sample] = {}
    missing: dict[Path, list[tuple[int, _Person, Path]]] = {}
    for row, person in enumerate(people):
        if person.size is not None and _whole(person.box, person.size):
            samples[row] = person.sample
            continue
        crop = folder / f"{_digest(person)}.jpg"
        if crop.is_file():
            samples[row] = replace(person.sample, image=crop)
        else:
            missing.setdefault(person.sample.image, []).append((row, person, crop))
    small = 0
    for image, items in missing.items():  # a picture is decoded once for everybody in it
        pixels = decode(image)
        height, width = pixels.shape[:2]
        for row, person, crop in items:
            if person.size is not None and person.size != (width, height):
                raise InputError(f"{path}, annotation {person.number}: {image} has {width}x{height} pixels, not "
                                 f"{person.size[0]}x{person.size[1]}; boxes would be somewhere else")  # fmt: skip
            if _whole(person.box, (width, height)):
                samples[row] = person.sample
                continue
            cut = _cropped(pixels, person.box)
            if min(cut.shape[:2]) < MIN_SIDE:
                small += 1
                continue
            _save(cut, crop)
            samples[row] = replace(person.sample, image=crop)
    if small:
        _log.warning("%s: %d people under %d pixels, or outside their picture, are left out", path, small, MIN_SIDE)
    return [samples[row] for row in sorted(samples)]


def _whole(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    left, top, width, height = box
    return left <= 0 and top <= 0 and left + width >= size[0] and top + height >= size[1]


def _cropped(pixels: NDArray[np.uint8], box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    left, top, width, height = box
    more_x, more_y = MARGIN * width, MARGIN * height
    x1, y1 = max(0, math.floor(left - more_x)), max(0, math.floor(top - more_y))
    x2, y2 = max(0, math.ceil(left + width + more_x)), max(0, math.ceil(top + height + more_y))
    return pixels[y1:y2, x1:x2]


def _digest(person: _Person) -> str:
    """A name: the same for the same box in the same file, another for a file that was written anew."""
    status = person.sample.image.stat()
    key = f"{person.name}\x1f{status.st_size}\x1f{status.st_mtime_ns}\x1f{person.box}\x1f{MARGIN}"
    return hashlib.sha256(os.fsencode(key)).hexdigest()[:24]


def _save(pixels: NDArray[np.uint8], crop: Path) -> None:
    part = crop.with_suffix(f".{os.getpid()}.part")
    try:
        crop.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(part, "JPEG", quality=_QUALITY, subsampling=0)
        part.replace(crop)  # what was begun and not finished must not be taken for a crop
    except OSError as error:
        raise InputError(f"{crop.parent}: crops cannot be put here ({error.strerror}); copy the JSON file to a folder "
                         "of your own, and name that of its pictures with --root") from None  # fmt: skip
