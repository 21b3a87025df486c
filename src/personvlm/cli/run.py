"""``personvlm run``: cameras in, described people out."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.base import logs
from personvlm.base.errors import extra
from personvlm.cli.describe import MinPrecision, Model, NoAge, NoGender, Quiet, Saying, Spoken
from personvlm.cli.output import print_json
from personvlm.cli.run_screen import counts, line, screen, summary, truth_lines

if TYPE_CHECKING:
    from personvlm.pipeline.run import Run
    from personvlm.pipeline.run_cameras import Camera
    from personvlm.pipeline.run_events import PersonEvent
    from personvlm.video.describing import TrackDescriber


def run(
    arguments: Annotated[
        list[str], typer.Argument(metavar="SOURCE|CAMERAS.yaml...", help="Videos, streams, webcam:0, rendered:, YAML.")
    ],
    annotate: Annotated[
        Path | None, typer.Option(help="Write an MP4 with boxes and descriptions (several cameras: NAME-CAMERA.mp4).")
    ] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Write every event to this file, one per line.")] = None,
    mot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write who is where in every frame as MOTChallenge: CAMERA.txt.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with everybody at the end.")] = False,
    detector: Annotated[
        str, typer.Option(metavar="auto|yolox|motion|given|FILE.onnx", help="Who finds people.")
    ] = "auto",
    person_class: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Class that is a person, of a FILE.onnx (default: 0).")
    ] = None,
    every: Annotated[int | None, typer.Option(min=1, help="Detect in every N-th frame (default: 10 a second).")] = None,
    tracker: Annotated[Literal["bytetrack", "ocsort", "botsort"], typer.Option(help="Who follows them.")] = "bytetrack",
    update_every: Annotated[
        str | None, typer.Option(metavar="10s|300f", help="Describe somebody again after so many seconds or frames, if "
                                                          "there is something new to see (default: 10s).")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="End every camera after so many frames.")] = None,
    store: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Store what is said: a SQLite file or postgresql://...")
    ] = None,
    queue: Annotated[
        str | None, typer.Option(metavar="URL", help="Only queue events, for `personvlm worker` to describe and store.")
    ] = None,
    blobs: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Where pictures of --store or --queue go.")
    ] = None,
    no_crops: Annotated[bool, typer.Option("--no-crops", help="Store no pictures of people.")] = False,
    cache: Annotated[
        str | None, typer.Option(metavar="redis://", help="With --store: each camera's latest descriptions, too.")
    ] = None,
    mqtt: Annotated[
        str | None, typer.Option(metavar="URL", help="Publish every event: mqtt://[user:password@]host[:port][/prefix].")
    ] = None,
    mqtt_outbox: Annotated[Path | None, typer.Option(help="Where messages wait while the broker is away.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play recordings as cameras: what is not looked at in time is dropped.")
    ] = False,
    capacity: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Instead, find how many such cameras this machine keeps up "
                                                           "with, in trials of so long.")
    ] = None,
    truth: Annotated[
        bool, typer.Option("--truth", help="Compare with the truth at the end: rendered scenes, MOT sequences.")
    ] = False,
    say: Saying = "confident",
    min_precision: MinPrecision = None,
    no_gender: NoGender = False,
    no_age: NoAge = False,
    lang: Spoken = "en",
    log_format: Annotated[logs.Format, typer.Option(help="Of notes on stderr; json is for collectors.")] = "text",
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Detect, follow and describe the people on cameras. Exit status 1 if a camera failed; the others went on."""
    with extra("`personvlm run`", "video"):
        from personvlm.pipeline.run import Run, check_output
        from personvlm.pipeline.run_cameras import cameras, file_name, identity, when
        from personvlm.pipeline.run_mot import MotWriter, all_seen
        from personvlm.pipeline.run_sinks import queueing, storing
        from personvlm.pipeline.run_truth import Referee
        from personvlm.video.describing import TrackDescriber
    from personvlm.language.languages import ENGLISH, in_language
    from personvlm.runtime.describer import Describer

    if store is not None and queue is not None:
        raise typer.BadParameter("choose one of --store and --queue: with a queue the workers store")
    if cache is not None and store is None:
        raise typer.BadParameter("--cache goes with --store; with --queue, give it to the workers")
    if blobs is not None and store is None and queue is None:
        raise typer.BadParameter("--blobs says where pictures of --store or --queue go: give one of them")
    if mqtt_outbox is not None and mqtt is None:
        raise typer.BadParameter("--mqtt-outbox keeps messages of --mqtt: give it, too")
    if min_precision is not None and say == "all":
        raise typer.BadParameter("--say all says everything, --min-precision only what holds: choose one")
    results = {"--annotate": annotate, "--jsonl": jsonl, "--mot": mot, "--store": store, "--queue": queue,
               "--mqtt": mqtt, "--truth": truth or None}  # fmt: skip
    unused = [name for name, there in results.items() if there is not None]
    if capacity is not None and unused:
        raise typer.BadParameter(f"--capacity only counts cameras: leave {' and '.join(unused)} out")
    if queue is not None and truth:
        raise typer.BadParameter("--truth judges what is said here; leave --queue out")
    if queue is not None and mqtt is not None:
        raise typer.BadParameter("--mqtt tells what is said here; leave --queue out")
    if queue is not None and lang != ENGLISH:
        raise typer.BadParameter("--lang with --queue: the workers describe, and what they store is English")
    given = {"--min-precision": min_precision is not None, "--no-gender": no_gender, "--no-age": no_age,
             "--no-crops": no_crops, "--say": say != "confident"}  # fmt: skip
    if queue is not None and any(given.values()):
        names = " and ".join(name for name, there in given.items() if there)
        raise typer.BadParameter(f"{names} with --queue: the workers describe and store, give it to them")
    chosen = cameras(arguments, detector=detector, person_class=person_class, every=every, tracker=tracker, live=live,
                     timing=when(update_every))  # fmt: skip
    known = identity(arguments)
    for place in (jsonl, *(mot / f"{file_name(name, ())}.txt" for name in chosen if mot is not None)):
        check_output(place, chosen)
    loaded = Describer.load(model)
    describer = TrackDescriber(loaded, say=say, min_precision=min_precision, gender=not no_gender, age=not no_age)
    if capacity is not None:
        _capacity(chosen, describer, capacity, as_json, quiet)
        return
    if log_format == "json":
        logs.start("json", quiet=quiet)
    referee = Referee() if truth else None
    tracks = None if mot is None else MotWriter(mot)
    people: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        if tracks is not None:
            stack.callback(tracks.close)
        write = _writer(jsonl, stack)
        show, watch = screen(stack, quiet=quiet, as_json=as_json)

        def note(text: str) -> None:
            if log_format == "json":
                logging.getLogger(__name__).info(text)
            elif not quiet:
                show(f"personvlm: {text}", error=True)

        def ending() -> bool:
            return running.stopped

        stored = None
        if store is not None:
            stored = stack.enter_context(storing(
                store, blobs=blobs, crops=not no_crops, cache=cache, report=note, ending=ending,
                raised=lambda alert: show(f"alert {alert.rule}: {alert.camera}, {alert.probability:.0%}: {alert.text}"),
            ))  # fmt: skip
        put = None
        if queue is not None:
            put = stack.enter_context(queueing(queue, blobs=blobs, report=note, ending=ending))

        publish = None
        if mqtt is not None:
            from personvlm.integrations.mqtt import publishing

            publish = stack.enter_context(publishing(mqtt, mqtt_outbox, name="run", report=note))

        def tell(event: PersonEvent) -> None:
            if stored is not None:
                stored(event)
            if referee is not None:
                referee.told(event)
            if event.description is not None:  # what is stored, and searched, stays English
                event = replace(event, description=in_language(event.description, lang))
            record = event.record()
            write(record)
            if publish is not None:
                publish(record)
            if as_json and event.occasion.kind != "reid":
                people[event.id] = record
            show(line(event))

        running = Run(chosen, describer, tell, annotate=annotate, frames=frames, identity=known, put=put, watch=watch,
                      seen=all_seen(referee, tracks), report=note)  # fmt: skip
        with _interruptible(running):
            status = running.go()
        report = None
        if referee is not None:
            telling = TrackDescriber(loaded, say="all", gender=not no_gender, age=not no_age)
            report = referee.report(running.links(), telling)
    for problem in status.errors:
        logs.failed(problem)
    if as_json:
        print_json({"cameras": counts(status), "people": list(people.values()),
                    **({} if report is None else {"truth": report})}, indent=1)  # fmt: skip
    elif not quiet:
        if log_format == "json":
            logging.getLogger(__name__).info("ended", extra={"cameras": counts(status)})
        else:
            print(summary(status), file=sys.stderr)
    if report is not None and not as_json:  # asked for by name: an answer, and no note that -q leaves out
        for text in truth_lines(report):
            print(text)
    if status.errors or status.failed:
        raise typer.Exit(1)


def _capacity(
    chosen: dict[str, Camera], describer: TrackDescriber, seconds: float, as_json: bool, quiet: bool
) -> None:
    from personvlm.pipeline.run_capacity import Trial, capacity

    if seconds < 1:
        raise typer.BadParameter("--capacity SECONDS: a trial of less than a second tells nothing")

    def tried(trial: Trial) -> None:
        if not quiet:
            late = "no words" if trial.p95_ms is None else f"words after {trial.p95_ms:.0f} ms (p95)"
            lost = f"{trial.dropped} of {trial.frames + trial.dropped} frames dropped, {late}, {trial.undescribed} of"
            print(f"personvlm: {_cameras(trial.cameras)}: {trial.fps:g} frames/s each, {lost} {trial.people} people "
                  f"undescribed: {'keeps up' if trial.keeps_up else 'too many'}", file=sys.stderr)  # fmt: skip

    found = capacity(chosen, describer, seconds=seconds, tried=tried)
    if as_json:
        print_json(found, indent=1)
    else:
        more = "" if found["fails_at"] is None else f"; {found['fails_at']} are too many"
        print(f"{_cameras(found['cameras'])}{more}")


def _cameras(count: Any) -> str:
    return f"{count} camera{'' if count == 1 else 's'}"


def _writer(path: Path | None, stack: contextlib.ExitStack) -> Callable[[dict[str, Any]], None]:
    if path is None:
        return lambda record: None
    import json

    file = stack.enter_context(path.open("w", encoding="utf-8"))

    def write(record: dict[str, Any]) -> None:
        file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()  # whoever follows the file sees people when they come

    return write


@contextlib.contextmanager
def _interruptible(running: Run) -> Iterator[None]:
    """Ctrl-C, and SIGTERM of whoever stops services, end the run in order; a second one ends it at once."""
    before: dict[int, Any] = {}

    def stop(number: int, frame: Any) -> None:
        signal.signal(number, before[number])
        running.stop()

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.getsignal(number)
            signal.signal(number, stop)
    except ValueError:  # not the main thread: somebody else handles signals
        yield
        return
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
