"""``personvlm study``: the four stages of the published study and edge, under one budget rule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from personvlm.base.errors import InputError
from personvlm.cli.describe import Quiet
from personvlm.cli.output import print_json
from personvlm.cli.train import training_extra


def study(
    data: Annotated[Path, typer.Option(help="A folder as `personvlm data prepare` writes it, or with public sets.")],
    out: Annotated[Path, typer.Option(help="Folder for models, texts, figures and the report.")],
    budget: Annotated[
        list[str] | None,
        typer.Option(help="Per model: minutes (10m) or epochs (1e); several with commas, or repeated."),
    ] = None,
    stages: Annotated[
        str, typer.Option(help="Which models; none: ablations alone, for the report of --join.")
    ] = "1,2,3,4,edge",
    encoder: Annotated[
        list[str] | None, typer.Option(help="Train the stages with this encoder too, as in --encoder mobilenet_v2.")
    ] = None,
    ablations: Annotated[str, typer.Option(help="all, none, or names: see docs/study.md.")] = "none",
    ablation_budget: Annotated[str, typer.Option(help="Minutes or epochs of each of their runs.")] = "3m",
    people: Annotated[int, typer.Option(min=0, help="Test on so many people only; 0: all.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="Test on so many pictures only; 0: all.")] = 0,
    clock: Annotated[
        Literal["wall", "cpu"],
        typer.Option(help="What minutes are: wall clock, or on a busy machine processor time per thread."),
    ] = "wall",
    join: Annotated[
        Path | None, typer.Option(metavar="study.json", help="Report an earlier study under other budgets too.")
    ] = None,
    tokenizer: Annotated[
        str, typer.Option(help="Stages 3 and 4: a folder, words or bpe (default: GPT-2's, of the assets or the hub).")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="MODEL.KEY=VALUE", help="Change a recipe: --set stage3.learning_rate=3e-4."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as one JSON array.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train every stage and edge under one budget; score them on the same people. What was stopped goes on."""
    from personvlm.evaluation.study import make_report, read_study_file, run_study
    from personvlm.evaluation.study_ablations import ablation_entries, parse_ablations
    from personvlm.evaluation.study_plan import parse_models, parse_settings, planned
    from personvlm.training.budget import Budget, parse_budgets

    models, names = parse_models(stages), parse_ablations(ablations)
    if not models and (join is None or not names):
        raise InputError("--stages none takes --ablations, and --join with the study whose report they go into")
    budgets = parse_budgets(budget or [], clock) if models else []
    entries = planned(models, budgets, parse_settings(settings or []), encoder or [])
    earlier = None if join is None else read_study_file(join)
    entries += ablation_entries(names, Budget.parse(ablation_budget, clock))

    def say(sentence: str) -> None:
        if not quiet:
            print(f"personvlm: {sentence}", file=sys.stderr, flush=True)

    with training_extra():
        results = run_study(data, out, entries, people=people, limit=limit, tokenizer=tokenizer, say=say, quiet=quiet)
        written = make_report(data, out, entries, names, people=people, limit=limit, join=earlier, say=say)
    if as_json:
        print_json(results)
    elif not quiet:
        print(f"Report: {written['html'].resolve()}")
