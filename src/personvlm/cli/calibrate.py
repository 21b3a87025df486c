"""``personvlm calibrate``: what a model's confidence means, learned anew from labelled people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from personvlm.cli.describe import Quiet
from personvlm.cli.evaluate import Form
from personvlm.cli.output import print_json, print_table
from personvlm.cli.progress import progress

FEW = 100


def calibrate(
    data: Annotated[
        Path,
        typer.Option(help="Labelled pictures of people whom the model was not trained on, as JSON Lines; or the folder "
                          "that it was trained from, whose validation part is taken."),
    ],
    model: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The model's folder (default: the one that ships).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Leave the model alone and write a copy of it here.")] = None,
    form: Annotated[Form, typer.Option("--format", help="What the lines of a file look like.")] = "personvlm",
    root: Annotated[
        Path | None, typer.Option(help="Folder that picture paths start from (default: that of the data file).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Pictures per batch.")] = 32,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit confidence and thresholds to labelled people and keep them with the model. Needs no torch.

    A few hundred people tell what holds at a stated precision; a value that fewer than ten show cannot be judged.
    """
    if model is None and out is None:
        raise typer.BadParameter("give --out DIR: the model that ships is not changed, a copy of it is calibrated")
    from personvlm.data.readers import read_samples
    from personvlm.data.sources import read_training
    from personvlm.runtime.describer import model_folder
    from personvlm.runtime.release import SHOWN, recalibrate, summary

    samples = read_training(data)[1] if data.is_dir() else read_samples(data, form, root)

    def shown(steps: Iterable[int], total: int) -> Iterable[int]:
        return progress(steps, total, "Looking", quiet=quiet)

    told = summary(recalibrate(model_folder(model), samples, out=out, batch=batch, progress=shown))
    if not quiet and told["people"] < FEW:
        print(f"personvlm: {told['people']} people are few: what holds at a stated precision is hardly known",
              file=sys.stderr)  # fmt: skip
    if as_json:
        print_json(told)
    elif not quiet:
        rows = {name: (f"{group['scale']:.2f}", "shifted" if group["shifted"] else "",
                       *(", ".join(group["said_at"][f"{level:g}"]) or "–" for level in SHOWN))
                for name, group in told["groups"].items()}  # fmt: skip
        print_table(f"{told['people']} people; logits of tracks are multiplied by {told['track']:g}", rows,
                    ("group", "scale", "", *(f"said at {level:g}" for level in SHOWN)))  # fmt: skip
        print(f"Model: {(out or model_folder(model)).resolve()}")
