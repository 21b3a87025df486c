"""``personvlm run``: cameras in, described people out."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.base.errors import InputError
from personvlm.cli.describe import Model, Quiet
from personvlm.cli.output import print_json, printable

if TYPE_CHECKING:
    from personvlm.pipeline.run import Run, Status
    from personvlm.pipeline.run_events import PersonEvent

_EXTRA = {"av", "cv2", "supervision", "trackers", "yaml"}


def run(
    arguments: Annotated[
        list[str], typer.Argument(metavar="SOURCE|CAMERAS.yaml...", help="Videos, folders, addresses, rendered:, YAML.")
    ],
    annotate: Annotated[
        Path | None, typer.Option(help="Write an MP4 with boxes and descriptions (several cameras: NAME-CAMERA.mp4).")
    ] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Write every event to this file, one per line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with everybody at the end.")] = False,
    detector: Annotated[
        str, typer.Option(metavar="auto|yolox|motion|given|FILE.onnx", help="Who finds people.")
    ] = "auto",
    every: Annotated[int | None, typer.Option(min=1, help="Detect in every N-th frame (default: 10 a second).")] = None,
    tracker: Annotated[Literal["bytetrack", "ocsort", "botsort"], typer.Option(help="Who follows them.")] = "bytetrack",
    frames: Annotated[int | None, typer.Option(min=1, help="End every camera after so many frames.")] = None,
    say: Annotated[
        Literal["confident", "all"],
        typer.Option(help="Say what is certain enough, or the most probable value of every group."),
    ] = "confident",
    no_gender: Annotated[bool, typer.Option("--no-gender", help="Neither say nor output gender.")] = False,
    no_age: Annotated[bool, typer.Option("--no-age", help="Neither say nor output age.")] = False,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Detect, follow and describe the people on cameras. Exit status 1 if a camera failed; the others went on."""
    try:
        from personvlm.pipeline.run import Run, check_output
        from personvlm.pipeline.run_cameras import cameras
        from personvlm.video.describing import TrackDescriber
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise InputError(f"`personvlm run` needs {error.name}: pip install 'personvlm[video]'") from None
    from personvlm.runtime.describer import Describer

    chosen = cameras(arguments, detector=detector, every=every, tracker=tracker)
    check_output(jsonl, chosen)
    describer = TrackDescriber(Describer.load(model), say=say, gender=not no_gender, age=not no_age)
    people: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        write = _writer(jsonl, stack)
        show, watch = _screen(stack, quiet=quiet, as_json=as_json)

        def tell(event: PersonEvent) -> None:
            record = event.record()
            write(record)
            if as_json:
                people[event.id] = record
            show(_line(event))

        running = Run(chosen, describer, tell, annotate=annotate, frames=frames, watch=watch,
                      report=lambda note: None if quiet else show(f"personvlm: {note}", error=True))  # fmt: skip
        with _interruptible(running):
            status = running.go()
    for problem in status.errors:
        print(f"personvlm: error: {problem}", file=sys.stderr)
    if as_json:
        print_json({"cameras": _counts(status), "people": list(people.values())}, indent=1)
    elif not quiet:
        print(_summary(status), file=sys.stderr)
    if status.errors or status.failed:
        raise typer.Exit(1)


def _writer(path: Path | None, stack: contextlib.ExitStack) -> Callable[[dict[str, Any]], None]:
    if path is None:
        return lambda record: None
    import json

    file = stack.enter_context(path.open("w", encoding="utf-8"))

    def write(record: dict[str, Any]) -> None:
        file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()  # whoever follows the file sees people when they come

    return write


def _screen(stack: contextlib.ExitStack, *, quiet: bool, as_json: bool) -> tuple[Callable[..., None], Any]:
    """What prints a line, and what takes the status: a live table where somebody watches."""
    if quiet or not sys.stderr.isatty():

        def line(text: str, error: bool = False) -> None:
            if error:
                print(printable(text), file=sys.stderr, flush=True)
            elif not quiet and not as_json:
                print(printable(text), flush=True)

        return line, lambda status: None
    import time

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    live = stack.enter_context(Live(console=console, auto_refresh=False, transient=True))
    last = [0.0]

    def above(text: str, error: bool = False) -> None:
        if error or sys.stdout.isatty():
            console.print(Text(printable(text)), soft_wrap=True)
        elif not as_json:
            print(printable(text), flush=True)

    def watch(status: Status) -> None:
        if time.monotonic() - last[0] > 0.25:
            last[0] = time.monotonic()
            live.update(_table(status), refresh=True)

    return above, watch


def _table(status: Status) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("camera", "state", "frames/s", "frames", "dropped", "present", "people", "events"):
        table.add_column(title, justify="left" if title in ("camera", "state") else "right")
    for camera in status.cameras.values():
        table.add_row(printable(camera.camera), camera.state, f"{camera.fps:.1f}", *map(str, (
            camera.frames, camera.dropped, camera.present, camera.people, camera.events)))  # fmt: skip
    rate = status.described / max(1.0, status.seconds)
    table.caption = (f"{status.waiting} waiting, {status.described} described ({rate:.1f}/s), "
                     f"{status.superseded} updates superseded, {status.shed} shed")  # fmt: skip
    return table


def _line(event: PersonEvent) -> str:
    track, time = event.occasion.track, datetime.fromtimestamp(event.occasion.time)
    said = event.description.text if event.description is not None else f"error: {event.error}"
    return f"{time:%H:%M:%S} {track.camera} #{track.track_id} {event.occasion.kind}: {said}"


def _counts(status: Status) -> dict[str, Any]:
    return {
        camera.camera: {"state": camera.state, "frames": camera.frames, "dropped": camera.dropped,
                        "people": camera.people - camera.fleeting, "fleeting": camera.fleeting,
                        "events": camera.events, **({"error": camera.error} if camera.error else {})}
        for camera in status.cameras.values()
    }  # fmt: skip


def _summary(status: Status) -> str:
    people = sum(camera.people - camera.fleeting for camera in status.cameras.values())
    frames = sum(camera.frames for camera in status.cameras.values())
    dropped = sum(camera.dropped for camera in status.cameras.values())
    count = len(status.cameras)
    cameras = "1 camera" if count == 1 else f"{count} cameras"
    return (f"{people} {'person' if people == 1 else 'people'} on {cameras}: {frames} frames in {status.seconds:.1f} s"
            + (f", {dropped} dropped" if dropped else "") + (f", {status.shed} updates shed" if status.shed else "")
            + (f", {status.failed} failed" if status.failed else ""))  # fmt: skip


@contextlib.contextmanager
def _interruptible(running: Run) -> Iterator[None]:
    """Ctrl-C ends the run in order; a second one ends it at once."""

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        running.stop()

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread: somebody else handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
