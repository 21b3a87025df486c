"""``personvlm compress``: a trained stage made small and fast, with what each step costs and gains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.cli.describe import Quiet
from personvlm.cli.output import print_json, print_table
from personvlm.cli.train import training_extra

if TYPE_CHECKING:
    from personvlm.data.transform import Transform
    from personvlm.evaluation.compress import Crops

_HEADER = ("form", "MB", "vocabulary", "nats/char", "same", "same, restricted", "six groups", "ms p50", "words/step")


def compress(
    directory: Annotated[Path, typer.Argument(help="A trained stage.")],
    out: Annotated[Path, typer.Option(help="Folder for the compressed model.")],
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="Texts that the vocabulary must hold, .txt or .jsonl; default: what the realiser can say."),
    ] = None,
    keep_vocabulary: Annotated[bool, typer.Option("--keep-vocabulary", help="Do not prune.")] = False,
    weights: Annotated[
        Literal["float32", "float16", "bfloat16"], typer.Option(help="Type of model.safetensors.")
    ] = "float16",
    data: Annotated[Path | None, typer.Option(help="Pictures to compare on (default: rendered people).")] = None,
    form: Annotated[Literal["peta", "personvlm", "msp60k"], typer.Option("--format", help="Their format.")] = "peta",
    root: Annotated[Path | None, typer.Option(help="Folder that picture paths start from.")] = None,
    pictures: Annotated[int, typer.Option(min=0, help="How many of them; 0 compares nothing.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Quiet = False,
) -> None:
    """Prune a stage's vocabulary, round its weights, write 8-bit graphs and a table of drafts for running without
    torch; and print what each of these costs in quality beside what it gains."""
    def note(what: str) -> None:
        if not quiet:
            print(f"personvlm: {what}", file=sys.stderr)

    with training_extra():
        from personvlm.data.corpus import read_corpus
        from personvlm.evaluation.compress import compare
        from personvlm.evaluation.compress_torch import forms_of
        from personvlm.language.prune import realised_texts
        from personvlm.models import load
        from personvlm.runtime.compress_torch import compress as write

        texts = read_corpus(corpus) if corpus else realised_texts()
        note(f"compressing {directory}")
        smaller = write(directory, out, texts, keep_vocabulary=keep_vocabulary, weights=weights)
        rows: list[dict[str, Any]] = []
        if pictures:
            crops = _crops(smaller.transform, data, form, root, pictures)
            forms = forms_of(directory, load(directory), smaller, out)
            rows = compare(forms, crops, lambda name: note(f"{len(crops.pixels)} pictures: {name}"))
    if as_json:
        print_json({"out": str(out), "n": len(crops.pixels) if pictures else 0, "forms": rows})
    elif not quiet:
        if rows:
            table = {row["name"]: _cells(row) for row in rows}
            print_table(f"{directory} on {len(crops.pixels)} pictures", table, _HEADER)
        print(f"Model: {out.resolve()}")


def _crops(transform: Transform, data: Path | None, form: str, root: Path | None, count: int) -> Crops:
    from personvlm.evaluation.compress import labelled_crops, rendered_crops

    if data is None:
        return rendered_crops(transform, count)
    from personvlm.data.readers import read_samples

    return labelled_crops(transform, read_samples(data, form, root), count)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    facts = "-" if row["facts"] is None else f"{row['facts']:.1%}"
    return (f"{row['bytes'] / 1e6:.1f}", f"{row['vocabulary']:,}", f"{row['nll_per_character']:.4f}",
            f"{row['same']:.1%}", f"{row['same_restricted']:.1%}", facts, f"{row['ms']['p50']:.1f}",
            f"{row['words_per_step']:.2f}")  # fmt: skip
