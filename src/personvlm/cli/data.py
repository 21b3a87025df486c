"""``personvlm data``: split, count and look at labelled pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from personvlm.base.errors import InputError
from personvlm.cli.describe import Quiet
from personvlm.cli.output import print_json, print_table, printable

app = typer.Typer(help="Split, count and look at labelled pictures.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="The data file, JSON Lines (personvlm: CSV too; coco: JSON).")]
Format = Annotated[
    Literal["personvlm", "peta", "ccp", "clothing_attribute", "orientation", "msp60k", "coco"],
    typer.Option("--format", help="What the lines look like."),
]
Root = Annotated[
    Path | None, typer.Option("--root", help="Folder that picture paths start from (default: that of the data file).")
]

Mapping = Annotated[
    Path | None,
    typer.Option(metavar="FILE.json", help="With --format coco: what attributes mean that are not called as ours "
                                           "(default: NAME.mapping.json beside the data file)."),
]  # fmt: skip


@app.command()
def prepare(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for train.jsonl, val.jsonl and test.jsonl.")],
    form: Format = "personvlm",
    root: Root = None,
    mapping: Mapping = None,
    fractions: Annotated[
        tuple[float, float, float], typer.Option(help="Shares of train, val and test; they add up to 1.")
    ] = (0.8, 0.1, 0.1),
    seed: Annotated[int, typer.Option(help="Another seed gives another split.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Split by identity, so that nobody is in two parts, and write one file per part. Pictures stay where they are."""
    from personvlm.data.splits import prepare as split

    done = split(source, form, out, fractions, seed, root, mapping)
    for (name, part), share in zip(done["splits"].items(), fractions, strict=True):
        if share and not part["samples"]:
            print(f"personvlm: warning: {out / name}.jsonl holds no samples: too few people for the split; "
                  "give more people, or a larger share with --fractions", file=sys.stderr)  # fmt: skip
    if not quiet:
        rows = {name: (str(part["samples"]), str(part["identities"])) for name, part in done["splits"].items()}
        print_table(str(out), rows, ("part", "pictures", "people"))


@app.command()
def stats(
    source: Source,
    form: Format = "personvlm",
    root: Root = None,
    mapping: Mapping = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count what is annotated, how often, and how large the pictures are."""
    from personvlm.data.readers import read_samples
    from personvlm.data.stats import rows
    from personvlm.data.stats import stats as count

    counts = count(read_samples(source, form, root, mapping))
    if not counts["samples"]:
        raise InputError(f"{source}: holds no pictures to count")
    if as_json:
        print_json(counts)
        return
    sizes = " by ".join(f"{size['min']} to {size['max']} (median {size['median']})"
                        for name in ("width", "height") if (size := counts["sizes"].get(name)))  # fmt: skip
    facts = {"pictures": counts["samples"], "people": counts["identities"], "captions": counts["captions"],
             "unreadable": counts["unreadable"], "pixels": sizes or "unknown"}  # fmt: skip
    print_table(str(source), {name: (str(fact),) for name, fact in facts.items()}, ("", ""))
    print()
    table = {name: (annotated, partial, values) for name, annotated, partial, values in rows(counts)}
    print_table("Annotated groups", table, ("group", "annotated", "partial", "values"))


@app.command()
def sheet(
    source: Source,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("sheet.png"),
    form: Format = "personvlm",
    root: Root = None,
    mapping: Mapping = None,
    n: Annotated[int, typer.Option("--n", min=1, help="How many pictures.")] = 24,
    seed: Annotated[int, typer.Option(help="Another seed draws other pictures.")] = 0,
) -> None:
    """Draw pictures at random with their captions below, to see with one's own eyes what a data set says."""
    from personvlm.data.readers import read_samples
    from personvlm.data.sheet import sheet as draw

    print(draw(read_samples(source, form, root, mapping), out, n, seed).resolve())


@app.command()
def labelstudio(
    export: Annotated[Path, typer.Argument(metavar="EXPORT.json", help="A project of Label Studio, exported as JSON.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for people.jsonl; pictures stay where they are.")],
    images: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Where the pictures are (may be repeated; default: beside the export, and "
                                         "in images/ there)."),
    ] = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Turn what people decided in Label Studio into data for `personvlm data prepare` and `personvlm adapt`."""
    from personvlm.integrations.labels import write_training

    done = write_training(export, out, images)
    if not quiet:
        print(printable(f"{done.file}: {done.pictures} pictures; left out: {done.undone} tasks that nobody has done, "
                        f"{done.stale} sentences that say something else than the choices"))  # fmt: skip
