"""Cross-fitting: teachers who each left a part of the people out, and a student of what they say of those.

    python tools/cross_fit.py --data $PERSONVLM_ASSETS/data --out runs/cross --parts 5 \
        --encoders mobilenet_v2,efficientnet_lite0 --from src/personvlm/weights/edge --at-once 10

What a model says of people whom it has learned is what their labels say, right or wrong; what it says of others is
knowledge. Every teacher is a `personvlm train edge` with a folder, and a log, below --out; the student is a
`personvlm distill --whole`, in --out/student. A command that was stopped goes on. Needs torch.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress

from personvlm.base.errors import InputError, PersonVLMError

DONE = "calibration.json"
"""The last file of a training."""


class Run(NamedTuple):
    """One training: its folder, and what `personvlm` is asked beside it."""

    out: Path
    arguments: tuple[str, ...]

    def execute(self, threads: int, dry: bool = False) -> None:
        """Train, unless that is done; what is printed goes to ``out.log``.

        Raises:
            PersonVLMError: the training failed; the end of its log.
        """
        command = [sys.executable, "-m", "personvlm", *self.arguments, "--out", str(self.out), "-q"]
        if dry:
            print(shlex.join(command[2:]))
            return
        if (self.out / DONE).is_file():
            return
        log = self.out.with_suffix(".log")
        with log.open("a", encoding="utf-8") as lines:
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=lines, stderr=lines, check=False,
                                  env={**os.environ, "OMP_NUM_THREADS": str(threads)}).returncode  # fmt: skip
        if code:
            end = "\n".join(log.read_text("utf-8").splitlines()[-5:])
            raise PersonVLMError(f"{self.out}: training ended with exit status {code}; {log} ends\n{end}")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    asked.add_argument("--data", type=Path, required=True, help="as for `personvlm train edge`")
    asked.add_argument("--out", type=Path, default=Path("runs", "cross"))
    asked.add_argument("--parts", type=int, default=2, help="so many teachers of every encoder, each without one part")
    asked.add_argument("--encoders", default="mobilenet_v2", help="of the teachers, with commas between")
    asked.add_argument("--teacher", action="append", default=[], metavar="KEY=VALUE", help="of their recipes")
    asked.add_argument("--student", action="append", default=[], metavar="KEY=VALUE", help="of the student's recipe")
    asked.add_argument("--from", dest="start", type=Path, help="a model that the student goes on from")
    asked.add_argument("--weight", type=float, default=1.0, help="of what the teachers say, beside the labels")
    asked.add_argument("--temperature", type=float, default=1.0)
    asked.add_argument("--at-once", type=int, default=1, help="teachers that are trained side by side: a GPU has room")
    asked.add_argument("--dry", action="store_true", help="only print the commands")
    asked.add_argument("--quiet", action="store_true")
    return asked


def planned(given: argparse.Namespace) -> tuple[list[Run], Run]:
    """The teachers, and the student.

    Raises:
        InputError: there is nothing to leave out, or nobody to train.
    """
    encoders = [name for name in given.encoders.split(",") if name]
    if given.parts < 2 or given.at_once < 1 or not encoders:
        raise InputError("cross-fitting takes two parts of the people, an encoder and one training at once, or more; "
                         f"got --parts {given.parts}, --encoders {given.encoders!r}, --at-once {given.at_once}")
    data = ("--data", str(given.data))
    teachers = []
    for seed, (encoder, part) in enumerate(itertools.product(encoders, range(1, given.parts + 1)), 1):
        own = [f"encoder={encoder}", f"left_out={part}/{given.parts}", f"seed={seed}", *given.teacher]
        teachers.append(Run(given.out / f"{encoder}-{part}", ("train", "edge", *data, *_settings(own))))
    start = () if given.start is None else ("--from", str(given.start))
    student = ("distill", *(str(each.out) for each in teachers), *data, *start, "--whole", "--weight",
               str(given.weight), "--temperature", str(given.temperature), *_settings(given.student))  # fmt: skip
    return teachers, Run(given.out / "student", student)


def _settings(recipe: Sequence[str]) -> tuple[str, ...]:
    return tuple(itertools.chain.from_iterable(("--set", each) for each in recipe))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the teachers, then the student."""
    given = parser().parse_args(arguments)
    try:
        teachers, student = planned(given)
        if not given.dry:
            given.out.mkdir(parents=True, exist_ok=True)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = max(1, cores // given.at_once)
        began = time.monotonic()
        with Progress(disable=given.quiet or given.dry) as progress, ThreadPoolExecutor(given.at_once) as pool:
            bar = progress.add_task("training", total=len(teachers) + 1)
            waiting = [pool.submit(each.execute, threads, given.dry) for each in teachers]
            try:
                for each in waiting:
                    each.result()
                    progress.advance(bar)
            except PersonVLMError:
                pool.shutdown(cancel_futures=True)  # the others may end, and need not be trained again
                raise
            student.execute(cores, given.dry)
            progress.advance(bar)
    except PersonVLMError as error:
        sys.exit(f"error: {error}")
    if not given.dry:
        print(f"{student.out}: taught by {len(teachers)} models, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
