"""A progress bar on stderr, for people, once something takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TypeVar

Item = TypeVar("Item")

PATIENCE = 2.0
"""Seconds without a bar."""


def progress(items: Iterable[Item], total: int, label: str, *, quiet: bool = False) -> Iterator[Item]:
    """Pass ``items`` on. Shows nothing when ``quiet``, or when stderr is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield from items
        return
    start = time.monotonic()
    with ExitStack() as stack:
        bar, task = None, None
        for done, item in enumerate(items, start=1):
            if bar is None and done < total and time.monotonic() - start > PATIENCE:
                from rich.console import Console
                from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

                bar = stack.enter_context(Progress(
                    TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                    console=Console(stderr=True), transient=True, redirect_stdout=False,
                ))  # fmt: skip
                task = bar.add_task(label, total=total)
            if bar is not None and task is not None:
                bar.update(task, completed=done)
            yield item
