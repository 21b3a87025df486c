"""``personvlm backfill``: an archive of crops, described once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from personvlm.base.errors import extra
from personvlm.cli.describe import MinPrecision, Model, NoAge, NoGender, Quiet
from personvlm.cli.output import print_json, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from personvlm.pipeline.backfill import Backfilled
    from personvlm.pipeline.backfill_sources import Piece


def backfill(
    source: Annotated[
        str, typer.Argument(metavar="DIR|GLOB|LIST.jsonl|URL", help="Crops; s3://bucket/crops and what fsspec knows.")
    ],
    store: Annotated[str | None, typer.Option(metavar="FILE|URL", help="Where descriptions go.")] = None,
    queue: Annotated[
        str | None, typer.Option(metavar="URL", help="Instead: queue them for workers, behind everything else.")
    ] = None,
    blobs: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="With --queue: pictures too large for messages.")
    ] = None,
    engine: Annotated[Literal["local", "ray"], typer.Option(help="This process, or a Ray cluster.")] = "local",
    camera: Annotated[str, typer.Option(help="For crops that name none.")] = "archive",
    concurrency: Annotated[int, typer.Option(min=1, help="Batches (ray: describers) at the same time.")] = 1,
    gpus: Annotated[float, typer.Option(min=0.0, help="ray: GPUs of each describer.")] = 0.0,
    batch: Annotated[int, typer.Option(min=1, help="Crops in a batch.")] = 16,
    no_crops: Annotated[bool, typer.Option("--no-crops", help="Do not copy the pictures into the store.")] = False,
    min_precision: MinPrecision = None,
    no_gender: NoGender = False,
    no_age: NoAge = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Describe an archive. Broken off, it goes on where it was; what is described already is not described again.

    Exit status 1 if a crop could not be described; the others were.
    """
    if (store is None) == (queue is None):
        raise typer.BadParameter("give one of --store and --queue")
    if queue is not None and min_precision is not None:
        raise typer.BadParameter("--min-precision with --queue: the workers describe, give it to them")
    if queue is not None and (no_gender or no_age):
        raise typer.BadParameter("--no-gender and --no-age with --queue: the workers describe, give it to them")
    options = {"min_precision": min_precision, "gender": not no_gender, "age": not no_age}
    with extra("`personvlm backfill`", "service"):
        from personvlm.pipeline.backfill_sources import pieces
        from personvlm.store import Store
    found = pieces(source, camera)
    if queue is not None:
        done = _enqueue(found, queue, blobs, quiet)
    else:
        assert store is not None
        from personvlm.runtime.describer import Describer
        from personvlm.runtime.tracks import TrackModel

        with Store.open(store, keep_crops=not no_crops) as people:
            describer = Describer.load(model)
            if engine == "ray":
                from personvlm.pipeline.backfill_ray import backfill_ray

                done = backfill_ray(found, people, describer.name, model=_text(model), batch=batch, gpus=gpus,
                                    concurrency=concurrency, options=options, watch=_watch(quiet))  # fmt: skip
            else:
                from personvlm.pipeline.backfill import backfill as run

                track = TrackModel(describer, min_precision=min_precision, gender=not no_gender, age=not no_age)
                done = run(found, people, track, batch=batch, concurrency=concurrency, watch=_watch(quiet))
    _tell(done, as_json, quiet)
    if done.failed:
        raise typer.Exit(1)


def _enqueue(found: Iterator[Piece], url: str, blobs: str | None, quiet: bool) -> Backfilled:
    from personvlm.events import open_queue
    from personvlm.pipeline.backfill import enqueue
    from personvlm.store import Blobs

    opened = open_queue(url, blobs=None if blobs is None else Blobs.open(blobs))
    try:
        return enqueue(found, opened, watch=_watch(quiet))
    finally:
        opened.close()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _watch(quiet: bool) -> Callable[[Backfilled], None]:
    import time

    last = [time.monotonic()]

    def show(done: Backfilled) -> None:
        if not quiet and sys.stderr.isatty() and time.monotonic() - last[0] > 2.0:
            last[0] = time.monotonic()
            rate = (done.described + done.queued) / max(1e-9, done.seconds)
            print(f"\r{done.seen} seen, {done.described + done.queued} done ({rate:.0f}/s), {done.known} known, "
                  f"{done.failed} failed ", end="", file=sys.stderr, flush=True)  # fmt: skip

    return show


def _tell(done: Backfilled, as_json: bool, quiet: bool) -> None:
    if not quiet and sys.stderr.isatty():
        print(file=sys.stderr)
    for place, why in done.problems:
        print(f"personvlm: error: {printable(place)}: {printable(why)}", file=sys.stderr)
    if done.failed > len(done.problems):
        print(f"personvlm: error: and {done.failed - len(done.problems)} more", file=sys.stderr)
    if as_json:
        print_json({"seen": done.seen, "known": done.known, "described": done.described, "queued": done.queued,
                    "failed": done.failed, "seconds": round(done.seconds, 3)})  # fmt: skip
    elif not quiet:
        what = f"{done.queued} queued" if done.queued else f"{done.described} described"
        print(f"{done.seen} crops: {what}, {done.known} known before, {done.failed} failed, in {done.seconds:.1f} s")
