"""What the ablations switch: the grid of visual tokens, untrained ends, edge without its attribute prefix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.language.parser import parse  # noqa: E402
from personvlm.models.config import EdgeConfig  # noqa: E402
from personvlm.models.edge import EdgeVLM  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.models.prefix import encode_values  # noqa: E402
from personvlm.models.presets import StageConfig, preset  # noqa: E402
from personvlm.schema import Annotations  # noqa: E402
from personvlm.training.captions import text_batch  # noqa: E402
from personvlm.training.run import domain_vocabulary  # noqa: E402
from personvlm.training.stage_recipe import StageRecipe, with_settings  # noqa: E402
from personvlm.training.study_objective import NO_TARGET, encoded, without_ends  # noqa: E402

SMALL = replace(preset("stage1"), encoder="mobilenet_v3_small", vocabulary=30, dim=16, layers=1, heads=2, ffn=16,
                vision_dim=16, projection_hidden=16, height=64, width=64, frozen_through="", dropout=0.0)  # fmt: skip


def test_a_grid_shows_where_things_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pooled = PersonVLM(SMALL).eval()
    grid = PersonVLM(replace(SMALL, visual="grid", visual_tokens=4)).eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert pooled.see(picture).shape == (1, 8, 16)
        tokens = grid.see(picture)
        assert tokens.shape == (1, 4, 16)
        assert grid(picture, torch.zeros(1, 3, dtype=torch.int64)).shape == (1, 3, 30)
        # A token is its cell's own: the linear layers see one cell, and no other.
        cells = grid.encoder.cells(picture)
        torch.testing.assert_close(tokens[0, 2:3], grid.projection(cells[0, 2:3])[:, 0])
        torch.testing.assert_close(cells.mean(1), grid.encoder(picture))
    grid.save(tmp_path)
    assert StageConfig.load(tmp_path).visual == "grid"
    with pytest.raises(InputError, match="pooled, grid"):
        replace(SMALL, visual="all")


def test_untrained_ends_have_no_loss() -> None:
    tokenizer = domain_vocabulary()
    words, targets = encoded(["The image shows a man.", "A man."], tokenizer, 32)
    trained = without_ends(targets, tokenizer.eos_id)
    assert (targets[:, 0] != NO_TARGET).all()
    assert (trained[:, 0] == NO_TARGET).all()
    assert int((targets == tokenizer.eos_id).sum()) == 2
    assert not (trained == tokenizer.eos_id).any()
    assert int((targets != NO_TARGET).sum()) - int((trained != NO_TARGET).sum()) == 4
    assert words.shape == trained.shape
    recipe, _ = with_settings(StageRecipe.of("stage1"), preset("stage1"), {"trained_ends": "false"})
    assert recipe.trained_ends is False
    with pytest.raises(InputError, match="trained_ends=maybe"):
        with_settings(recipe, preset("stage1"), {"trained_ends": "maybe"})


def test_without_the_prefix_only_labels_are_said() -> None:
    tokenizer = domain_vocabulary()
    labels = Annotations.build({"gender": "male", "upper.color": ("red",), "upper.garment": "coat"})
    prefix, words = text_batch([labels] * 20, tokenizer, (0, 1), 1.0, 64, with_prefix=False)
    assert torch.equal(prefix, torch.from_numpy(np.repeat(encode_values({})[None], 20, 0)))
    for row in words.tolist():
        said = parse(tokenizer.decode(row))
        assert said["upper.color"] == ("red",)
        assert set(said) <= {"gender", "upper.color", "upper.garment", "age"}
    shown, _ = text_batch([labels] * 20, tokenizer, (0, 1), 0.0, 64)
    assert not torch.equal(shown, prefix)


def test_edge_gives_as_many_tokens_at_a_lower_resolution() -> None:
    model = EdgeVLM(EdgeConfig(30, height=128, width=64, dim=16, heads=2, layers=1, ffn=16, head_dim=16,
                               head_heads=2)).eval()  # fmt: skip
    with torch.no_grad():
        assert model.see(torch.rand(1, 3, 96, 64)).tokens.shape == (1, 8, 16)
        assert model.see(torch.rand(1, 3, 128, 64)).tokens.shape == (1, 8, 16)
