"""``personvlm models`` and ``personvlm schema``: what is there, and what comes out."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Annotated, Any

import typer

from personvlm.base.errors import AssetError
from personvlm.cli.output import print_json, print_table


def models(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False) -> None:
    """List the models with their numbers of parameters: what ships and, where torch is, the stages of the study. And
    say what would run the model that ships here."""
    found = shipped() + stages()
    if as_json:
        print_json(found)
        return
    rows = {model["name"]: (f"{model['parameters']:,}", f"{model['trainable']:,}", f"{model['budget']:.1%}")
            for model in found}  # fmt: skip
    print_table("Models", rows, ("name", "parameters", "trainable", "of 100M"))

    from personvlm.runtime.describer import Describer

    print(f"\nBackend: {Describer.load().backend}")


def shipped() -> list[dict[str, Any]]:
    """Every model inside the package as its metrics.json has it.

    Each has ``name``, ``parameters``, ``trainable``, ``budget`` (share of 100M, 0..1) and, where they are known,
    ``parts`` (name -> parameters).

    Raises:
        AssetError: the package was built without weights.
    """
    from personvlm.models.presets import BUDGET

    folder = files("personvlm").joinpath("weights")
    models = sorted(folder.iterdir(), key=lambda each: each.name) if folder.is_dir() else []
    files_of_facts = [model.joinpath("metrics.json") for model in models if model.joinpath("metrics.json").is_file()]
    facts = [json.loads(each.read_text("utf-8")) for each in files_of_facts]
    if not facts:
        raise AssetError(f"no model with its metrics.json lies in {folder}: this copy of PersonVLM was built without")
    return [_row({"budget": round(each["parameters"] / BUDGET, 4), **each}) for each in facts]


def stages() -> list[dict[str, Any]]:
    """The same of the published study's stages; nothing where the ``train`` extra, which counts them, is missing."""
    try:
        from personvlm.models.sizes import sizes
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "personvlm":
            raise
        return []
    return [_row(each) for each in sizes()]


def _row(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("name", "parameters", "trainable", "budget", "parts") if name in facts}


def schema() -> None:
    """Print the JSON Schema of a person's description, with all groups and their legal values."""
    from personvlm.schema import json_schema

    print_json(json_schema(), indent=2)
