"""``personvlm train`` and ``personvlm export``: the commands that need the ``train`` extra."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from personvlm.base.errors import PersonVLMError
from personvlm.cli.describe import Quiet


def train(
    preset: Annotated[Literal["edge"], typer.Argument(help="Which model.")],
    data: Annotated[Path, typer.Option(help="A folder as `personvlm data prepare` writes it, or with public sets.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the model (default: runs/PRESET).")] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Folder with a MobileNetV2 in safetensors to start from (ImageNet weights).")
    ] = None,
    start: Annotated[Path | None, typer.Option("--from", help="Folder with a whole model to go on from.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as in --set lr=0.0005.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a model, calibrate it and leave it ready for `describe --model`. A run that was stopped goes on."""
    changes = dict(_pair(text) for text in settings or [])
    if encoder is not None and start is not None:
        raise typer.BadParameter("choose one of --encoder and --from")
    out = out or Path("runs", preset)
    with training_extra():
        from personvlm.runtime.release import release
        from personvlm.training.recipe import Recipe
        from personvlm.training.run import Start, train_edge

        recipe = Recipe().with_settings(changes)
        encoder = encoder or _known_encoder()
        if encoder is None and start is None and not quiet:
            print("personvlm: the encoder starts from chance; --encoder DIR with ImageNet weights does far better",
                  file=sys.stderr)  # fmt: skip
        trained = train_edge(data, out, recipe, Start(None if start else encoder, start), quiet=quiet)
        if os.environ.get("RANK", "0") == "0":  # of several processes under torchrun, one finishes the work
            release(out, trained.validation, trained.taught)
            if not quiet:
                print(f"Model: {out.resolve()}")


def export(directory: Annotated[Path, typer.Argument(help="A folder with config.json and model.safetensors.")],
           quiet: Quiet = False) -> None:  # fmt: skip
    """Write the ONNX graphs that describing runs on beside a trained model."""
    with training_extra():
        from personvlm.runtime.export import export as write

        for name, size in write(directory).items():
            if not quiet:
                print(f"{directory / name}: {size / 1e6:.1f} MB")


@contextmanager
def training_extra() -> Iterator[None]:
    """Turn the absence of torch and its like into an error that says what to do.

    Raises:
        PersonVLMError: something of the ``train`` extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "personvlm":
            raise
        raise PersonVLMError(
            f"this command needs {error.name}, which describing does not; `make dev` or "
            "`pip install 'personvlm[train]'` installs it"
        ) from error


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--set {text}: give it as KEY=VALUE, as in --set lr=0.0005")
    return name.strip(), value.strip()


def _known_encoder() -> Path | None:
    """ImageNet weights in the folder of assets, if there is one."""
    assets = os.environ.get("PERSONVLM_ASSETS")
    folder = Path(assets, "weights", "mobilenet_v2") if assets else None
    return folder if folder is not None and folder.is_dir() else None
