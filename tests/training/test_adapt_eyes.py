"""Eyes that adapt: what may move and what may not, who is judged by whom, and that another lamp is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from personvlm.data.rendered import rendered_samples
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.runtime.describer import shipped
from personvlm.schema import Annotations
from personvlm.schema.groups import column_slices
from personvlm.training import adapt_eyes
from personvlm.training.adapt_eyes import cross_tuned, stitched, tuned
from personvlm.training.adapt_look import look
from personvlm.training.losses import attribute_loss

TINY = EdgeConfig(50, height=96, width=32, dim=48, heads=2, layers=2, ffn=96, head_dim=32, head_heads=2,
                  embedding_dim=16)  # fmt: skip


def drawn(folder: Path, count: int, seed: int, *, lamp: bool = False) -> list[Sample]:
    """Drawn people, under a lamp that turns red to blue if ``lamp``."""
    samples = []
    for row, (image, truth) in enumerate(rendered_samples(count, seed=seed)):
        path = folder / f"{seed}-{row}.png"
        Image.fromarray(image[..., ::-1] if lamp else image).save(path)
        told = {"upper.color": truth["upper.color"], "gender": truth["gender"]}
        samples.append(Sample(path, Annotations.build(told), identity=str(row // 2), source=f"seed {seed}"))
    return samples


def tiny() -> EdgeVLM:
    torch.manual_seed(0)
    return EdgeVLM(TINY).eval()


def test_only_encoder_and_heads_move_and_part_of_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, transform = tiny(), Transform(height=96, width=32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    mine, others = drawn(tmp_path, 24, 1), drawn(tmp_path, 24, 2)
    monkeypatch.setattr(adapt_eyes, "MOST_STEPS", 2)
    monkeypatch.setattr(adapt_eyes, "round_large", lambda encoder: 0)
    steps: list[int] = []

    def shown(numbers: object, total: int, what: str) -> list[int]:
        steps.append(total)
        return list(range(total))

    ways = {}
    for way in (1.0, 0.5):
        monkeypatch.setattr(adapt_eyes, "WAY", way)
        after = tuned(model, transform, mine, others, ["upper.color"], cache=tmp_path, shown=shown)
        ways[way] = after.state_dict()
        moved = [name for name, tensor in ways[way].items() if not torch.equal(tensor, before[name])]
        assert {name.partition(".")[0] for name in moved} == {"encoder", "heads"}
        assert not [name for name in moved if "running" in name], "the statistics of norms stay"
        assert not after.training
    assert steps == [2, 2]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()), "a copy is trained"
    for name in ("heads.weight", "heads.pooled.weight"):
        whole, part = (ways[way][name] - before[name] for way in (1.0, 0.5))
        torch.testing.assert_close(part, 0.5 * whole, rtol=1e-3, atol=1e-6)


def test_everybody_is_judged_by_eyes_that_never_saw_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, transform = tiny(), Transform(height=96, width=32)
    mine, others = drawn(tmp_path, 24, 1), drawn(tmp_path, 8, 2)
    learned: list[set[Path]] = []

    def without_training(given: EdgeVLM, _: Transform, samples: list[Sample], *rest: object, **more: object) -> EdgeVLM:
        learned.append({sample.image for sample in samples})
        other = EdgeVLM(TINY)
        other.load_state_dict(given.state_dict())
        torch.nn.init.constant_(other.heads.pooled.bias, float(len(learned)))
        return other.eval()

    monkeypatch.setattr(adapt_eyes, "tuned", without_training)
    new = look(model, transform, mine)
    eyes = cross_tuned(model, transform, new, others, ["upper.color"], cache=tmp_path)
    assert learned[-1] == {sample.image for sample in mine}
    by = np.rint((eyes.new.logits - new.logits).mean(1) + float(model.heads.pooled.bias.detach().mean())).astype(int)
    for row, sample in enumerate(mine):
        assert sample.image not in learned[by[row] - 1]
        other = mine[row ^ 1]  # the same person
        assert by[row] == by[row ^ 1], other.identity
    np.testing.assert_allclose(eyes.seen.logits, look(eyes.model, transform, mine).logits, atol=1e-5)
    assert stitched([np.zeros((2, 1)), np.ones((2, 1))], np.array([1, 0])).tolist() == [[1.0], [0.0]]


@pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")
def test_another_lamp_is_learned_and_the_old_one_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red and blue have changed places on one's own cameras: 64 crops, two passes."""
    model, transform = EdgeVLM.load(shipped()), Transform.load(shipped())
    monkeypatch.setattr(adapt_eyes, "PASSES", 2)
    mine, others = drawn(tmp_path, 64, 1, lamp=True), drawn(tmp_path, 32, 2)
    after = tuned(model, transform, mine, others, ["upper.color"], cache=tmp_path)
    where = column_slices()["upper.color"]

    def loss(by: EdgeVLM, samples: list[Sample]) -> float:
        seen = look(by, transform, samples)
        known = np.zeros_like(seen.mask)
        known[:, where] = seen.mask[:, where]
        return float(attribute_loss(*(torch.from_numpy(each) for each in (seen.logits, seen.target, known))))

    there, here = drawn(tmp_path, 32, 3, lamp=True), drawn(tmp_path, 32, 4)
    assert loss(after, there) < 0.93 * loss(model, there)
    assert loss(after, here) < loss(model, here) + 0.1 * loss(model, there)
