"""Where a stage's weights and tokenizer come from, and that a run goes on only with what it was begun with."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from stage_folders import TINY, write_gpt2_tokenizer  # noqa: E402

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.base.hub import Published  # noqa: E402
from personvlm.data.sources import read_training  # noqa: E402
from personvlm.data.transform import Transform  # noqa: E402
from personvlm.language.tokenizer import DomainBPE, GPT2Tokenizer  # noqa: E402
from personvlm.models import load  # noqa: E402
from personvlm.models.generate import write  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.models.presets import PRESETS, StageConfig  # noqa: E402
from personvlm.schema import Annotations  # noqa: E402
from personvlm.training.stage_recipe import StageRecipe, with_settings  # noqa: E402
from personvlm.training.stage_start import Found, StageStart  # noqa: E402
from personvlm.training.stages import run_stage  # noqa: E402
from personvlm.training.study_data import CaptionSet  # noqa: E402

SMALL = replace(PRESETS["stage3"], encoder="mobilenet_v3_small", frozen_through="", vocabulary=40, vision_dim=16,
                projection_hidden=16, dim=16, layers=1, heads=2, ffn=16, frozen_layers=0)  # fmt: skip
ONE_STEP = {**TINY, "steps": "1"}
FROZEN = {"stage1": {}, "stage3": {"frozen_layers": "1"}}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of assets that is empty, and a hub that cannot be reached."""
    def unreachable(repository: str, file: str, commit: str = "") -> Published:
        raise InputError(f"{repository}: cannot be had from the hub (no network)")

    monkeypatch.setattr("personvlm.models.pretrained.fetch_published", unreachable)
    monkeypatch.setattr("personvlm.language.tokenizer.fetch_published", unreachable)
    assets = tmp_path / "assets"
    (assets / "weights").mkdir(parents=True)
    monkeypatch.setenv("PERSONVLM_ASSETS", str(assets))
    return assets


def test_by_default_the_assets_then_the_hub_then_random_numbers_and_that_is_said(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    write_gpt2_tokenizer(nowhere / "weights" / "gpt2_tokenizer")
    found = StageStart().found(SMALL, said.append)
    assert (found.encoder, found.decoder) == (None, None)
    assert isinstance(found.loaded, GPT2Tokenizer)
    assert [sentence.partition(" starts")[0] for sentence in said] == ["the encoder", "the decoder"]
    assert all("no network" in sentence and "random" in sentence for sentence in said)

    hub = Published(tmp_path / "fetched.safetensors", "a/b", "0" * 40)
    monkeypatch.setattr("personvlm.models.pretrained.fetch_published", lambda *_: hub)
    found = StageStart().found(SMALL, said.append)
    assert (found.encoder, found.decoder) == (hub.path, hub.path)

    for name in ("mobilenet_v3_small", "distilgpt2"):
        (nowhere / "weights" / name).mkdir()
    found = StageStart().found(SMALL, said.append)
    assert found.encoder == nowhere / "weights" / "mobilenet_v3_small"
    assert found.decoder == nowhere / "weights" / "distilgpt2"
    assert len(said) == 2


def test_what_is_asked_for_by_name_is_had_or_refused(nowhere: Path) -> None:
    cross = PRESETS["stage1"]
    for start, config, message in (
        (StageStart("hub"), cross, "apple/mobilevit-x-small"),
        (StageStart("distilbert/distilgpt2@main"), cross, "distilbert/distilgpt2: cannot be had"),
        (StageStart("mobilenet_v2"), cross, "no such file or folder.*--set encoder=mobilenet_v2"),
        (StageStart("random", "hub"), cross, "decoder of stage1 is its own"),
        (StageStart("random", "random"), SMALL, "distilbert/distilgpt2: .*--tokenizer words"),
        (StageStart("random", "random", str(nowhere)), SMALL, "holds no tokenizer"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            start.found(config, print)


@pytest.mark.parametrize("kind", ["words", "bpe"])
@pytest.mark.parametrize("stage", ["stage1", "stage3"])
def test_a_tokenizer_learned_from_the_captions_serves_every_stage(
    stage: str, kind: str, folder: Path, tmp_path: Path
) -> None:
    settings = {**ONE_STEP, "max_vocab_size": "700", **FROZEN[stage]}
    run_stage(stage, folder, tmp_path, settings, StageStart("random", "random", kind), quiet=True)
    model, tokenizer, _ = load(tmp_path)
    assert isinstance(model, PersonVLM)
    assert isinstance(tokenizer, DomainBPE) is (kind == "bpe")
    assert model.config.vocabulary == len(tokenizer) <= 700
    assert len(write(model, torch.rand(2, 3, 64, 64), tokenizer)) == 2


def test_what_starts_from_random_numbers_has_a_rate_of_its_own(folder: Path, tmp_path: Path) -> None:
    recipe = StageRecipe.of("stage3")
    assert recipe.from_scratch().scaled_rate(4) == recipe.from_scratch().scaled_rate(1) == 5e-4
    assert replace(recipe, scratch_rate=0.0).from_scratch().learning_rate == recipe.learning_rate
    folder_of_weights = Found(tmp_path, None, "words", None)
    assert folder_of_weights.nothing_pretrained(PRESETS["stage3"])
    assert not folder_of_weights.nothing_pretrained(PRESETS["stage1"])
    assert Found(None, None, "words", None).nothing_pretrained(PRESETS["stage1"])
    assert not Found(None, tmp_path, "words", None).nothing_pretrained(PRESETS["stage3"])
    given, _ = with_settings(recipe, PRESETS["stage3"], {"learning_rate": "0.001"})
    assert given.from_scratch().scaled_rate(1) == 0.001
    settings = {name: value for name, value in ONE_STEP.items() if name != "learning_rate"}
    run_stage("stage4", folder, tmp_path, settings, StageStart("random", "random", "words"), quiet=True)
    assert StageRecipe.load(tmp_path).learning_rate == 5e-4


def test_a_run_goes_on_only_with_its_data_weights_and_tokenizer(folder: Path, tmp_path: Path) -> None:
    out, start = tmp_path / "out", StageStart("random", "random", "words")

    def go_on(data: Path = folder, start: StageStart = start, **settings: str) -> None:
        given = {**ONE_STEP, **FROZEN["stage3"], **settings}
        run_stage("stage3", data, out, given, start, cache=tmp_path / "cache", quiet=True)

    go_on()
    copy = shutil.copytree(folder, tmp_path / "copy")
    go_on(copy)  # the same data, somewhere else
    record = json.loads((out / "origin.json").read_text())
    assert set(record) == {"data", "encoder", "decoder", "tokenizer", "processes"}
    rows = [json.loads(line) for line in (copy / "train.jsonl").read_text().splitlines()]
    rows[0]["captions"] = ["The image shows somebody else."]
    (copy / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=r"begun with data: .* with 36 \+ 12 samples .*; given now: .*copy"):
        go_on(copy)
    model = load(out).model
    assert isinstance(model, PersonVLM)
    from safetensors.torch import save_file

    weights = tmp_path / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in model.encoder.backbone.state_dict().items()}, weights)
    with pytest.raises(InputError, match=r"begun with encoder: random; given now: .*weights\.safetensors \("):
        go_on(start=replace(start, encoder=str(weights)))
    words = load(out).tokenizer
    words.save(tmp_path / "words")
    go_on(start=replace(start, tokenizer=str(tmp_path / "words")))  # what it had learned
    with pytest.raises(InputError, match=r"another recipe \(weight_decay 0\.01, now 0\.5\)"):
        go_on(weight_decay="0.5")
    with pytest.raises(InputError, match="another model"):
        go_on(visual_tokens="4")
    (out / "origin.json").unlink()  # as runs from before the record have none
    go_on(copy)
    assert StageConfig.load(out).name == "stage3"


def test_one_person_in_both_parts_is_refused(folder: Path, tmp_path: Path) -> None:
    from personvlm.training.study_data import read_study

    copy = shutil.copytree(folder, tmp_path / "copy")
    line = (copy / "train.jsonl").read_text().splitlines()[0]
    with (copy / "val.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=f"1 people or tracks are in both.*as {json.loads(line)['identity']};"):
        read_study(copy)


def test_words_of_the_realiser_are_learned_too_where_some_captions_are_given(folder: Path, tmp_path: Path) -> None:
    """However many captions the others have."""
    labelled = read_training(folder)[0][:2]
    told = replace(labelled[0], annotations=Annotations(), captions=("A man walks.",) * 5)
    data = CaptionSet([told, *labelled], Transform(height=64, width=32), tmp_path, quiet=True)
    tokenizer = Found(None, None, "words", None).make_tokenizer(StageRecipe.of("stage1"), data)
    assert tokenizer.decode(tokenizer.encode(data.text(1, None))) == data.text(1, None)


def test_a_folder_for_pictures_is_not_ignored(folder: Path, tmp_path: Path) -> None:
    from personvlm.training.study_data import read_study

    with pytest.raises(InputError, match=f"--images {tmp_path}: is for files in MSP60K's or PETA's format"):
        read_study(folder, tmp_path)
