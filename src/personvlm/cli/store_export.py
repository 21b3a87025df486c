"""How each format of ``personvlm store export`` is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from personvlm.schema import Described
    from personvlm.store import Store

FOLDERS = ("coco", "fiftyone", "labelstudio")
"""Formats that are a folder with pictures."""


def exporter(
    store: Store, form: str, out: Path | None, address: str | None
) -> Callable[[Iterable[Described]], tuple[int, int]]:
    """Writes people; returns how many, and how many could not be for want of a picture. Faults of what was asked come
    now."""
    if form not in FOLDERS or out is None:
        from personvlm.store import export as exporting

        plain: Any = form
        return lambda people: (exporting.write(people, sys.stdout if out is None else out, plain), 0)
    from personvlm.store import export_folder

    if form == "labelstudio":
        from personvlm.integrations import labels

        pictures = export_folder.Pictures(store.blobs, out, labels.IMAGES, store.links())
    else:
        folder: Any = form
        pictures = export_folder.open_folder(store.blobs, out, folder, store.links())

    def write(people: Iterable[Described]) -> tuple[int, int]:
        if form == "labelstudio":
            labels.write_tasks(people, pictures, address)
        else:
            export_folder.write_folder(people, pictures, folder)
        return pictures.written, pictures.without

    return write
