"""The race: the published loop does what was published, and all contestants run at a tiny size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the race needs the train extra")

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.models.generate import GREEDY, generate  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.models.presets import PRESETS  # noqa: E402
from personvlm.runtime.bench import Bench, BenchSettings  # noqa: E402
from personvlm.runtime.bench_compare_torch import (  # noqa: E402
    EDGE,
    PUBLISHED,
    STAGE4,
    STAGE4_SHORT,
    WHOLE_SHORT,
    Comparison,
    published,
)

SMALL = replace(PRESETS["stage4"], vocabulary=300, dim=32, layers=2, heads=4, ffn=64, vision_dim=32,
                projection_hidden=64, height=64, width=64, encoder="mobilenet_v3_small",
                frozen_through="", positions=1_024)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for one another by spinning take minutes where other tests run beside them."""
    monkeypatch.setattr("personvlm.runtime.bench_compare_torch.available_cores", lambda: 1)
    monkeypatch.setattr("personvlm.runtime.engine.available_cores", lambda: 1)


@pytest.fixture(scope="module")
def model() -> PersonVLM:
    torch.manual_seed(5)
    made = PersonVLM(SMALL).eval()
    with torch.no_grad():
        made.decoder.body.wte.weight[-1] = 0.0  # else the tied head answers the end with the end
    return made


def test_the_published_loop_says_what_generation_with_a_cache_says(model: PersonVLM) -> None:
    pixels = torch.rand(2, 3, 64, 64)
    slow, fast = published(model, pixels, 12, GREEDY), generate(model, model.see(pixels), SMALL.vocabulary - 1, -1)
    assert torch.equal(slow, fast[:, :12])


def test_it_samples_and_its_end_is_disabled(model: PersonVLM) -> None:
    words = published(model, torch.rand(8, 3, 64, 64), 40)
    assert words.shape == (8, 40)
    assert (words != SMALL.vocabulary - 1).all()
    for row in words.tolist():
        grams = [tuple(row[start : start + 3]) for start in range(38)]
        assert len(set(grams)) == 38, "no trigram comes twice"


def test_it_reads_the_whole_sequence_at_every_step(model: PersonVLM, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    body = model.decoder.body
    forward = type(body).forward

    def watched(self: Any, *args: Any, **given: Any) -> Any:
        assert given["use_cache"] is False
        lengths.append(given["inputs_embeds"].shape[1])
        return forward(self, *args, **given)

    monkeypatch.setattr(type(body), "forward", watched)
    published(model, torch.rand(1, 3, 64, 64), 5)
    assert lengths == [SMALL.visual_tokens + count for count in (1, 2, 3, 4, 5)]


def test_contestants_take_turns(folder: Path) -> None:
    run = Bench(BenchSettings(model=folder, effort=0.001))
    comparison = Comparison(run.describer, run.jpegs, None, run.result, size=SMALL, tokens=9)
    order = []
    steps = list(comparison.steps(2))
    steps[0]()
    for name, (write, count) in comparison.contestants.items():
        comparison.contestants[name] = (lambda jpeg, name=name, write=write: order.append(name) or write(jpeg), count)
    for step in steps[1:]:
        step()
    result = run.result["compare"]
    rows = {row["name"]: row for row in result["contestants"]}
    assert [rows[name]["n"] for name in (PUBLISHED, STAGE4, EDGE)] == [2, 12, 80]
    assert order[: len(order) // 2] == order[len(order) // 2 :], "each round in the same order"
    for name, row in rows.items():
        assert row["tokens"] == 9 or name.startswith("edge")
        if name in (STAGE4_SHORT, WHOLE_SHORT):
            assert name not in result["ratios"], "fewer words are no race"
            continue
        assert result["ratios"][name] == pytest.approx(rows[PUBLISHED]["ms"]["p50"] / row["ms"]["p50"], rel=0.4)
    assert result["ratios"][PUBLISHED] == 1.0
    assert result["stage4_tokens_per_step"] == 1.0, "nothing drafts for random weights"
    assert rows["edge"]["tokens"] == pytest.approx(rows["edge, torch"]["tokens"], rel=0.5)


def test_a_stage4_that_was_not_exported_is_named(folder: Path, tmp_path: Path) -> None:
    run = Bench(BenchSettings(model=folder, effort=0.001))
    with pytest.raises(InputError, match=r"vision\.onnx is not there"):
        Comparison(run.describer, run.jpegs, tmp_path, run.result, size=SMALL, tokens=3).prepare()
