"""``personvlm demo``: the whole pipeline on people who are drawn, and a report to look at."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from personvlm.cli.describe import Model, Quiet, Saying
from personvlm.cli.progress import progress
from personvlm.schema import DescribeResult

if TYPE_CHECKING:
    from personvlm.pipeline.demo import DemoResult
    from personvlm.runtime.calibration import Say

_VIDEO = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".yaml", ".yml")


def demo(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH|DIR|GLOB|VIDEO|-...]", help="Pictures, or videos; none: cameras are rendered.")
    ] = None,
    num_samples: Annotated[
        int | None, typer.Option(min=1, help="No cameras: render so many single people, their truth beside them.")
    ] = None,
    clip: Annotated[bool, typer.Option("--clip", help="A real clip (3 MB, fetched if it is not there).")] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Then serve the web page with them, until Ctrl-C.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for report.html, answers.jsonl and people.db.")] = Path("out/demo"),
    say: Saying = "confident",
    seed: Annotated[int, typer.Option(help="Other numbers render other people.")] = 7,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Watch two rendered cameras, a clip, or pictures; describe, store, search and raise an alert; write a report."""
    videos = [path for path in paths or () if path.lower().endswith(_VIDEO) or path.startswith(("rendered:", "rtsp:"))]
    if videos and len(videos) < len(paths or ()):
        raise typer.BadParameter("give videos or pictures, not both")
    watching = bool(videos) or clip or (not paths and num_samples is None)
    if stay and not watching:
        raise typer.BadParameter("--stay shows what cameras saw; leave pictures and --num-samples out")
    if clip and paths:
        raise typer.BadParameter("--clip is what is looked at: give it alone, or paths")
    if num_samples is not None and (paths or clip):
        raise typer.BadParameter("--num-samples renders people: leave paths and --clip out")
    start = time.monotonic()
    if watching:
        done = _cameras(videos, clip, out, say, seed, model, quiet)
    else:
        done = _pictures(paths, num_samples or 12, out, say, seed, model, quiet)
    if not quiet:
        people = "1 person" if done.people == 1 else f"{done.people} people"
        unreadable = "1 picture" if done.failed == 1 else f"{done.failed} pictures"
        unread = f", {unreadable} could not be read" if done.failed and done.store is None else ""
        raised = f", raised {done.alerts} alert{'' if done.alerts == 1 else 's'}" if done.store is not None else ""
        print(f"Described {people}{raised} in {time.monotonic() - start:.1f} s{unread}.")
        if done.store is not None:
            print(f'Store:   {done.store.resolve()}   (try: personvlm search "woman with a bag" --store {done.store})')
        print(f"Answers: {done.answers.resolve()}")
    print(f"Report:  {done.report.resolve()}")
    if done.failed:
        raise typer.Exit(1)
    if stay and done.store is not None:
        from personvlm.server.stay import stay as serve

        serve(str(done.store))


def _cameras(videos: list[str], clip: bool, out: Path, say: Say, seed: int, model: Path | None,
             quiet: bool) -> DemoResult:  # fmt: skip
    import contextlib
    import sys

    from personvlm.cli.run_screen import screen
    from personvlm.pipeline.demo_cameras import CLIP, DRAWN, FILMED, demo_cameras, rendered

    def note(text: str) -> None:
        if not quiet:
            print(f"personvlm: {text}", file=sys.stderr)

    if clip:
        videos = [*videos, str(CLIP.resolve(report=note))]
    sources = videos or [rendered(6, seed)]
    with contextlib.ExitStack() as stack:
        _, watch = screen(stack, quiet=quiet, as_json=False)
        return demo_cameras(sources, out, script=FILMED if videos else DRAWN, say=say, model=model, watch=watch,
                            kind="clip" if clip else "cameras" if videos else "scene", report=note)  # fmt: skip


def _pictures(paths: list[str] | None, num_samples: int, out: Path, say: Say, seed: int,
              model: Path | None, quiet: bool) -> DemoResult:  # fmt: skip
    from personvlm.pipeline.demo import demo as run_demo
    from personvlm.pipeline.inputs import expand

    def watch(results: Iterable[DescribeResult], total: int) -> Iterable[DescribeResult]:
        return progress(results, total, "Describing", quiet=quiet)

    return run_demo(expand(paths) if paths else None, num_samples, out, say=say, seed=seed, model=model, watch=watch)
