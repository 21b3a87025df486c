"""``personvlm train`` and ``personvlm export``: the commands that need the ``train`` extra."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from personvlm.base.errors import AssetError, InputError, PersonVLMError
from personvlm.base.folders import check_there
from personvlm.cli.describe import Quiet

if TYPE_CHECKING:
    from personvlm.training.run import Start


def train(
    preset: Annotated[
        Literal["edge", "stage1", "stage2", "stage3", "stage4"],
        typer.Argument(help="The model that ships, or a stage of the published study."),
    ],
    data: Annotated[Path, typer.Option(help="A folder as `personvlm data prepare` writes it, or with public sets.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the model (default: runs/PRESET).")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Folder of ImageNet weights (safetensors); edge: or imagenet; stages: or hub, "
                                 "NAME@COMMIT, random. By default those at hand, else published ones, else random.")
    ] = None,
    decoder: Annotated[str | None, typer.Option(help="Stages 3 and 4: the same for DistilGPT-2.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Stages: folder, hub (GPT-2's), or words or bpe, learned from the captions.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Stages: folder that MSP60K's picture paths start from.")] = None,
    start: Annotated[Path | None, typer.Option("--from", help="edge: folder with a whole model to go on from.")] = None,
    beside: Annotated[
        Path | None, typer.Option(help="edge: with --from, a second model, whose eyes look at each crop too; what both "
                                       "find of the attributes is averaged.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Stages: passes over the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Crops per step and process.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, help="Peak learning rate.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as in --set lr=0.0005.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a model. A run that was stopped goes on. edge is calibrated too, and ready for `describe --model`."""
    names = ("steps", "batch", "lr") if preset == "edge" else ("epochs", "batch_size", "learning_rate")
    named = zip(names, (epochs, batch_size, learning_rate), strict=True)
    changes = {name: str(value) for name, value in named if value is not None}
    changes |= dict(setting(text) for text in settings or [])
    if preset == "edge" and epochs is not None:
        raise typer.BadParameter("edge counts steps, not epochs: give --set steps=N")
    out = out or Path("runs", preset)
    for_stages, for_edge = (decoder, tokenizer, images), (start, beside)
    if any(given is not None for given in (for_stages if preset == "edge" else for_edge)):
        wrong = "--decoder, --tokenizer and --images are" if preset == "edge" else "--from and --beside are"
        raise typer.BadParameter(f"{wrong} not for {preset}")
    with training_extra():
        if preset == "edge":
            _train_edge(data, out, changes, encoder, start, beside, quiet)
        else:
            from personvlm.training.stages import StageStart, run_stage

            given = {"encoder": encoder, "decoder": decoder, "tokenizer": tokenizer}
            weights = StageStart(**{name: value for name, value in given.items() if value is not None})
            run_stage(preset, data, out, changes, weights, images=images, quiet=quiet,
                      report=lambda sentence: None if quiet else print(f"personvlm: {sentence}", file=sys.stderr))
    if not quiet and _first_process():
        print(f"Model: {out.resolve()}")


def _train_edge(
    data: Path, out: Path, changes: dict[str, str], encoder: str | None, start: Path | None, beside: Path | None,
    quiet: bool
) -> None:
    from personvlm.runtime.release import release
    from personvlm.training.recipe import Recipe
    from personvlm.training.run import train_edge

    recipe = Recipe().with_settings(changes)
    check_there(data, "`personvlm data prepare` writes one")  # said before the encoder's weights are fetched
    begin = start_of(encoder, start, recipe.encoder, quiet, beside, bool(recipe.shared))
    trained = train_edge(data, out, recipe, begin, quiet=quiet)
    if _first_process():
        release(out, trained.validation, trained.taught)


def _first_process() -> bool:
    """Of several processes under torchrun, one finishes the work."""
    return os.environ.get("RANK", "0") == "0"


def export(directory: Annotated[Path, typer.Argument(help="A folder with config.json and model.safetensors.")],
           appearance: Annotated[
               Path | None, typer.Option(metavar="DATA", help="First fit edge's appearance layer anew, on the training "
                                                              "people of this folder (as for `train edge`).")
           ] = None,
           size: Annotated[
               str | None, typer.Option(metavar="HEIGHTxWIDTH", help="Edge for pictures of another size, as a model of "
                                                                     "its own in --out.")
           ] = None,
           out: Annotated[Path | None, typer.Option(help="With --size: folder for it.")] = None,
           name: Annotated[str, typer.Option(help="With --size: what descriptions call it.")] = "",
           quiet: Quiet = False) -> None:  # fmt: skip
    """Write the ONNX graphs that describing runs on beside a trained model; a stage's in 8 bits."""
    if (size is None) != (out is None) or (name and size is None):
        raise typer.BadParameter("--size takes --out, and the other way round; --name goes with them")
    with training_extra():
        from personvlm.models import kind_of
        from personvlm.runtime.export import export as export_edge
        from personvlm.runtime.release import at_size
        from personvlm.runtime.stage_export import export_stage

        stage = kind_of(directory) == "stage"
        if stage and size is not None:
            raise InputError("--size is for edge; a stage looks at what it was trained on")
        if appearance is not None:
            _fit_appearance(directory, appearance, quiet)
        if size is not None and out is not None:
            height, width = _pixels(size)
            made = at_size(directory, out, height, width, name)
        else:
            made = export_stage(directory) if stage else export_edge(directory)
        if not quiet:
            for file, length in made.items():
                print(f"{(out or directory) / file}: {length / 1e6:.1f} MB")
            if out is not None:
                print(f"It is as sure as before; `personvlm calibrate {out} --data DIR` makes that true at this size")


def _pixels(size: str) -> tuple[int, int]:
    try:
        height, width = map(int, size.split("x"))
    except ValueError:
        raise typer.BadParameter(f"--size {size}: give it as HEIGHTxWIDTH, as in 192x96") from None
    return height, width


def _fit_appearance(directory: Path, data: Path, quiet: bool) -> None:
    from personvlm.data.sources import read_training
    from personvlm.data.transform import Transform
    from personvlm.models.edge import EdgeVLM
    from personvlm.training.appearance import LEAST_PEOPLE, fit_appearance

    model = EdgeVLM.load(directory)
    if not fit_appearance(model, read_training(data)[0], Transform.load(directory), quiet=quiet):
        raise InputError(f"{data}: the appearance layer needs {LEAST_PEOPLE} people with several pictures")
    model.config = model.config.told_apart(*model.weight_bytes())  # a store compares vectors of one name only
    model.save(directory)


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="A pickled checkpoint: .pt, .pth or .bin.")],
    directory: Annotated[Path, typer.Argument(help="Folder for model.safetensors.")],
    quiet: Quiet = False,
) -> None:
    """Make a pickled checkpoint safe to load: its weights as safetensors. No code in the file runs."""
    with training_extra():
        from personvlm.models.convert import convert as write

        count = write(checkpoint, directory)
    if not quiet:
        print(f"{directory / 'model.safetensors'}: {count} tensors")


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


def setting(text: str) -> tuple[str, str]:
    """``KEY=VALUE`` as both."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--set {text}: give it as KEY=VALUE, as in --set lr=0.0005")
    return name.strip(), value.strip()


def start_of(encoder: str | None, model: Path | None, name: str, quiet: bool = False,
             beside: Path | None = None, shared: bool = False) -> Start:  # fmt: skip
    """Where edge's weights come from: what was named, else ImageNet weights, at hand or fetched, else chance.

    Args:
        encoder: a folder; or ``imagenet``, which must be had.
        model: a whole model to go on from.
        name: of the encoder.
        beside: a second model, whose eyes look too.
        shared: the model to go on from gives the encoder's lower stages alone; the others want ImageNet weights too.
    """
    from personvlm.models.config import EdgeConfig
    from personvlm.training.imagenet import IMAGENET, imagenet_weights
    from personvlm.training.run import Start

    def note(sentence: object) -> None:
        if not quiet:
            print(f"personvlm: {sentence}", file=sys.stderr)

    if encoder is not None and model is not None and not shared:
        raise typer.BadParameter("choose one of --encoder and --from")
    if beside is not None and model is None:
        raise typer.BadParameter("--beside is the second of two models; name the first with --from")
    begin = Start(model=model, beside=beside)
    if model is not None:
        if not shared:
            return begin
        name = EdgeConfig.load(model).encoder
    if encoder not in (None, IMAGENET):
        return replace(begin, encoder=Path(encoder))
    try:
        return replace(begin, encoder=imagenet_weights(name, note))
    except (InputError, AssetError) as error:
        if encoder == IMAGENET:
            raise
        note(error)
        note("the encoder starts from chance; ImageNet weights do far better")
        return begin
