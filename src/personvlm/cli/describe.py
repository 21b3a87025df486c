"""``personvlm describe``: pictures in, sentences and attributes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from personvlm.base import logs
from personvlm.base.errors import InputError
from personvlm.cli import output
from personvlm.cli.progress import progress

Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="edge|nano|DIR", help="edge, the default; nano, which is faster; or a folder."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no notes; errors are still printed.")]
LogFormat = Annotated[
    logs.Format | None, typer.Option(help="Of the lines on stderr (default: text on a terminal, JSON elsewhere).")
]
Saying = Annotated[
    Literal["confident", "all"],
    typer.Option(help="Say what is certain enough, or the most probable value of every group."),
]


def _offered(tag: str) -> str:
    from personvlm.language.languages import language

    try:
        return language(tag)
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


MinPrecision = Annotated[
    float | None,
    typer.Option(min=0.5, max=0.99, metavar="P",
                 help="Say only what is right this often, as in --min-precision 0.9."),
]  # fmt: skip
NoGender = Annotated[bool, typer.Option("--no-gender", help="Neither say nor output gender.")]
NoAge = Annotated[bool, typer.Option("--no-age", help="Neither say nor output age.")]
Spoken = Annotated[
    str, typer.Option("--lang", metavar="en|es|de|fr|hi|zh|ja", callback=_offered,
                      help="Language of the sentences; all else is English.")
]  # fmt: skip
"""The code of the language: ``de`` where ``de-AT`` was asked for."""


def describe(
    inputs: Annotated[
        list[str], typer.Argument(metavar="PATH|DIR|GLOB|-...", help="Pictures; - reads one from stdin.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per input, as they come.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with one row per input.")] = False,
    say: Saying = "confident",
    min_precision: MinPrecision = None,
    no_gender: NoGender = False,
    no_age: NoAge = False,
    lang: Spoken = "en",
    batch: Annotated[int, typer.Option(min=1, help="Pictures per batch.")] = 16,
    candidates: Annotated[
        int, typer.Option(min=1, metavar="N", help="Also give up to N different texts, the likeliest first.")
    ] = 1,
    backend: Annotated[
        Literal["auto", "onnx", "cuda", "tensorrt", "torch"] | None,
        typer.Option(help="What runs the model; auto says on stderr what it takes, and why.", show_default="auto"),
    ] = None,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Describe the person in every picture. Exit status 1 if any input failed; the others are described anyway."""
    if as_json + as_jsonl + as_csv > 1:
        raise typer.BadParameter("choose one of --json, --jsonl and --csv")
    if min_precision is not None and say == "all":
        raise typer.BadParameter("--say all says everything, --min-precision only what holds: choose one")
    from personvlm.language.languages import ENGLISH, result_in_language

    if lang != ENGLISH and candidates > 1:
        raise typer.BadParameter("--candidates are what the model says, which is English: choose it or --lang")
    form: output.Format = "json" if as_json else "jsonl" if as_jsonl else "csv" if as_csv else "plain"

    from personvlm.pipeline.inputs import described, expand
    from personvlm.runtime.describer import Describer

    items = expand(inputs)
    describer = Describer.load(model, backend=backend or "auto")
    if backend and not quiet:
        print(f"personvlm: {describer.backend}", file=sys.stderr)
    results = described(items, describer, say=say, min_precision=min_precision, gender=not no_gender,
                        age=not no_age, batch=batch, candidates=candidates)  # fmt: skip
    results = (result_in_language(each, lang) for each in results)
    # Answers that scroll by on the terminal are progress enough; a bar would only run into them.
    streaming = form != "json" and sys.stdout.isatty()
    own = describer.own.words if as_csv and describer.own else ()
    failed = output.write(progress(results, len(items), "Describing", quiet=quiet or streaming), form, own)
    if failed:
        if not quiet and len(items) > 1:
            print(f"personvlm: {failed} of {len(items)} inputs failed", file=sys.stderr)
        raise typer.Exit(1)
