"""The demo: describe some people and write a report about it that opens anywhere."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from personvlm.base.errors import PersonVLMError
from personvlm.base.images import decode
from personvlm.data.rendered import rendered_samples
from personvlm.pipeline.inputs import Item, described
from personvlm.pipeline.record import record
from personvlm.pipeline.report import Card, Kind, Timing, write_report
from personvlm.runtime.bench_hardware import hardware_line
from personvlm.runtime.describer import Describer
from personvlm.schema import DescribeResult, Values

REPORT = "report.html"
ANSWERS = "answers.jsonl"
_THUMBNAIL = (240, 320)


@dataclass(frozen=True)
class DemoResult:
    """What a demo left behind.

    Attributes:
        report: the HTML report.
        answers: the same as JSON Lines, as ``describe --jsonl`` prints them.
        people: how many were described.
        failed: how many pictures could not be.
        store: what cameras saw, where there were any.
        alerts: how many were raised.
    """

    report: Path
    answers: Path
    people: int
    failed: int
    store: Path | None = None
    alerts: int = 0


def demo(
    items: list[Item] | None = None,
    num_samples: int = 12,
    out: Path = Path("out/demo"),
    *,
    say: Literal["confident", "all"] = "confident",
    seed: int = 7,
    model: Path | None = None,
    watch: Callable[[Iterable[DescribeResult], int], Iterable[DescribeResult]] = lambda results, total: results,
) -> DemoResult:
    """Describe pictures one at a time and write ``report.html`` and ``answers.jsonl`` into ``out``.

    Args:
        items: the pictures; None renders ``num_samples`` people, whose truth then stands beside the answers.
        num_samples: how many people to render.
        out: a folder; made where it is missing.
        say: say what is certain enough, or the most probable value of every group.
        seed: of the rendered people.
        model: a folder with another model.
        watch: passes the answers on, for progress.

    Raises:
        PersonVLMError: the model cannot be loaded, or ``out`` cannot be written.
    """
    truths: list[Values | None]
    kind: Kind
    if items is None:
        people = list(rendered_samples(num_samples, seed))
        items = [Item(f"rendered person {number}", source=pixels) for number, (pixels, _) in enumerate(people, 1)]
        truths = [truth for _, truth in people]
        kind = "rendered"
    else:
        truths = [None] * len(items)
        kind = "given"
    start = time.perf_counter()
    describer = Describer.load(model)
    load_s = time.perf_counter() - start
    good = next((item for item in items if item.error is None), None)
    if good is not None:  # the first call pays for allocations that later ones do not
        list(described([good], describer, say=say))
    start = time.perf_counter()
    answers = list(watch(described(items, describer, say=say, batch=1), len(items)))
    total_s = time.perf_counter() - start
    latencies = tuple(answer.latency_ms for answer in answers if answer.description is not None)
    cards = [
        Card(answer, thumbnail(item.source) if answer.description else None, truth)
        for item, answer, truth in zip(items, answers, truths, strict=True)
    ]
    timing = Timing(hardware_line(), load_s, total_s, latencies)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ANSWERS).write_text("".join(json.dumps(record(answer)) + "\n" for answer in answers), "utf-8")
        write_report(out / REPORT, cards, timing, kind=kind, model=describer.name)
    except OSError as error:
        raise PersonVLMError(f"{out}: the report cannot be written here ({error}); name another --out") from error
    return DemoResult(out / REPORT, out / ANSWERS, len(latencies), len(answers) - len(latencies))


def thumbnail(source: Any) -> bytes:
    """A small JPEG of a picture that a describer can read.

    Args:
        source: a path, bytes, a PIL image or an RGB array.
    """
    image = Image.fromarray(decode(source))
    image.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
