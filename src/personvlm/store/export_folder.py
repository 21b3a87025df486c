"""People out of a store with their pictures, as a folder that other programs open: COCO, FiftyOne.

One sample per person: the best picture that is kept of the description that holds. The frame that it was cut from is
not kept, so that the box of a person is the whole picture; where it was in the frame is said beside it. Whoever has no
picture any more (never kept, expired) is left out and counted.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from PIL import Image

from personvlm import __version__
from personvlm.base.errors import InputError
from personvlm.base.images import ENDINGS, FORMATS
from personvlm.schema import GROUP, OTHER, UNKNOWN, Attribute, Described
from personvlm.store.blobs import BlobMissingError, Blobs
from personvlm.store.links import StoredLink

Format = Literal["coco", "fiftyone"]

NAMES: MappingProxyType[str, str] = MappingProxyType({"coco": "annotations.json", "fiftyone": "samples.json"})
"""Format -> the file in the folder that is opened."""

_FOLDERS = MappingProxyType({"coco": "images", "fiftyone": "data"})
PERSON = "person"


@dataclass(frozen=True)
class Pictured:
    """A person with the picture that was written.

    Attributes:
        described: what holds.
        identity: the same for everybody whom links connect, so that a split puts nobody on both sides.
        file: of the picture, relative to the folder, with ``/``.
        width, height: of the picture, in pixels.
        size: of the file, in bytes.
        kind: media type.
    """

    described: Described
    identity: str
    file: str
    width: int
    height: int
    size: int
    kind: str


@dataclass
class Pictures:
    """Writes pictures into a folder and counts.

    Args:
        blobs: where they come from.
        folder: what is exported; it must be new or empty, because pictures of somebody who has been erased since would
            stay in an older one.
        below: the folder in it that pictures go to.
        links: who is who, see :meth:`~personvlm.store.store.Store.links`.

    Attributes:
        written: how many people have a picture.
        without: how many have none.

    Raises:
        InputError: the store keeps its pictures elsewhere, or the folder holds something or cannot be made.
    """

    blobs: Blobs | None
    folder: Path
    below: str
    links: Sequence[StoredLink] = ()
    written: int = field(default=0, init=False)
    without: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.blobs is None:
            raise InputError("this store keeps its pictures elsewhere: name the place with --blobs")
        try:
            if self.folder.exists() and any(self.folder.iterdir()):
                raise InputError(f"{self.folder}: holds something; name a new folder, or empty this one")
            (self.folder / self.below).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder}: no folder can be made here ({error.strerror})") from None
        self._identities = identities(self.links)

    def of(self, people: Iterable[Described]) -> Iterator[Pictured]:
        """Those of ``people`` whose picture could be written, one after the other."""
        for described in people:
            found = self._write(described)
            self.written, self.without = self.written + (found is not None), self.without + (found is None)
            if found is not None:
                yield found

    def _write(self, described: Described) -> Pictured | None:
        request = described.request
        assert self.blobs is not None
        for crop in request.crops:
            if crop.reference is None:
                continue
            try:
                data = self.blobs.get(crop.reference)
            except BlobMissingError:
                continue
            measured = _measured(data)
            if measured is None:
                continue
            form, width, height = measured
            file = f"{self.below}/{request.person}-{request.revision}{ENDINGS[form][0]}"
            (self.folder / file).write_bytes(data)
            return Pictured(described, self._identities.get(request.person, request.person), file, width, height,
                            len(data), f"image/{form.lower()}")  # fmt: skip
        return None


def _measured(data: bytes) -> tuple[str, int, int] | None:
    """Format, width and height as the header says; None for what is no picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return str(image.format), image.width, image.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def identities(links: Iterable[StoredLink]) -> dict[str, str]:
    """Person -> the smallest id of everybody whom links connect; only people with links are in it."""
    parent: dict[str, str] = {}

    def top(one: str) -> str:
        while parent.setdefault(one, one) != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for link in links:
        one, other = sorted((top(link.one), top(link.other)))
        parent[other] = one
    return {one: top(one) for one in list(parent)}


def decided(attributes: dict[str, Attribute]) -> Iterator[tuple[str, Attribute]]:
    """Groups with a value that says something, in the order of the schema."""
    for name in GROUP:
        item = attributes.get(name)
        if item is not None and item.value not in (UNKNOWN, ()):
            yield name, item


def write_folder(people: Iterable[Described], pictures: Pictures, form: Format) -> None:
    """Write ``people`` and, at last, the file of :data:`NAMES`; its absence says that it was not finished.

    Raises:
        InputError: there is nobody whose picture is kept.
    """
    _WRITERS[form](pictures.of(people), pictures.folder)
    if not pictures.written:
        raise InputError(f"nothing to write: of {pictures.without} people no picture is kept")


def open_folder(blobs: Blobs | None, folder: Path, form: Format, links: Sequence[StoredLink] = ()) -> Pictures:
    """A folder for :func:`write_folder`. See :class:`Pictures` for what it raises."""
    return Pictures(blobs, folder, _FOLDERS[form], links)


def write_json(path: Path, value: Any) -> None:
    """A file that is there when it is whole."""
    half = path.with_name(path.name + ".part")
    half.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    half.replace(path)


def _coco(people: Iterable[Pictured], folder: Path) -> None:
    """COCO's detection format. ``area`` is that of the box; there is no outline."""
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, one in enumerate(people, start=1):
        request, said = one.described.request, one.described.description
        at = datetime.fromtimestamp(request.frame_time, timezone.utc).isoformat(timespec="milliseconds")
        images.append({"id": number, "file_name": one.file, "width": one.width, "height": one.height,
                       "date_captured": at.replace("+00:00", "Z"), "camera": request.camera})  # fmt: skip
        box = request.crop.box
        annotations.append({
            "id": number, "image_id": number, "category_id": 1, "bbox": [0, 0, one.width, one.height],
            "area": one.width * one.height, "iscrowd": 0, "segmentation": [], "score": round(request.crop.score, 4),
            "track_id": request.track_id, "camera": request.camera, "identity": one.identity,
            "person": request.person, "frame_time": request.frame_time,
            "frame_bbox": None if box is None else [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "caption": said.text, "model": said.model,
            "attributes": {name: item.value if isinstance(item.value, str) else list(item.value)
                           for name, item in decided(said.attributes)},
            "attribute_scores": {name: round(item.confidence, 4) for name, item in decided(said.attributes)},
        })  # fmt: skip
    if images:
        write_json(folder / NAMES["coco"], {
            "info": {"description": "People of a PersonVLM store", "version": __version__,
                     "date_created": datetime.now(timezone.utc).isoformat(timespec="seconds")},
            "licenses": [], "categories": [{"id": 1, "name": PERSON, "supercategory": PERSON}],
            "images": images, "annotations": annotations,
        })  # fmt: skip


def _fiftyone(people: Iterable[Pictured], folder: Path) -> None:
    """FiftyOne's ``FiftyOneDataset``, in the form without a version, which any of its releases reads and infers the
    fields of."""
    samples = [_sample(one) for one in people]
    if samples:
        write_json(folder / "metadata.json", {
            "name": "personvlm", "media_type": "image",
            "info": {"description": "People of a PersonVLM store", "personvlm": __version__},
        })  # fmt: skip
        write_json(folder / NAMES["fiftyone"], {"samples": samples})


def _sample(one: Pictured) -> dict[str, Any]:
    """A sample: one detection with everything about the person, and a classification per group to filter by."""
    request, said = one.described.request, one.described.description
    values = {name: (item.value if isinstance(item.value, str) else ", ".join(item.value))
              for name, item in decided(said.attributes)}  # fmt: skip
    detection = {
        "_cls": "Detection", "tags": [], "attributes": {}, "label": PERSON, "bounding_box": [0.0, 0.0, 1.0, 1.0],
        "confidence": round(request.crop.score, 4), "index": request.track_id, "text": said.text,
        **{_field(name): value for name, value in values.items()},
    }  # fmt: skip
    sample: dict[str, Any] = {
        "filepath": one.file, "tags": [request.camera],
        "metadata": {"_cls": "ImageMetadata", "size_bytes": one.size, "mime_type": one.kind, "width": one.width,
                     "height": one.height},
        "person": request.person, "identity": one.identity, "camera": request.camera, "track": request.track_id,
        "revision": request.revision, "time": request.frame_time, "text": said.text, "quality": said.quality,
        "model": said.model, "people": {"_cls": "Detections", "detections": [detection]},
    }  # fmt: skip
    for name, item in decided(said.attributes):
        scores = said.scores.get(name, {})
        found = [{"_cls": "Classification", "tags": [], "label": value,
                  "confidence": round(scores.get(value, item.confidence) if len(item.values) > 1 else item.confidence,
                                      4)} for value in item.values if value != OTHER]  # fmt: skip
        if GROUP[name].kind == "set":
            sample[_field(name)] = {"_cls": "Classifications", "classifications": found}
        elif found:
            sample[_field(name)] = found[0]
    return sample


def _field(group: str) -> str:
    """FiftyOne takes a dot for a field within a field."""
    return group.replace(".", "_")


_WRITERS: MappingProxyType[str, Callable[[Iterable[Pictured], Path], None]] = MappingProxyType({
    "coco": _coco, "fiftyone": _fiftyone,
})  # fmt: skip
