"""``personvlm evaluate``: figures on labelled pictures or captions, of a model or of given texts, or of the parser."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.cli.describe import Model, Quiet
from personvlm.cli.output import print_json
from personvlm.cli.progress import progress

if TYPE_CHECKING:
    from personvlm.runtime.describer import Describer

Form = Literal["peta", "personvlm", "msp60k", "ccp", "clothing_attribute", "orientation"]


def evaluate(
    data: Annotated[Path, typer.Option(help="Labelled pictures or captions, as JSON Lines.")],
    form: Annotated[Form, typer.Option("--format", help="What the lines look like.")] = "peta",
    root: Annotated[
        Path | None, typer.Option(help="Folder that picture paths start from (default: that of the data file).")
    ] = None,
    protocol: Annotated[
        Literal["clean", "published"],
        typer.Option(help="How texts are scored: ours, or as in the published study (its first 500 rows, its bugs)."),
    ] = "clean",
    predictions: Annotated[
        Path | None,
        typer.Option(help='Score these texts: JSON Lines of {"image" or "id", "text"} that any model made.'),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(help="Where the nearest training caption comes from (default: train.jsonl beside the data, "
                          "else other people of the data)."),
    ] = None,
    likelihood_pools: Annotated[
        int, typer.Option(min=0, help="Also measure retrieval by likelihood, in so many pools of 100 people (slow).")
    ] = 0,
    parser: Annotated[bool, typer.Option("--parser", help="Score the parser on labelled captions instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Pictures per batch.")] = 16,
    model: Model = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Score what sentences say against labels and references, every person counted once, beside every baseline.

    MSP60K's caption files may come without pictures: then --predictions are scored, or the baselines alone.
    """
    if parser:
        from personvlm.evaluation.parser import evaluate_parser

        result = evaluate_parser(data)
    else:
        result = _evaluate(data, form, root, protocol, predictions, train, likelihood_pools, batch, model, quiet)
    if as_json:
        print_json(result)
        return
    from rich.console import Console

    from personvlm.evaluation.report import parser_table, report

    # Into a file or a pipe a table is written whole, not squeezed into 80 columns.
    width = None if sys.stdout.isatty() else 160
    Console(highlight=False, width=width).print(parser_table(result) if parser else report(result))


def _evaluate(
    data: Path,
    form: Form,
    root: Path | None,
    protocol: Literal["clean", "published"],
    predictions: Path | None,
    train: Path | None,
    likelihood_pools: int,
    batch: int,
    model: Path | None,
    quiet: bool,
) -> dict[str, Any]:
    from personvlm.evaluation.evaluate import evaluate
    from personvlm.evaluation.inputs import read_labelled, read_predictions, read_training
    from personvlm.evaluation.protocols.run import scored_rows

    def say(line: str) -> None:
        if not quiet:
            print(f"personvlm: {line}", file=sys.stderr)

    def track(items: Sequence[int], total: int, label: str) -> Iterable[int]:
        return progress(items, total, label, quiet=quiet)

    samples, pictures = read_labelled(data, form, root)
    scored = scored_rows(samples, protocol)
    texts = None if predictions is None else read_predictions(predictions, samples, len(scored))
    training = read_training(data, form, root, train)
    describer = _describer(model, optional=texts is not None) if pictures else None
    if not pictures:
        say("none of the pictures is there (--root DIR says where): "
            + ("the baselines alone are scored" if texts is None else "texts and labels are used alone"))  # fmt: skip
    return evaluate(
        describer, samples, None if describer is None else describer.calibration.benchmark, predictions=texts,
        protocol=protocol, training=training, likelihood_pools=likelihood_pools, batch=batch,
        progress=lambda stage: say(f"{len(scored)} rows: {stage}"), track=track,
    )  # fmt: skip


def _describer(model: Path | None, optional: bool) -> Describer | None:
    """The model. Given texts need it only for the row of predicted heads: without weights they are scored all the
    same."""
    from personvlm.base.errors import InputError
    from personvlm.runtime.describer import Describer

    try:
        return Describer.load(model)
    except InputError:
        if optional and model is None:
            return None
        raise
