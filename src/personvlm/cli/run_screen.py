"""What ``personvlm run`` shows: a live table where somebody watches, lines where not, and tables at the end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from personvlm.cli.output import printable

if TYPE_CHECKING:
    from personvlm.pipeline.run_events import PersonEvent
    from personvlm.pipeline.run_status import Status


def screen(stack: contextlib.ExitStack, *, quiet: bool, as_json: bool) -> tuple[Callable[..., None], Any]:
    """What prints a line, and what takes the status."""
    if quiet or not sys.stderr.isatty():

        def plain(text: str, error: bool = False) -> None:
            if error:
                print(printable(text), file=sys.stderr, flush=True)
            elif not quiet and not as_json:
                print(printable(text), flush=True)

        return plain, lambda status: None
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
    for title in ("camera", "state", "frames/s", "frames", "dropped", "every", "present", "people", "events"):
        table.add_column(title, justify="left" if title in ("camera", "state") else "right")
    for camera in status.cameras.values():
        table.add_row(printable(camera.camera), camera.state, f"{camera.fps:.1f}", *map(str, (
            camera.frames, camera.dropped, camera.every or "", camera.present, camera.people,
            camera.events)))  # fmt: skip
    rate = status.described / max(1.0, status.seconds)
    table.caption = (f"{status.waiting} waiting, " + (f"{status.queued} queued, " if status.queued else "")
                     + f"{status.described} described ({rate:.1f}/s), {status.superseded} updates superseded, "
                     f"{status.shed} shed")  # fmt: skip
    return table


def line(event: PersonEvent) -> str:
    """One event for people to read."""
    track, time = event.occasion.track, datetime.fromtimestamp(event.occasion.time)
    said = "queued" if event.error is None else f"error: {event.error}"
    if event.description is not None:
        said = event.description.text
    others = "".join(f" [same as {one.camera} {datetime.fromtimestamp(one.last_seen):%H:%M:%S}, {one.probability:.0%}]"
                     for one in event.same_as)  # fmt: skip
    return f"{time:%H:%M:%S} {track.camera} #{track.track_id} {event.occasion.kind}: {said}{others}"


def counts(status: Status) -> dict[str, Any]:
    """Every camera's numbers, fit for JSON."""
    return {
        camera.camera: {"state": camera.state, "frames": camera.frames, "dropped": camera.dropped,
                        "slowed": camera.slowed, "people": camera.people - camera.fleeting,
                        "fleeting": camera.fleeting, "events": camera.events,
                        **({"error": camera.error} if camera.error else {})}
        for camera in status.cameras.values()
    }  # fmt: skip


def summary(status: Status) -> str:
    """The whole run in one line."""
    people = sum(camera.people - camera.fleeting for camera in status.cameras.values())
    frames = sum(camera.frames for camera in status.cameras.values())
    dropped = sum(camera.dropped for camera in status.cameras.values())
    slowed = sum(camera.slowed for camera in status.cameras.values())
    count = len(status.cameras)
    cameras = "1 camera" if count == 1 else f"{count} cameras"
    return (f"{people} {'person' if people == 1 else 'people'} on {cameras}: {frames} frames in {status.seconds:.1f} s"
            + (f", {status.queued} events queued" if status.queued else "")
            + (f", {dropped} dropped" if dropped else "")
            + (f", detection slowed {slowed}x" if slowed else "")
            + (f", {status.shed} updates shed" if status.shed else "")
            + (f", {status.failed} failed" if status.failed else ""))  # fmt: skip


_ROWS = {
    "tracking": "tracks", "described": "descriptions", "delay_s": "first sight to first words, s",
    "crop_choice": "attributes right, by crop", "reid": "found on another camera", "links": "links",
}  # fmt: skip


def truth_lines(report: Mapping[str, Any]) -> list[str]:
    """Figures beside the truth, a line per kind."""
    found = []
    for name, title in _ROWS.items():
        figures = report[name]
        said = "not known of these sources" if figures is None else ", ".join(
            f"{key.replace('_', ' ')} {'-' if value is None else value}" for key, value in figures.items())  # fmt: skip
        found.append(f"{title}: {said}")
    return found
