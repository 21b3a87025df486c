"""What more people, or a larger model, would bring: edge's heads trained on shares of the people, and measured.

    python tools/learning_curve.py --data $PERSONVLM_ASSETS/data --out runs/curve --steps 550 --docs
    python tools/learning_curve.py --check      exit status 1 where docs/experiments.md and its JSON differ

Every run has a folder below --out and goes on where it was stopped; what is done is not done again. Needs torch. The
folder ``cache`` below --out holds pictures, decoded: delete it in the end.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from readme_table import filled

from personvlm.base.errors import PersonVLMError
from personvlm.evaluation.learning_curve import draw, result, table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "experiments.md"
CURVE = ROOT / "docs" / "learning_curve.json"
BEGIN, END = "<!-- learning-curve:begin -->", "<!-- learning-curve:end -->"
NOTHING = "*Not measured yet; `python tools/learning_curve.py --docs` fills this in from docs/learning_curve.json.*"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    asked.add_argument("--data", type=Path, help="as for `personvlm train edge`")
    asked.add_argument("--out", type=Path, default=Path("runs", "curve"))
    asked.add_argument("--shares", type=_several(Fraction), default="1/8,1/4,1/2,1", help="of the training people")
    asked.add_argument("--sizes", type=lambda text: text.split(","), default="192x96",
                       help="HEIGHTxWIDTH[/WIDTH_OF_HEADS][@ENCODER]; every share at every size")  # fmt: skip
    asked.add_argument("--further-sizes", type=lambda text: text.split(","), default=[],
                       help="likewise, with the largest share alone")  # fmt: skip
    asked.add_argument("--steps", type=int, default=550, help="of every run")
    asked.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
                       help="as for `personvlm train edge`")  # fmt: skip
    asked.add_argument("--people", type=int, default=600, help="trained people to measure on, for the gap")
    asked.add_argument("--seed", type=int, default=0, help="of the order of people; the training's is --set seed=N")
    asked.add_argument("--encoder", help="ImageNet weights; by default the assets'")
    asked.add_argument("--also", type=Path, action="append", default=[],
                       help="a finished model, trained on all these people, to measure beside the runs")  # fmt: skip
    asked.add_argument("--target", type=float, help="of the mean of the six, 0..1: how many people it would take")
    asked.add_argument("--docs", action="store_true", help="into docs/, and into the page on experiments")
    asked.add_argument("--check", action="store_true", help="only compare the page with its JSON")
    asked.add_argument("--quiet", action="store_true")
    return asked


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Train what is not trained yet, and measure."""
    import torch
    import typer

    from personvlm.cli.train import setting, start_of
    from personvlm.data.sources import read_training
    from personvlm.models.config import EdgeConfig
    from personvlm.runtime.bench_hardware import hardware, hardware_line, now, versions
    from personvlm.training.learning_curve import Size, first_share, in_order, judged, learned, of_sources, recipe_at
    from personvlm.training.recipe import Recipe

    machine = f"{hardware_line()}, torch {versions()['torch']}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        machine += f", trained on {torch.cuda.get_device_name()}"
    try:
        settings = dict(map(setting, given.settings))
    except typer.BadParameter as error:
        raise PersonVLMError(error.message) from error
    try:
        sizes, further = ([Size.parse(text) for text in texts] for texts in (given.sizes, given.further_sizes))
    except ValueError as error:
        raise PersonVLMError(f"--sizes, --further-sizes: {error}") from error
    asked = [(share, size) for size in sizes for share in given.shares]
    asked += [(max(given.shares), size) for size in further]
    plans = [(share, size, recipe_at(size, share, given.steps, settings)) for share, size in asked]
    usual = Recipe().with_settings(settings).encoder
    weights = {name: start_of(given.encoder if name == usual else None, None, name, given.quiet).encoder
               for name in dict.fromkeys(recipe.encoder for *_, recipe in plans)}  # fmt: skip
    train, val = read_training(given.data)
    people = in_order(train, given.seed)
    familiar = of_sources(first_share(people, min(given.shares)), val)[: given.people]
    seen = [sample for pictures in familiar for sample in pictures]
    cache, points, also = given.out / "cache", [], []
    for number, (share, size, recipe) in enumerate(plans, start=1):
        out = given.out / f"{str(size).replace('/', '-')}-{str(share).replace('/', 'of')}"
        print(f"{number} of {len(plans)}: {share} of the people at {size}", file=sys.stderr)
        points.append({"share": str(share), **learned(
            first_share(people, share), val, seen, out, recipe, size, encoder=weights[recipe.encoder], cache=cache,
            machine=machine, quiet=given.quiet)})  # fmt: skip
    for path in given.also:
        config, most = EdgeConfig.load(path), max(point["compared"] for point in points)
        size = Size(config.height, config.width, config.head_dim, "" if config.encoder == usual else config.encoder)
        also.append({"name": config.title, "size": str(size), "compared": most, **judged(path, val, seen, cache)})
    machines = list(dict.fromkeys(point["machine"] for point in points))
    return result(points, also, given.target, made=now(), machines=machines, hardware=hardware(), steps=given.steps,
                  batch=plans[0][2].batch, settings=settings, seed=given.seed,
                  encoders={name: str(path) for name, path in weights.items()})  # fmt: skip


def block(curve: Mapping[str, Any]) -> str:
    """Markdown for the page: the picture, the table and what follows."""
    return f"![Mean of the six and loss over people](learning_curve.png)\n\n{table(curve)}"


def wanted() -> str:
    """The page as it should be."""
    text = block(json.loads(CURVE.read_text("utf-8"))) if CURVE.is_file() else NOTHING
    return filled(PAGE.read_text("utf-8"), text, BEGIN, END)


def main(arguments: list[str] | None = None) -> None:
    """Measure and write ``learning_curve.json`` and ``.png``, or check the page."""
    asked = parser()
    given = asked.parse_args(arguments)
    if given.check:
        fresh = PAGE.read_text("utf-8") == wanted()
        sys.exit(None if fresh else f"{PAGE.name}: stale; run `python tools/learning_curve.py` with --docs")
    if given.data is None:
        asked.error("--data: a folder as for `personvlm train edge`")
    try:
        curve = measure(given)
        target = CURVE if given.docs else given.out / CURVE.name
        draw(curve, target.with_suffix(".png"))
    except PersonVLMError as error:
        sys.exit(f"learning_curve: {error}")
    target.write_text(json.dumps(curve, indent=1, allow_nan=False) + "\n", "utf-8")
    if given.docs:
        PAGE.write_text(wanted(), "utf-8")
    print(table(curve))
    print(target, file=sys.stderr)


def _several(kind: Any) -> Any:
    def parse(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",")]
        except (ValueError, ZeroDivisionError) as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None

    return parse


if __name__ == "__main__":
    main()
