"""``personvlm demo``: a report to look at."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from personvlm.cli.describe import Model, Quiet
from personvlm.cli.progress import progress
from personvlm.schema import DescribeResult


def demo(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH|DIR|GLOB|-...]", help="Pictures; none: people are rendered.")
    ] = None,
    num_samples: Annotated[int, typer.Option(min=1, help="How many people to render when no pictures are given.")] = 12,
    out: Annotated[Path, typer.Option(help="Folder for report.html and answers.jsonl.")] = Path("out/demo"),
    say: Annotated[
        Literal["confident", "all"],
        typer.Option(help="Say what is certain enough, or the most probable value of every group."),
    ] = "confident",
    seed: Annotated[int, typer.Option(help="Other numbers render other people.")] = 7,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Describe pictures, or rendered people whose truth is known, and write an HTML report that opens offline."""
    from personvlm.pipeline.demo import demo as run_demo
    from personvlm.pipeline.inputs import expand

    def watch(results: Iterable[DescribeResult], total: int) -> Iterable[DescribeResult]:
        return progress(results, total, "Describing", quiet=quiet)

    start = time.monotonic()
    done = run_demo(expand(paths) if paths else None, num_samples, out, say=say, seed=seed, model=model, watch=watch)
    if not quiet:
        people = "1 person" if done.people == 1 else f"{done.people} people"
        unread = f", {done.failed} pictures could not be read" if done.failed else ""
        print(f"Described {people} in {time.monotonic() - start:.1f} s{unread}.")
        print(f"Answers: {done.answers.resolve()}")
    print(f"Report:  {done.report.resolve()}")
    if done.failed:
        raise typer.Exit(1)
