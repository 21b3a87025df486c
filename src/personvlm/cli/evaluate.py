"""``personvlm evaluate``: figures on labelled pictures, or of the parser on captions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from personvlm.cli.describe import Model, Quiet
from personvlm.cli.output import print_json


def evaluate(
    data: Annotated[Path, typer.Option(help="Labelled pictures, or with --parser captions, as JSON Lines.")],
    form: Annotated[Literal["peta", "personvlm"], typer.Option("--format", help="What the lines look like.")] = "peta",
    root: Annotated[
        Path | None, typer.Option(help="Folder that picture paths start from (default: that of the data file).")
    ] = None,
    parser: Annotated[bool, typer.Option("--parser", help="Score the parser on labelled captions instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Pictures per batch.")] = 16,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Score what the sentences say against labels, every person counted once, beside the majority class."""
    if parser:
        from personvlm.evaluation.parser import evaluate_parser

        result = evaluate_parser(data)
    else:
        result = _evaluate(data, form, root, batch, model, quiet)
    if as_json:
        print_json(result)
        return
    from rich.console import Console

    from personvlm.evaluation.report import parser_table, report

    # Into a file or a pipe a table is written whole, not squeezed into 80 columns.
    width = None if sys.stdout.isatty() else 140
    Console(highlight=False, width=width).print(parser_table(result) if parser else report(result))


def _evaluate(data: Path, form: str, root: Path | None, batch: int, model: Path | None, quiet: bool) -> dict[str, Any]:
    from personvlm.data.readers import read_samples
    from personvlm.evaluation.evaluate import evaluate
    from personvlm.runtime.describer import Describer

    samples = read_samples(data, form, root)
    describer = Describer.load(model)

    def stage(name: str) -> None:
        if not quiet:
            print(f"personvlm: {len(samples)} pictures: {name}", file=sys.stderr)

    return evaluate(describer, samples, describer.calibration.benchmark, batch=batch, progress=stage)
