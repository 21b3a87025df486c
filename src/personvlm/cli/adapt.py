"""``personvlm adapt``: a model fitted to one's own cameras on a few hundred labelled crops, and the way back."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from personvlm.cli.describe import Quiet
from personvlm.cli.evaluate import Form
from personvlm.cli.output import print_json, print_table
from personvlm.cli.progress import progress
from personvlm.cli.train import training_extra

SHIPPED = "edge"


def adapt(
    data: Annotated[
        Path | None, typer.Option(help="Labelled crops of your cameras, JSON Lines or CSV; any part of the groups.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the adapted model; it keeps the old one too.")] = None,
    source: Annotated[
        str, typer.Option("--from", metavar="edge|DIR", help="What to adapt: the model that ships, or a folder.")
    ] = SHIPPED,
    form: Annotated[Form, typer.Option("--format", help="What the lines of --data look like.")] = "personvlm",
    root: Annotated[
        Path | None, typer.Option(help="Folder that picture paths start from (default: that of the data file).")
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option(help="Groups and values of your own that --data labels, with your words for them, as JSON; needs "
                          "--format personvlm."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="Labelled crops of other cameras, on which the model must stay as good (default: drawn "
                          "people, who only show gross damage)."),
    ] = None,
    reference_form: Annotated[
        Form, typer.Option("--reference-format", help="What the lines of --reference look like.")
    ] = "personvlm",
    heads: Annotated[
        bool, typer.Option("--heads", help="Leave the encoder as it is: a minute, not five; two thirds of the gain.")
    ] = False,
    undo: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Put the model back that DIR was adapted from, bit for bit.")
    ] = None,
    redo: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take the adapted model of DIR up again after --undo.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit a model to your own cameras. 200 labelled crops are enough to gain something.

    Nothing changes unless people who were left out of the fit are told better and the reference set is not forgotten.
    The folder keeps both versions.
    """
    back = undo or redo
    if back is not None:
        if any(given is not None for given in (data, out, root, own, reference)) or heads or (undo and redo):
            raise typer.BadParameter("--undo and --redo stand alone: name the folder of an adapted model")
        from personvlm.training.adapt_versions import AFTER, BEFORE, switch

        version = BEFORE if undo else AFTER
        switch(back, version)
        if as_json:
            print_json({"model": str(back.resolve()), "in_use": version})
        elif not quiet:
            print(f"Model: {back.resolve()}, {'as it was' if undo else 'adapted'}")
        return
    if data is None or out is None:
        raise typer.BadParameter("give --data FILE and --out DIR; or --undo DIR")
    if own is not None and form != "personvlm":
        raise typer.BadParameter("--own needs --format personvlm")
    with training_extra():
        from personvlm.data.own import read_personvlm
        from personvlm.data.readers import read_samples
        from personvlm.evaluation.adapt_torch import adapt as run
        from personvlm.models.own import read_words
        from personvlm.runtime.describer import model_folder

        words = None if own is None else read_words(own)
        samples = read_samples(data, form, root) if words is None else read_personvlm(data, root, words)
        others = None if reference is None else read_samples(reference, reference_form)

        def shown(steps: Iterable[Any], total: int, what: str) -> Iterable[Any]:
            return progress(steps, total, what, quiet=quiet)

        told = run(
            model_folder(source),
            samples,
            out,
            others,
            words=words,
            eyes=not heads,
            shown=shown,
            note=lambda sentence: None if quiet else print(f"personvlm: {sentence}", file=sys.stderr),
        )
    if as_json:
        print_json(told)
    elif not quiet:
        _print(told)
        print(f"Model: {out.resolve()} ({told['model']}); `personvlm adapt --undo {out}` takes it back")


def _print(told: dict[str, Any]) -> None:
    header = ("group", "before", "after", "gain", "95 %", "reference", "95 %", "changed")
    data, reference = told["data"], told["reference"]
    cells = {group: (*_cells(row["new"]), *_cells(row["reference"])[2:], _verdict(row))
             for group, row in told["groups"].items()}  # fmt: skip
    print_table(
        f"{data['crops']} crops of {data['people']} people, each judged by a fit that never saw them; "
        f"reference: {reference['crops']} crops, {reference['what']}",
        cells,
        header,
    )
    print(f"Eyes: {'trained on your people' if not told['eyes']['why'] else 'as they were: ' + told['eyes']['why']}")
    for name, row in told["own"].items():
        found = "–" if row["after"] is None else f"{row['after']:.1%} found, value by value; chance {row['chance']:.0%}"
        print(f"{name}, your own: {found}; changed: {_verdict(row)}")
    for where, what in (("new", "The six headline groups, your people"), ("reference", "and the reference set")):
        mean = told["six"][where].get("mean")
        if mean:
            before, after, gain, interval = _cells(mean)
            print(f"{what}: {before} -> {after}, {gain} points ({interval})")


def _verdict(row: dict[str, Any]) -> str:
    return f"no: {row['why']}" if row["change"] == "none" else str(row["change"])


def _cells(row: dict[str, Any] | None) -> tuple[str, str, str, str]:
    """before, after, gain and its interval, in percent and points."""
    if row is None or row["before"] is None or row["after"] is None:
        return ("–", "–", "–", "–")
    low, high = row["interval"]
    between = "–" if low is None or high is None else f"{100 * low:+.1f} to {100 * high:+.1f}"
    return f"{row['before']:.1%}", f"{row['after']:.1%}", f"{100 * row['difference']:+.1f}", between
