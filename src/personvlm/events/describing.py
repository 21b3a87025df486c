"""From events to descriptions, in batches: pictures are fetched and decoded, and those of one person fused."""

from __future__ import annotations

import logging
import time
from typing import Any

from personvlm.base import logs, tracing
from personvlm.base.errors import InputError
from personvlm.events.message import Blobs, fetch
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.runtime.tracks import Scored, TrackModel
from personvlm.schema import PersonDescription
from personvlm.schema.events import DescribeRequest

_log = logging.getLogger(__name__)


class EventEngine(BatchEngine[DescribeRequest, PersonDescription]):
    """A :class:`~personvlm.runtime.batching.BatchEngine` for events. Its futures raise
    :class:`~personvlm.base.errors.InputError` where doing it again is in vain: no picture can be read, or it is gone.

    Of several pictures of a person those that cannot be read are left out.

    Args:
        model: describes.
        blobs: where pictures lie that are not in their message.
        settings: how events become batches.
        concurrency: batches at the same time.
    """

    def __init__(self, model: TrackModel, blobs: Blobs | None = None, settings: BatchSettings | None = None,
                 concurrency: int = 1) -> None:  # fmt: skip
        if concurrency < 1:
            raise InputError(f"at least one batch at a time, not {concurrency}")
        self.model, self._blobs = model, blobs
        super().__init__([self._describe] * concurrency, settings, prepare=self._read)

    def _read(self, request: DescribeRequest) -> tuple[DescribeRequest, list[Scored]]:
        began = time.perf_counter()
        describer, pictures, problems = self.model.describer, [], []
        for crop in fetch(request, self._blobs).crops:
            assert crop.data is not None
            try:
                pictures.append((describer.transform.fit(describer._read(crop.data)), crop.score))
            except InputError as error:
                problems.append(str(error))
        if not pictures:
            raise InputError(f"no picture can be read: {problems[0]}")
        if problems:
            told = logs.of(request, pictures=len(problems), reason=problems[0])
            _log.warning("pictures that cannot be read are left out", extra=told)
        self.time_stage("decode", time.perf_counter() - began)
        return request, pictures

    def _describe(self, people: list[Any]) -> list[PersonDescription]:
        batch = {"personvlm.batch": len(people)}
        with tracing.steps("describe", [request for request, _ in people], facts=batch):
            pictures, moving = [pictures for _, pictures in people], [request.posture for request, _ in people]
            if not any(moving):
                return self.model.describe_all(pictures)
            told = [None if each is None else {"posture": each} for each in moving]
            return self.model.describe_all(pictures, moving=told)
