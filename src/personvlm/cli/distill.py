"""``personvlm distill``: edge learns from larger models, and what it lost and gained by being small is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personvlm.base.errors import InputError
from personvlm.cli.describe import Quiet
from personvlm.cli.output import print_json, print_table
from personvlm.cli.train import _first_process, setting, start_of, training_extra

if TYPE_CHECKING:
    from personvlm.data.sample import Sample


def distill(
    teachers: Annotated[
        list[Path], typer.Argument(help="Folders of edge models, several are an ensemble; re-ID models (.onnx) teach "
                                        "the appearance vector.")
    ],
    data: Annotated[Path, typer.Option(help="As for `personvlm train edge`.")],
    out: Annotated[Path, typer.Option(help="Folder for the student.")] = Path("runs", "distilled"),
    unlabelled: Annotated[Path | None, typer.Option(help="A folder of further crops without labels.")] = None,
    temperature: Annotated[float, typer.Option(help="Softens what the teachers say.")] = 2.0,
    weight: Annotated[float, typer.Option(help="Of what the teachers say, beside the labels.")] = 1.0,
    similarity: Annotated[float, typer.Option(help="Weight of whom they find alike; 0: not taught.")] = 1.0,
    looks: Annotated[float, typer.Option(help="Weight of whom re-ID models find alike.")] = 0.5,
    whole: Annotated[
        bool, typer.Option("--whole", help="Edge models look once at whole pictures, not at augmented ones.")
    ] = False,
    mix: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of crops that are laid over another: no label holds there, "
                            "and teachers say what they see.")
    ] = 0.0,
    encoder: Annotated[str | None, typer.Option(help="As for `personvlm train edge`.")] = None,
    start: Annotated[Path | None, typer.Option("--from", help="Folder of an edge model to start from.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as in --set steps=500.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train edge on labels and on what larger edge models see in every crop, labelled or not. A run that was stopped
    goes on. The student is calibrated, and ready for `describe --model`."""
    with training_extra():
        from personvlm.evaluation.figures import number
        from personvlm.runtime.release import release
        from personvlm.training.distill import Distillation, compared
        from personvlm.training.recipe import Recipe
        from personvlm.training.run import train_edge

        onnx = [str(teacher) for teacher in teachers if teacher.suffix == ".onnx"]
        edges = [teacher for teacher in teachers if teacher.suffix != ".onnx"]
        taught = Distillation(tuple(map(str, edges)), temperature, weight, similarity, tuple(onnx), looks,
                             whole, mix)  # fmt: skip
        recipe = Recipe().with_settings(dict(setting(text) for text in settings or []))
        more = _pictures(unlabelled) if unlabelled is not None else []
        begin = start_of(encoder, start, recipe.encoder, quiet or as_json, shared=bool(recipe.shared))
        trained = train_edge(data, out, recipe, begin, distillation=taught, unlabelled=more, quiet=quiet or as_json)
        if not _first_process():
            return
        release(out, trained.validation, trained.taught)
        models = [*((str(teacher), teacher) for teacher in edges), ("student", out)]
        rows = [{**row, "facts": {name: number(value) for name, value in row["facts"].items()}}
                for row in compared(models, trained.validation, out / "cache")]  # fmt: skip
    if as_json:
        print_json({"out": str(out), "n": len(trained.validation), "models": rows})
    elif not quiet:
        print_table(f"Heads on {len(trained.validation)} validation pictures", _cells(rows), _header(rows))
        print(f"Model: {out.resolve()}")


def _pictures(folder: Path) -> list[Sample]:
    """Every picture of a folder, with nothing known about it."""
    from personvlm.data.sample import Sample
    from personvlm.pipeline.inputs import expand
    from personvlm.schema import Annotations

    items = expand([str(folder)])
    for item in items:
        if item.error is not None:
            raise InputError(f"{item.name}: {item.error}")
    return [Sample(item.source, Annotations({}), source="unlabelled") for item in items]


def _header(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    return ("model", "parameters", "ms", *rows[0]["facts"])


def _cells(rows: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    return {row["name"]: (f"{row['parameters']:,}", f"{row['ms']:.1f}",
                          *("–" if value is None else f"{value:.1%}" for value in row["facts"].values()))
            for row in rows}  # fmt: skip
