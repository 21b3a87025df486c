"""``personvlm worker``: events from a queue, descriptions into a store."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.base import logs
from personvlm.base.errors import InputError, extra
from personvlm.cli.describe import LogFormat, MinPrecision, Model, NoAge, NoGender, Quiet, Saying
from personvlm.cli.output import print_json
from personvlm.cli.who import Ways, known_again

if TYPE_CHECKING:
    from personvlm.store import Blobs


def worker(
    queue: Annotated[str, typer.Option(metavar="URL", help="Where events come from.")],
    store: Annotated[str, typer.Option(metavar="FILE|URL", help="Where descriptions go.")],
    blobs: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Pictures too large for messages (default: the store's).")
    ] = None,
    cache: Annotated[
        str | None, typer.Option(metavar="redis://", help="Keep each camera's latest descriptions in Redis, too.")
    ] = None,
    gpu: Annotated[int | None, typer.Option(min=0, metavar="N", help="Use this GPU; one process for each.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Batches at the same time.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use (default: all).")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Most events in a batch.")] = 16,
    health_port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="P", help="Serve /healthz, /readyz and /metrics there.")
    ] = None,
    drain: Annotated[float, typer.Option(min=0.0, help="Seconds to finish in after SIGTERM.")] = 30.0,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when the queue is empty.")] = False,
    cameras: Ways = None,
    no_crops: Annotated[bool, typer.Option("--no-crops", help="Store no pictures of people.")] = False,
    say: Saying = "confident",
    min_precision: MinPrecision = None,
    no_gender: NoGender = False,
    no_age: NoAge = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of the events at the end.")] = False,
    log_format: LogFormat = None,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Describe events until SIGTERM or Ctrl-C, then finish what was claimed. Any number of workers share a queue."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
    with extra("`personvlm worker`", "service"):
        from personvlm.alerts.engine import Alerts
        from personvlm.events import open_queue
        from personvlm.events.describing import EventEngine
        from personvlm.events.worker import Worker, WorkerSettings
        from personvlm.events.worker_http import WorkerServer
        from personvlm.store import Blobs, Store
        from personvlm.store.database import as_url
        from personvlm.store.hot import with_cache
        from personvlm.store.who import Linking
    from personvlm.runtime.batching_queue import BatchSettings

    logs.start(log_format, quiet=quiet)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # the worker says it itself when the broker is gone
    place = None if blobs is None else Blobs.open(blobs)
    beside = as_url(store).get_backend_name() == "sqlite"  # has a folder of its own
    shelved = None if beside else place
    with with_cache(Store.open(store, blobs=shelved, keep_crops=not no_crops), cache) as people:
        shelf = place or people.blobs
        events = open_queue(queue, blobs=shelf, store=people)
        ahead = batch * (concurrency + 2)
        settings = BatchSettings(batch=batch, queue=max(256, ahead), preparers=1)
        describing = _model(model, gpu, threads, say=say, min_precision=min_precision, gender=not no_gender,
                            age=not no_age)  # fmt: skip
        engine = EventEngine(describing, shelf, settings, concurrency)
        known, alerts = known_again(cameras), Alerts(people).observe
        observe = alerts if known is None else Linking(people, known, alerts)
        working = Worker(events, people, engine, WorkerSettings(ahead=ahead, drain_s=drain),
                         observe=observe, blobs=place)  # fmt: skip
        server = None if health_port is None else WorkerServer(working, health_port)
        if server is not None:
            logging.getLogger(__name__).info("health and metrics on port %d", server.port, extra={"port": server.port})

        def stop(number: int, frame: Any) -> None:
            signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait
            working.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if place is not None:
            threading.Thread(target=_sweep, args=(place,), daemon=True).start()
        try:
            working.run(until_empty=until_empty)
        finally:
            if server is not None:
                server.close()
            events.close()
    if as_json:
        print_json(dict(working.counts))


def _sweep(place: Blobs) -> None:
    """Pictures of events are deleted once they have expired: whoever works on them does it, every hour."""
    while True:
        time.sleep(3600.0)
        try:
            place.sweep()
        except OSError as error:
            logging.getLogger(__name__).warning("pictures that have expired could not be deleted: %s", error)


def _model(path: Path | None, gpu: int | None, threads: int | None, *, say: Literal["confident", "all"],
           min_precision: float | None, gender: bool, age: bool) -> Any:  # fmt: skip
    from personvlm.runtime.describer import Describer
    from personvlm.runtime.tracks import TrackModel

    describer = Describer.load(path, threads=threads)
    if gpu is not None and describer.backend.startswith("onnx"):
        raise InputError(f"--gpu {gpu}: {describer.backend}; leave --gpu out to work on the cores")
    logging.getLogger(__name__).info("%s on %s", describer.name, describer.backend)
    return TrackModel(describer, say=say, min_precision=min_precision, gender=gender, age=age)
