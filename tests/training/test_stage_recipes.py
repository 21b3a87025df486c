"""The stages' recipes, targets and stopping rule, one by one: what the table of the design promises."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from stage_folders import LONG, SHORT, write_gpt2_tokenizer  # noqa: E402

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.language.vocabulary import PersonVocabulary  # noqa: E402
from personvlm.models.presets import PRESETS  # noqa: E402
from personvlm.training.loop import fast_precision, make_accelerator, train  # noqa: E402
from personvlm.training.recipe import Phase, Recipe  # noqa: E402
from personvlm.training.stage_recipe import StageRecipe, with_encoder, with_settings  # noqa: E402
from personvlm.training.stopping import EarlyStopping  # noqa: E402
from personvlm.training.study_objective import NO_TARGET, caption_loss, encoded  # noqa: E402

STAGES = ("stage1", "stage2", "stage3", "stage4")


@pytest.fixture(scope="session")
def gpt2_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_gpt2_tokenizer(tmp_path_factory.mktemp("gpt2"))


@pytest.mark.parametrize("kind", ["words", "gpt2"])
def test_first_word_and_end_are_in_the_loss(kind: str, gpt2_tokenizer: str) -> None:
    from personvlm.language.tokenizer import GPT2Tokenizer

    tokenizer = PersonVocabulary.from_corpus([SHORT, LONG], min_freq=1) if kind == "words" \
        else GPT2Tokenizer.load(gpt2_tokenizer)  # fmt: skip
    words, targets = encoded([SHORT, LONG], tokenizer, 256)
    first, end = tokenizer.encode(SHORT)[0], tokenizer.eos_id
    assert words[0, 0] == tokenizer.bos_id
    assert targets[0, 0] == first
    length = len(tokenizer.encode(SHORT))
    assert targets[0, length] == end
    assert words[0, length] == tokenizer.encode(SHORT)[-1]
    assert (targets[0, length + 1 :] == NO_TARGET).all()
    assert (targets != NO_TARGET).sum() == sum(len(tokenizer.encode(text)) + 1 for text in (SHORT, LONG))
    logits = torch.zeros(2, targets.shape[1], len(tokenizer), requires_grad=True)
    caption_loss(logits, targets, 0.1).backward()
    assert logits.grad is not None
    for place, target in ((0, first), (length, end)):
        assert logits.grad[0, place, target] < -0.8  # pulled up, as strongly as any other word
    assert (logits.grad[0, length + 1 :] == 0).all()


def test_a_caption_that_is_too_long_learns_no_end() -> None:
    tokenizer = PersonVocabulary.from_corpus([LONG], min_freq=1)
    words, targets = encoded([LONG], tokenizer, 8)
    assert words.shape == (1, 7)
    assert tokenizer.eos_id not in targets


def test_recipes_are_the_table_of_the_design() -> None:
    table = {name: StageRecipe.of(name) for name in STAGES}
    assert [table[name].epochs for name in STAGES] == [20, 75, 20, 40]
    assert [table[name].learning_rate for name in STAGES] == [1e-4, 2e-4, 5e-5, 2e-5]
    assert [table[name].weight_decay for name in STAGES] == [0.01, 0.005, 0.01, 0.01]
    assert [table[name].patience for name in STAGES] == [0, 15, 0, 10]
    assert [table[name].precision for name in STAGES] == ["no", "no", "no", "fp16"]
    assert {table[name].label_smoothing for name in STAGES} == {0.1}
    assert {table[name].clip for name in STAGES} == {1.0}
    assert table["stage2"].scaled_rate(4) == pytest.approx(2e-4)
    assert table["stage2"].scaled_rate(1) == pytest.approx(0.5e-4)
    assert table["stage1"].scaled_rate(1) == pytest.approx(1e-4)
    loop = table["stage2"].for_loop(27_000, 4, PRESETS["stage2"], "no")
    assert (loop.batch, loop.evaluate_every, loop.steps) == (128, 210, 75 * 210)


def test_settings_change_recipe_and_model(tmp_path: Path) -> None:
    recipe, config = with_settings(StageRecipe.of("stage2"), PRESETS["stage2"],
                                   {"epochs": "3", "learning_rate": "0.001", "visual_tokens": "4"})  # fmt: skip
    assert (recipe.epochs, recipe.scaled_rate(7), config.visual_tokens) == (3, 0.001, 4)
    for settings, message in (({"nope": "1"}, "nope.*epochs"), ({"epochs": "many"}, "epochs=many"),
                              ({"vocabulary": "500"}, "vocabulary: no such setting"),
                              ({"batch_size": "0"}, "batch_size=0"), ({"learning_rate": "nan"}, "learning_rate=nan"),
                              ({"precision": "half"}, "bf16, fp16, no"), ({"seed": "-1"}, "seed=-1"),
                              ({"encoder": "vgg"}, "mobilenet_v2"), ({"heads": "7"}, "heads"),
                              ({"frozen_layers": "7"}, "7 of 6 layers")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            with_settings(recipe, config, settings)
    (tmp_path / "own.yaml").write_text("epochs: 2\nlearning_rate: 1.0e-3\n")
    assert StageRecipe.read(tmp_path / "own.yaml").epochs == 2
    (tmp_path / "own.yaml").write_text("epoch: 2\n")
    with pytest.raises(InputError, match=r"own\.yaml.*batch_size"):
        StageRecipe.read(tmp_path / "own.yaml")


def test_another_encoder_brings_its_input_and_as_large_a_frozen_share() -> None:
    config = with_encoder(PRESETS["stage3"], "dinov2_small")
    assert (config.height, config.width, config.frozen_through) == (252, 126, "encoder.layer.6")
    assert config.transform.channels == "RGB"
    assert with_encoder(PRESETS["stage1"], "mobilenet_v2").frozen_through == "layer.14"
    assert with_encoder(PRESETS["stage1"], "mobilevit_xs") is PRESETS["stage1"]


def test_early_stopping_keeps_the_best_and_stays_stopped(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    recipe = Recipe(phases=(Phase(40, 1, 1, True),), batch=1, lr=0.1, ema=0.0, precision="no", evaluate_every=2)
    figures = iter([3.0, 2.0, 2.5, 2.1, 2.2, 1.0])
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate(average: dict[str, torch.Tensor]) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in average.items()})
        return {"val.loss": next(figures)}

    def objective(wrapped: torch.nn.Module, step: int) -> dict[str, torch.Tensor]:
        return {"loss": (wrapped(torch.ones(1, 2)) - 5.0).square().mean()}

    stopping = EarlyStopping(tmp_path, "val.loss", patience=3)
    train(model, objective, recipe, tmp_path, evaluate=evaluate, stopping=stopping, quiet=True)
    assert len(seen) == 5  # two that were better, three that were not
    best = stopping.best_weights()
    assert torch.equal(best["weight"], seen[1]["weight"])
    again = EarlyStopping(tmp_path, "val.loss", patience=3)
    train(model, objective, recipe, tmp_path, evaluate=evaluate, stopping=again, quiet=True)
    assert len(seen) == 5
    assert again.best == 2.0


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    stopping = EarlyStopping(tmp_path, "val.loss", patience=0)
    with pytest.raises(InputError, match=r"val\.loss is nan, the run has diverged; .* lower learning rate"):
        stopping.after({"val.loss": float("nan")}, {}, make_accelerator(Recipe(precision="no")))


@pytest.mark.parametrize(("gpu", "instructions", "asked", "expected"), [
    (False, False, "bf16", "no"), (False, True, "bf16", "bf16"), (False, True, "fp16", "no"),
    (True, False, "fp16", "fp16"), (True, False, "bf16", "bf16"), (False, True, "no", "no"),
])  # fmt: skip
def test_half_precision_only_where_it_is_faster(monkeypatch: pytest.MonkeyPatch, gpu: bool, instructions: bool,
                                                asked: str, expected: str) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: instructions)
    assert fast_precision(asked) == expected
