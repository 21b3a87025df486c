"""An archive described by Ray Data: the same describer as everywhere, as a class that ``map_batches`` takes.

Reading and describing are spread over the cluster; the driver stores, so that one process writes to the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from personvlm.base.errors import InputError, extra
from personvlm.pipeline.backfill import Backfilled, fresh, parts, store_all
from personvlm.pipeline.backfill_sources import Piece, read
from personvlm.schema import PersonDescription
from personvlm.store.store import Store

PART = 100_000
"""Crops in one Ray job: what a driver that dies has to look up again is at most this."""


class ArchiveDescriber:
    """Pieces of an archive in, descriptions out, in the form that Ray Data's ``map_batches`` wants; it needs no Ray.

    Args:
        model: a folder with a model; None is the one that ships.
        threads: cores to use.
        options: see :class:`personvlm.runtime.tracks.TrackModel`.

    Example:
        >>> describer = ArchiveDescriber()  # doctest: +SKIP
        >>> describer({"place": ["a.jpg"], "camera": ["gate"], "time": [0.0]})["description"]  # doctest: +SKIP
        ['{"text": "The image shows ...
    """

    def __init__(self, model: str | None = None, threads: int | None = None, **options: Any) -> None:
        from personvlm.runtime.describer import Describer
        from personvlm.runtime.tracks import TrackModel

        self._model = TrackModel(Describer.load(model, threads=threads), **options)

    def __call__(self, batch: dict[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Columns ``place``, ``camera``, ``time`` in; these, ``data`` (the bytes) and ``description`` (JSON, or empty)
        and ``error`` out."""
        describer, pictures, rows = self._model.describer, [], []
        out: dict[str, list[Any]] = {name: list(batch[name]) for name in ("place", "camera", "time")}
        out["data"], out["description"] = [b""] * len(out["place"]), [""] * len(out["place"])
        out["error"] = [""] * len(out["place"])
        for row, place in enumerate(out["place"]):
            try:
                out["data"][row] = read(str(place))
                pictures.append([(describer.transform.fit(describer._read(out["data"][row])), 1.0)])
                rows.append(row)
            except (OSError, InputError) as error:
                out["error"][row] = str(error)
        for row, description in zip(rows, self._model.describe_all(pictures), strict=True):
            out["description"][row] = description.model_dump_json()
        return out


def backfill_ray(found: Iterable[Piece], store: Store, model_name: str, *, model: str | None = None, batch: int = 64,
                 concurrency: int = 1, gpus: float = 0.0, options: dict[str, Any] | None = None,
                 watch: Callable[[Backfilled], None] = lambda so_far: None) -> Backfilled:  # fmt: skip
    """See :func:`personvlm.pipeline.backfill.backfill`.

    Args:
        model_name: name and version of the model, to know what is described already.
        concurrency: describers at the same time.
        gpus: of each.

    Raises:
        InputError: Ray is missing.
    """
    with extra("--engine ray", "ray"):
        import ray.data  # type: ignore[import-not-found,unused-ignore]
    done, began = Backfilled(), time.monotonic()
    for part in parts(fresh(found, store, model_name, done), PART):
        rows = [{"place": piece.place, "camera": piece.camera, "time": piece.time} for piece in part]
        described = ray.data.from_items(rows).map_batches(
            ArchiveDescriber, batch_size=batch, concurrency=concurrency, num_gpus=gpus or None,
            fn_constructor_kwargs={"model": model, **(options or {})})  # fmt: skip
        for result in described.iter_batches(batch_size=256):
            keep(result, store, done)
            done.seconds = time.monotonic() - began
            watch(done)
    done.seconds = time.monotonic() - began
    return done


def keep(result: dict[str, Any], store: Store, done: Backfilled) -> None:
    """Store what :class:`ArchiveDescriber` gave."""
    answers = []
    for row, place in enumerate(result["place"]):
        piece = Piece(str(place), str(result["camera"][row]), float(result["time"][row]))
        text = str(result["description"][row])
        answer = PersonDescription.model_validate_json(text) if text else str(result["error"][row])
        answers.append(((piece, piece.request(bytes(result["data"][row]))), answer))
    store_all(store, answers, done)
