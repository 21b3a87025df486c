"""``personvlm bench``: how fast it is here, measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from personvlm.base.errors import PersonVLMError
from personvlm.cli.describe import Model, Quiet
from personvlm.cli.output import print_json, print_table
from personvlm.cli.progress import progress


def bench(
    compare: Annotated[
        bool, typer.Option("--compare", help="Race the published loop and torch, taking turns (needs torch).")
    ] = False,
    cameras: Annotated[
        bool, typer.Option("--cameras", help="Search how many cameras this machine carries at 1 description/s each.")
    ] = False,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Edge and stage 4 on a CUDA GPU, by batch, and their memory (needs torch).")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the time; figures scatter more.")] = False,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="A folder with crops (default: people are rendered).")
    ] = None,
    stage4: Annotated[
        Path | None,
        typer.Option("--stage4", help="A trained stage 4; --compare needs its graphs (`compress`) (default: random)."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Describers that share the cores (default: the best number).")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A folder for bench.json and bench.png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Measure latency, throughput, load, memory and start-up of descriptions on this machine."""
    from personvlm.runtime.bench import Bench, BenchSettings
    from personvlm.runtime.bench_report import plot, quiet_note, tables

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    effort = 0.1 if quick else 1.0
    compare = compare or (stage4 is not None and not gpu)
    run = Bench(BenchSettings(model, pictures, effort, cameras, compare, stage4, workers, gpu))
    steps = run.steps()
    for step in progress(steps, len(steps), "Measuring", quiet=quiet):
        step()
    notes = [note for note in (quiet_note(run.result),) if note]
    if out is not None:
        (out / "bench.json").write_text(json.dumps(run.result, indent=1, allow_nan=False) + "\n", "utf-8")
        try:
            plot(run.result, str(out / "bench.png"))
        except PersonVLMError as error:
            notes.append(f"no bench.png: {error}")
    if as_json:
        print_json(run.result, indent=1)
    else:
        for table in tables(run.result):
            print_table(table.title, table.rows, table.header)
            print(f"{run.result['line']}\n")
    if not quiet:
        for note in notes:
            print(f"personvlm: {note}", file=sys.stderr)
