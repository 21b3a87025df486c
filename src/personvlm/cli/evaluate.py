"""``personvlm evaluate``: figures on labelled pictures or captions, of a model or of given texts, or of the parser."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.cli.describe import Model, Quiet
from personvlm.cli.output import print_json
from personvlm.cli.progress import progress

if TYPE_CHECKING:
    from personvlm.data.sample import Sample
    from personvlm.runtime.describer import Describer
    from personvlm.schema import PersonDescription

    Look = Callable[[Sequence[PersonDescription], Sequence[Sample]], None]

Form = Literal["peta", "personvlm", "msp60k", "ccp", "clothing_attribute", "orientation", "coco"]


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
    min_precision: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.99, metavar="P",
                     help="Also measure what `describe --min-precision` says, value by value."),
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for plots of confidence (needs matplotlib).")] = None,
    gallery: Annotated[
        int, typer.Option(min=0, help="Write a page with so many of the worst mistakes and random people to --out.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the page of --gallery.")] = None,
    parser: Annotated[bool, typer.Option("--parser", help="Score the parser on labelled captions instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Pictures per batch.")] = 16,
    model: Model = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Score what sentences say against labels and references, every person counted once, beside every baseline.

    MSP60K's caption files may come without pictures: then --predictions are scored, or the baselines alone.
    """
    if bool(gallery) != (out is not None):
        raise typer.BadParameter("--gallery N and --out DIR go together: N pictures, written to the folder DIR")
    if parser and (predictions or train or likelihood_pools or min_precision is not None or plots or gallery):
        raise typer.BadParameter("--parser reads captions alone: it takes none of --predictions, --train, "
                                 "--likelihood-pools, --min-precision, --plots and --gallery")  # fmt: skip
    if plots is not None:
        from personvlm.evaluation.confidence_plots import require

        require()
    for folder in filter(None, (plots, out)):  # one that cannot be made must not cost what was measured
        folder.mkdir(parents=True, exist_ok=True)
    if parser:
        from personvlm.evaluation.parser import evaluate_parser

        result = evaluate_parser(data)
    else:
        result = _evaluate(data, form, root, protocol, predictions, train, likelihood_pools, min_precision, plots,
                           _looking(gallery, out, data, quiet), batch, model, quiet)  # fmt: skip
    if plots is not None:
        from personvlm.evaluation.confidence_plots import plot_confidence

        for path in plot_confidence(result, plots):
            _note(str(path), quiet)
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
    min_precision: float | None,
    plots: Path | None,
    look: Callable[[Describer], Look] | None,
    batch: int,
    model: Path | None,
    quiet: bool,
) -> dict[str, Any]:
    from personvlm.base.errors import InputError
    from personvlm.evaluation.evaluate import evaluate
    from personvlm.evaluation.inputs import read_labelled, read_predictions, read_training
    from personvlm.evaluation.protocols.run import scored_rows

    def say(line: str) -> None:
        _note(line, quiet)

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
    confidence = min_precision is not None or likelihood_pools or plots
    if (confidence and (describer is None or texts is not None)) or (look and describer is None):
        raise InputError("--min-precision, --likelihood-pools, --plots and --gallery look at what a model makes of "
                         "pictures: give no --predictions, and --root DIR where they lie elsewhere")  # fmt: skip
    return evaluate(
        describer, samples, None if describer is None else describer.calibration.benchmark, predictions=texts,
        protocol=protocol, training=training, likelihood_pools=likelihood_pools, min_precision=min_precision,
        look=None if look is None or describer is None else look(describer), batch=batch,
        progress=lambda stage: say(f"{len(scored)} rows: {stage}"), track=track,
    )  # fmt: skip


def _looking(count: int, out: Path | None, data: Path, quiet: bool) -> Callable[[Describer], Look] | None:
    """What writes a gallery of ``count`` pictures once the describer has seen them; None without one."""
    if not count or out is None:
        return None

    def of(describer: Describer) -> Look:
        def look(descriptions: Sequence[PersonDescription], samples: Sequence[Sample]) -> None:
            from personvlm.evaluation.gallery import write_gallery

            _note(str(write_gallery(out, descriptions, samples, count, model=describer.name, data=str(data))), quiet)

        return look

    return of


def _note(line: str, quiet: bool) -> None:
    if not quiet:
        print(f"personvlm: {line}", file=sys.stderr)


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
