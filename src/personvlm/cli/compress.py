"""``personvlm compress``: a trained model made small and fast, with what each step costs and gains."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.base.errors import InputError
from personvlm.cli.describe import Quiet
from personvlm.cli.output import print_json, print_table
from personvlm.cli.progress import progress
from personvlm.cli.train import training_extra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from personvlm.data.transform import Transform
    from personvlm.evaluation.compress import Crops
    from personvlm.runtime.export_forms import FormName

_HEADER = ("form", "MB", "vocabulary", "nats/char", "same", "same, restricted", "six groups", "ms p50", "words/step")
_EDGE_HEADER = ("form", "MB", "same", "moved", "kept", "six", "agree", "vector", "alone", "in 16")
_RANGES = 64
"""Rendered people, by which int8-static chooses its ranges."""


def compress(
    directory: Annotated[Path, typer.Argument(help="A trained stage, or edge.")],
    out: Annotated[Path, typer.Option(help="Folder for the compressed model.")],
    form: Annotated[
        Literal["float32", "float16", "bfloat16", "int8-decoder", "int8-vision", "int8-weights", "int8-static"] | None,
        typer.Option(help="Edge: what is written; all are compared.", show_default="float16, as it ships"),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="Stage: texts that the vocabulary must hold, .txt or .jsonl; default: what the realiser can say."
        ),
    ] = None,
    keep_vocabulary: Annotated[bool, typer.Option("--keep-vocabulary", help="Stage: do not prune.")] = False,
    weights: Annotated[
        Literal["float32", "float16", "bfloat16"] | None,
        typer.Option(help="Stage: type of model.safetensors.", show_default="float16"),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Pictures to compare on (default: rendered people).")] = None,
    data_format: Annotated[
        Literal["peta", "personvlm", "msp60k"], typer.Option("--format", help="Their format.")
    ] = "peta",
    root: Annotated[Path | None, typer.Option(help="Folder that picture paths start from.")] = None,
    pictures: Annotated[int, typer.Option(min=0, help="How many of them; 0 compares nothing.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Quiet = False,
) -> None:
    """Make a model small and fast, and print what each step costs in quality beside what it gains. A stage: prune its
    vocabulary, round its weights, write 8-bit graphs and a table of drafts. Edge: write its graphs in another form."""
    def note(what: str) -> None:
        if not quiet:
            print(f"personvlm: {what}", file=sys.stderr)

    with training_extra():
        from personvlm.data.corpus import read_corpus
        from personvlm.evaluation.compress import compare
        from personvlm.evaluation.compress_torch import forms_of
        from personvlm.language.prune import realised_texts
        from personvlm.models import kind_of, load
        from personvlm.runtime.compress_torch import compress as write

        if kind_of(directory) == "edge":
            if corpus or keep_vocabulary or weights:
                raise InputError("--corpus, --keep-vocabulary and --weights are for stages; of edge, choose a --form")
            from personvlm.data.transform import Transform

            note(f"forms of {directory}")
            transform = Transform.load(directory)
            crops = _crops(transform, data, data_format, root, pictures) if pictures else None
            _edge(directory, out, form or "float16", _crops(transform, None, "", None, _RANGES, seed=2).pixels, crops,
                  as_json, quiet)  # fmt: skip
            return
        if form:
            raise InputError("--form is for edge; of a stage all steps are taken")
        texts = read_corpus(corpus) if corpus else realised_texts()
        note(f"compressing {directory}")
        smaller = write(directory, out, texts, keep_vocabulary=keep_vocabulary, weights=weights or "float16")
        count, rows = 0, list[dict[str, Any]]()
        if pictures:
            seen = _crops(smaller.transform, data, data_format, root, pictures)
            count = len(seen.pixels)
            forms = forms_of(directory, load(directory), smaller, out)
            rows = compare(forms, seen, lambda name: note(f"{count} pictures: {name}"))
    if as_json:
        print_json({"out": str(out), "n": count, "forms": rows})
    elif not quiet:
        if rows:
            table = {row["name"]: _cells(row) for row in rows}
            print_table(f"{directory} on {count} pictures", table, _HEADER)
        print(f"Model: {out.resolve()}")


def _edge(directory: Path, out: Path, form: FormName, ranges: NDArray[np.float32], crops: Crops | None,
          as_json: bool, quiet: bool) -> None:  # fmt: skip
    from personvlm.evaluation.compress_edge import compare_edge
    from personvlm.evaluation.compress_torch import edge_forms
    from personvlm.runtime.bench_hardware import Elsewhere, hardware_line
    from personvlm.runtime.compress_torch import write_edge
    from personvlm.runtime.export import edge_graphs

    def track(items: Sequence[int], total: int, label: str) -> Iterable[int]:
        return progress(items, total, label, quiet=quiet)

    graphs = edge_graphs(directory)
    write_edge(directory, out, graphs, form, ranges)
    rows: list[dict[str, Any]] = []
    elsewhere, count = Elsewhere(), len(crops.images) if crops else 0
    if crops:
        with edge_forms(directory, graphs, ranges) as forms:
            rows = compare_edge(forms, crops, track)
    busy = elsewhere.share()
    if as_json:
        print_json({"out": str(out), "form": form, "n": count, "forms": rows, "line": hardware_line(),
                    "busy_elsewhere": busy})  # fmt: skip
    elif not quiet:
        if rows:
            print_table(f"{directory} on {count} pictures", {row["name"]: _edge_cells(row) for row in rows},
                        _EDGE_HEADER)  # fmt: skip
            print(hardware_line() + ("" if busy is None else f"; other programs used {busy:.0%} of it"))
        print(f"Model: {out.resolve()} ({form})")


def _crops(transform: Transform, data: Path | None, form: str, root: Path | None, count: int, seed: int = 1) -> Crops:
    from personvlm.evaluation.compress import labelled_crops, rendered_crops

    if data is None:
        return rendered_crops(transform, count, seed)
    from personvlm.data.readers import read_samples

    return labelled_crops(transform, read_samples(data, form, root), count)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    facts = "-" if row["facts"] is None else f"{row['facts']:.1%}"
    return (f"{row['bytes'] / 1e6:.1f}", f"{row['vocabulary']:,}", f"{row['nll_per_character']:.4f}",
            f"{row['same']:.1%}", f"{row['same_restricted']:.1%}", facts, f"{row['ms']['p50']:.1f}",
            f"{row['words_per_step']:.2f}")  # fmt: skip


def _edge_cells(row: dict[str, Any]) -> tuple[str, ...]:
    facts = "-" if row["facts"] is None else f"{row['facts']:.1%}"
    return (f"{row['bytes'] / 1e6:.1f}", f"{row['same']:.1%}", f"{row['apart']:.3f}",
            "yes" if row["holds"] else "NO", facts, f"{row['consistency']:.1%}", f"{row['vector']:.3f}",
            f"{row['ms']['alone']:.1f}", f"{row['ms']['batched']:.1f}")  # fmt: skip
