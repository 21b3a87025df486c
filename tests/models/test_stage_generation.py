"""Generation equals ``transformers``' own, every option on and off; a row does not depend on its neighbors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="models need the train extra")

from personvlm.language.vocabulary import PersonVocabulary  # noqa: E402
from personvlm.models.generate import GREEDY, Generation, generate, pick, random_numbers, repeats, write  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.models.presets import PRESETS, StageConfig  # noqa: E402

CROSS = replace(PRESETS["stage1"], vocabulary=40, projection_hidden=32, vision_dim=24, dim=32, layers=2, heads=4,
                ffn=48, positions=48, max_text=48, visual_tokens=3, height=64, width=64)  # fmt: skip
GPT2 = replace(CROSS, decoder="gpt2", positions=64)
BOS, EOS = 39, 39
OPTIONS: list[dict[str, Any]] = [
    {}, {"repetition_penalty": 1.3}, {"no_repeat_ngram": 2}, {"no_repeat_ngram": 3},
    {"repetition_penalty": 1.2, "no_repeat_ngram": 3},
]  # fmt: skip
SAMPLED: list[dict[str, Any]] = [
    {"temperature": 1.0}, {"temperature": 0.7}, {"temperature": 1.0, "top_k": 5}, {"temperature": 1.0, "top_p": 0.8},
    {"temperature": 0.8, "top_k": 20, "top_p": 0.92, "repetition_penalty": 1.2, "no_repeat_ngram": 3},
    {"temperature": 1.3, "repetition_penalty": 1.5}, {"temperature": 1.0, "no_repeat_ngram": 1},
    {"temperature": 1.0, "top_k": 1}, {"temperature": 1.0, "top_p": 0.01},
]  # fmt: skip


def lively(config: StageConfig) -> PersonVLM:
    """A random model whose next word depends strongly on what was written, so that options have something to change."""
    torch.manual_seed(3)
    model = PersonVLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.decoder.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(6.0 if "wte" in name or "words" in name else 12.0)
    return model


def theirs(model: PersonVLM, visual: torch.Tensor, settings: Generation) -> list[list[int]]:
    """What ``transformers`` generates from the same prefix."""
    from transformers import GenerationConfig, GPT2LMHeadModel

    body = model.decoder.body
    whole = GPT2LMHeadModel(body.config).eval()
    whole.transformer.load_state_dict(body.state_dict())
    embedded = torch.cat([visual, body.wte(torch.full((len(visual), 1), BOS))], 1)
    wanted: dict[str, Any] = {"do_sample": settings.temperature > 0}
    if settings.temperature > 0:
        wanted |= {"temperature": settings.temperature, "top_k": settings.top_k, "top_p": settings.top_p}
    out = whole.generate(
        inputs_embeds=embedded, attention_mask=torch.ones(embedded.shape[:2], dtype=torch.long),
        generation_config=GenerationConfig(
            max_new_tokens=settings.max_length, eos_token_id=EOS, pad_token_id=EOS, bos_token_id=BOS,
            repetition_penalty=settings.repetition_penalty, no_repeat_ngram_size=settings.no_repeat_ngram, **wanted,
        ),
    )  # fmt: skip
    rows: list[list[int]] = out.tolist()
    return rows


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_greedy_equals_transformers(options: dict[str, Any]) -> None:
    model, visual = lively(GPT2), torch.randn(5, 3, 32)
    settings = replace(GREEDY, max_length=30, **options)
    ours = generate(model, visual, BOS, EOS, settings).tolist()
    assert ours == theirs(model, visual, settings)
    assert len({tuple(row) for row in ours}) > 1


@pytest.mark.parametrize("options", SAMPLED, ids=str)
def test_sampled_equals_transformers_under_equal_numbers(options: dict[str, Any],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    model, visual = lively(GPT2), torch.randn(5, 3, 32)
    settings = replace(GREEDY, max_length=30, **options)
    numbers = random_numbers(5, settings)
    drawn = iter(numbers.T)

    def multinomial(probabilities: torch.Tensor, num_samples: int) -> torch.Tensor:
        assert num_samples == 1
        return pick(probabilities, next(drawn))[:, None]

    ours = generate(model, visual, BOS, EOS, settings, numbers).tolist()
    monkeypatch.setattr(torch, "multinomial", multinomial)
    assert ours == theirs(model, visual, settings)


def test_every_option_changes_something() -> None:
    model, visual = lively(GPT2), torch.randn(8, 3, 32)
    outcomes = [generate(model, visual, BOS, EOS, replace(GREEDY, max_length=30, **options)).tolist()
                for options in (*OPTIONS, *SAMPLED[:6])]  # fmt: skip
    assert all(first != other for at, first in enumerate(outcomes) for other in outcomes[:at])
    base = Generation(max_length=30)
    other = generate(model, visual, BOS, EOS, replace(base, seed=1))
    assert not torch.equal(generate(model, visual, BOS, EOS, base), other)


@pytest.mark.parametrize("config", [CROSS, GPT2], ids=["cross", "gpt2"])
@pytest.mark.parametrize("settings", [GREEDY, Generation()], ids=["greedy", "sampled"])
def test_batch_equals_single(config: StageConfig, settings: Generation) -> None:
    model, visual = lively(config), torch.randn(6, 3, 32)
    settings = replace(settings, max_length=25)
    numbers = random_numbers(6, settings)
    together = generate(model, visual, BOS, EOS, settings, numbers).tolist()
    for row, expected in enumerate(together):
        alone = generate(model, visual[row : row + 1], BOS, EOS, settings, numbers[row : row + 1]).tolist()[0]
        assert alone == expected[: len(alone)]
        assert set(expected[len(alone) :]) <= {EOS}
    first = generate(model, visual[:1], BOS, EOS, settings).tolist()[0]
    assert first == together[0][: len(first)]  # by default as well, a row's numbers are its own


def test_what_counts_as_a_repeat() -> None:
    written = torch.tensor([[1, 2, 3, 1, 2], [1, 1, 1, 1, 1], [1, 2, 3, 4, 5]])
    banned = [torch.nonzero(row).flatten().tolist() for row in repeats(written, 3, 7)]
    assert banned == [[3], [1], []]
    assert not repeats(written[:, :2], 3, 7).any()


def test_pick_never_takes_what_is_excluded() -> None:
    probabilities = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]]).expand(5, -1)
    numbers = torch.tensor([0.0, 0.2499, 0.25, 0.5, 1 - 2**-53], dtype=torch.float64)
    assert pick(probabilities, numbers).tolist() == [1, 1, 3, 3, 3]


def test_texts_end_and_keep_within_the_model() -> None:
    tokenizer = PersonVocabulary(("<pad>", "<bos>", "<eos>", "<unk>", *(f"w{i}" for i in range(36))))
    model = lively(CROSS)
    pixels = torch.rand(2, 3, 64, 64)
    texts = write(model, pixels, tokenizer, replace(GREEDY, max_length=1000))  # more than the positions hold
    assert len(texts) == 2
    assert all(len(tokenizer.encode(text)) <= 47 for text in texts)
    with torch.no_grad():  # a model that ends at once says nothing
        model.decoder.norm.weight.zero_()
        model.decoder.norm.bias.copy_(model.decoder.words.weight[2] * 100)
    assert write(model, pixels, tokenizer) == ["", ""]
