"""Pages that are written from the code, or that make claims about all of it: they cannot fall behind it."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

import pytest
import typer

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.runtime.describer import Describer
from personvlm.schema import Annotations, PersonDescription
from personvlm.training.recipe import Recipe
from test_house import HEAVY_ROOMS, ROOMS
from test_readme import tool

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "personvlm"


def text(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


# ---- the command line


def test_the_page_of_the_command_line_is_that_of_the_commands() -> None:
    assert text("cli.md") == tool("cli_reference").page(), "run: python tools/cli_reference.py"


def test_the_page_does_not_depend_on_the_terminal_or_the_user(tmp_path: Path) -> None:
    code = "import cli_reference; print(cli_reference.page(), end='')"
    environment = os.environ | {"COLUMNS": "20", "TERMINAL_WIDTH": "20", "FORCE_COLOR": "1", "USER": "somebody",
                                "HOME": str(tmp_path), "PERSONVLM_STORE": "elsewhere.db", "LANG": "C",
                                "PYTHONPATH": str(ROOT / "tools"), "PYTHONIOENCODING": "utf-8"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True,
                          encoding="utf-8", timeout=120, check=False)  # fmt: skip
    assert done.stdout == tool("cli_reference").page(), done.stderr


def test_a_new_option_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    module = tool("cli_reference")
    before = module.page()
    changed = typer.Typer()

    @changed.command("one")
    def one(name: str, loud: Annotated[bool, typer.Option("--loud", help="A | B.")] = False) -> None:
        """Says it."""

    @changed.command("two")
    def two(many: Annotated[list[int] | None, typer.Option(help="How *many*.")] = None,
            size: Annotated[float, typer.Option(min=1.0)] = 2.0) -> None:  # fmt: skip
        """Says more."""

    monkeypatch.setattr(module, "app", changed)
    page = module.page()
    assert page != before
    assert "| `--loud` |  |  | A &#124; B. |" in page
    assert r"| `--many` | `N`; repeatable |  | How \*many\*. |" in page
    assert "| `--size` | `X`, 1 or more | `2` |  |" in page
    assert "| `name` | `TEXT` | *required* |  |" in page


def test_every_variable_that_is_read_is_told() -> None:
    read = {name for path in SOURCE.rglob("*.py")
            for name in re.findall(r"PERSONVLM_[A-Z_]+", path.read_text("utf-8"))}  # fmt: skip
    assert set(tool("cli_reference").ENVIRONMENT) == read


# ---- HTTP


def test_the_page_of_http_is_that_of_the_document() -> None:
    module = tool("http_reference")
    assert text("http.md") == module.wanted(), "run: python tools/http_reference.py"
    document = json.loads(text("openapi.json"))
    for path, routes in document["paths"].items():
        for method, route in routes.items():
            assert f"### {method.upper()} {path}\n" in text("http.md")
            assert route["x-scope"] in ("public", "any", "ingest", "read", "search", "admin", "erase")


def test_a_changed_route_changes_the_page_of_http() -> None:
    document = json.loads(text("openapi.json"))
    module = tool("http_reference")
    document["paths"]["/v1/describe"]["post"]["x-scope"] = "erase"
    document["components"]["schemas"]["Health"]["properties"]["mood"] = {"enum": ["good", "bad"]}
    page = module.page(document)
    assert "| [`POST /v1/describe`](#post-v1describe) | erase |" in page
    assert "| `mood` | `good` or `bad` |" in page


@pytest.mark.parametrize("page", ["cli.md", "http.md"])
def test_headings_are_unlike_and_links_within_the_page_find_them(page: str) -> None:
    plain = re.sub(r"```.*?```", "", text(page), flags=re.S)
    anchors = [tool("http_reference").anchor(heading) for heading in re.findall(r"^#+ (.*)$", plain, re.M)]
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]+)\)", plain)) <= set(anchors)


# ---- model card and data sheet


def test_card_and_page_are_what_the_weights_say() -> None:
    for path, wanted in tool("model_card").wanted().items():
        assert path.read_text("utf-8") == wanted, "run: python tools/model_card.py"


def test_other_weights_give_another_card(tmp_path: Path) -> None:
    module = tool("model_card")
    for path in (SOURCE / "weights" / "edge").glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    metrics |= {"name": "edge", "version": "9", "parameters": 1_234_567}
    metrics["test"]["text"]["gender"] |= {"accuracy": 0.125, "interval": [0.1, 0.15]}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    config = json.loads((tmp_path / "config.json").read_text("utf-8")) | {"version": "9"}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    calibration = json.loads((tmp_path / "calibration.json").read_text("utf-8"))
    calibration["taught"] = {"gender": ["male"]}
    (tmp_path / "calibration.json").write_text(json.dumps(calibration), "utf-8")
    taught = {"teachers": ["a", "b"], "looks": [], "whole": True}
    (tmp_path / "distillation.json").write_text(json.dumps(taught), "utf-8")
    card = module.card(tmp_path)
    assert card.startswith("# Model card: edge-9\n")
    for line in ("| parameters | 1,234,567 |", "| gender | 12.5 % | 10.0 % to 15.0 % |", "| `gender` | male | female |",
                 "2 other models, which looked once at whole pictures"):  # fmt: skip
        assert line in card
    (tmp_path / "metrics.json").write_text(json.dumps(metrics | {"version": "8"}), "utf-8")
    with pytest.raises(InputError, match=r"figures of edge-8.*weights are edge-9"):
        module.card(tmp_path)
    (tmp_path / "metrics.json").unlink()
    assert tool("readme_table").NOTHING in module.card(tmp_path)


def test_the_page_of_the_card_has_links() -> None:
    assert tool("model_card").page("see docs/data-sheet.md.") == "see [data-sheet.md](data-sheet.md)."


def people(count: int, source: str, **values: str) -> list[Sample]:
    known = Annotations.build({group.replace("_", "."): (value,) for group, value in values.items()})
    return [Sample(Path(f"{row}.jpg"), known, identity=f"Street/{row}", source=source) for row in range(count)]


def test_the_figures_of_the_data_sheet_are_counted() -> None:
    module = tool("data_sheet")
    men, women = people(3, "peta", gender="male", hair_color="red"), people(1, "peta", gender="female")
    counted = {"PETA train": module.stats(men + women)}
    shares = module._shares(counted)
    assert "| `gender` male | 75 % |" in shares
    assert "| `gender` female | 25 % |" in shares
    assert "| Street | 4 | 3 | 1.3 |" in module._cameras(men + women)
    nobody = module.stats([])
    assert "| `hair.color` | red 3 |" in module._rare(counted | dict.fromkeys(
        ("CCP", "Clothing Attribute", "orientation train"), nobody))  # fmt: skip


@pytest.mark.accept
def test_the_data_sheet_is_that_of_the_data() -> None:
    data = Path(os.environ.get("PERSONVLM_ASSETS", ROOT.parent / "shared")) / "data"
    if not (data / "peta").is_dir():
        pytest.skip("needs the data sets below PERSONVLM_ASSETS")
    assert text("data-sheet.md") == tool("data_sheet").wanted(data), "run: python tools/data_sheet.py"


def test_the_data_sheet_has_its_figures_and_nobody() -> None:
    page = text("data-sheet.md")
    figures = page.split("<!-- figures:begin -->")[1].split("<!-- figures:end -->")[0]
    for name in (*tool("data_sheet").SETS, "orientation train", "orientation test", "drawn people"):
        assert f"| {name} | " in figures
    assert not re.search(r"\.(jpg|png|bmp)\b", figures)


# ---- Python, training


def test_the_page_on_python_names_every_field_and_argument() -> None:
    fields = {name for cells in rows("python.md", "What comes back") for name in re.findall(r"`(\w+)`", cells[0])}
    assert fields == set(PersonDescription.model_fields)
    named = {name for cells in rows("python.md", "What is said") for name in re.findall(r"`(\w+)`", cells[0])}
    assert named == set(inspect.signature(Describer.describe).parameters) - {"self", "inputs"}


def test_the_page_on_training_names_settings_of_the_recipe_with_their_defaults() -> None:
    recipe = Recipe()
    page = text("train.md")
    assert f"| `steps=N` | {recipe.steps} |" in page
    for phase in recipe.phases:
        assert f"`{phase.steps}x{phase.height}x{phase.width}{'+text' if phase.text else ''}`" in page
    table = {cells[0]: cells[1] for cells in rows("train.md", "Settings")}
    strengths = dict(re.findall(r"`(\w+)` ([0-9.]+)", table.pop("`augment.NAME`")))
    assert {name: float(value) for name, value in strengths.items()} == asdict(recipe.augment)
    for names, defaults in table.items():
        if "=" not in names:
            found = [str(getattr(recipe, name)) for name in re.findall(r"`(\w+)`", names)]
            assert [re.sub(r"\.0$", "", value) for value in found] == re.sub(" steps", "", defaults).split(", ")
    settings = re.findall(r"--set ([^\s`]+)", page)
    assert len(settings) > 5
    for setting in settings:
        name, _, value = setting.partition("=")
        assert name == "KEY" or recipe.with_settings({name: value})


# ---- privacy


def test_every_table_of_the_store_stands_in_the_page_on_privacy() -> None:
    from personvlm.store.tables import metadata

    named = set(re.findall(r"`([a-z_]+)`", text("privacy.md")))
    assert {*metadata.tables, "search_text"} - named == set(), "say what happens to it when somebody is erased"


def test_options_that_privacy_rests_on_exist() -> None:
    there = set(re.findall(r"`(--[a-z-]+)`", text("cli.md")))
    page = re.sub(r"```.*?```", "", text("privacy.md"), flags=re.S)
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", page)) - there == set()


# ---- architecture


def rows(page: str, heading: str) -> list[list[str]]:
    section = text(page).split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]


def test_the_rooms_stand_in_the_order_that_the_walk_of_imports_holds() -> None:
    table = [cells[0].strip("`") for cells in rows("architecture.md", "Rooms")]
    assert tuple(table) == ROOMS
    heavy = {cells[0].strip("`") for cells in rows("architecture.md", "Rooms") if "(torch)" in cells[-1]}
    assert heavy == HEAVY_ROOMS


def test_every_file_that_the_page_on_architecture_names_is_there() -> None:
    page = text("architecture.md")
    named = set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", page))
    assert len(named) > 30
    assert {name for name in named if not (SOURCE / name).exists() and not (ROOT / name).exists()} == set()


def test_the_picture_of_the_pipeline_is_drawn_from_rooms_and_fetches_nothing() -> None:
    module = tool("pipeline_picture")
    drawn = (DOCS / "images" / "pipeline.svg").read_text("utf-8")
    assert drawn == module.picture(), "run: python tools/pipeline_picture.py"
    assert {room for box in module.BOXES.values() for room in box.rooms} <= set(ROOMS)
    root = ElementTree.fromstring(drawn)
    assert {element.tag.rpartition("}")[2] for element in root.iter()}.isdisjoint({"script", "image", "use", "a"})
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    for box in module.BOXES.values():
        x, y = module._place(box.column, box.row)
        assert 0 <= x <= width - module.WIDE
        assert 0 <= y <= height - module.HIGH
