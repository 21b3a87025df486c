"""What a learning curve says, on figures made up so that the answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from personvlm.evaluation.learning_curve import by_size, draw, result, slopes, table


def point(people: int, mean: float, *, size: str = "192x96", seen: float = 0.9, loss: float = 14.0,
          spread: float = 0.0) -> dict[str, Any]:  # fmt: skip
    """A run; every resample is ``spread`` times its number, from -1 to 1, off."""
    shift = np.linspace(-1, 1, 41) * spread

    def part(value: float) -> dict[str, Any]:
        return {"people": 452, "crops": 901, "mean": value, "loss": loss,
                "resampled": {"mean": (value + shift).tolist(), "loss": (loss + shift).tolist()}}  # fmt: skip

    return {"size": size, "people": 2 * people, "compared": people, "crops": 3 * people, "parameters": 1_234_567,
            "machine": "a processor", "val": part(mean), "seen": part(seen)}  # fmt: skip


ABOUT: dict[str, Any] = {"made": "today", "machines": ["a processor"], "steps": 550, "batch": 64, "seed": 0}


def test_two_points_per_doubling_are_found_as_such() -> None:
    points = [point(800 * 2**k, 0.7 + 0.02 * k, loss=16 - 0.5 * k) for k in (3, 0, 1, 2)]
    (row,) = slopes(points, target=0.8)
    assert row["mean"]["value"] == pytest.approx(0.02)
    assert row["loss"]["value"] == pytest.approx(-0.5)
    assert row["last"]["value"] == pytest.approx(0.02)
    assert row["gap"] == pytest.approx(0.9 - 0.76)
    assert (row["largest"], row["people"]) == (6400, 26_000)  # two doublings of 6,400, to two digits


def test_what_all_runs_share_does_not_widen_a_difference() -> None:
    same = [point(800, 0.70, spread=0.05), point(1600, 0.72, spread=0.05)]
    (row,) = slopes(same)
    assert row["last"]["interval"] == pytest.approx([0.02, 0.02])
    same[0]["val"]["resampled"]["mean"].reverse()
    (row,) = slopes(same)
    assert row["last"]["interval"] == pytest.approx([0.02 - 0.095, 0.02 + 0.095])


def test_a_last_step_of_two_doublings_is_told_per_doubling() -> None:
    (row,) = slopes([point(800, 0.70), point(3200, 0.74)])
    assert row["last"]["value"] == pytest.approx(0.02)


@pytest.mark.parametrize(("mean", "people"), [(0.70, None), (0.65, None), (0.7001, None), (0.85, 1600)])
def test_a_target_out_of_sight_or_behind(mean: float, people: int | None) -> None:
    (row,) = slopes([point(800, 0.70), point(1600, mean)], target=0.8)
    assert row["people"] == people


def test_one_number_of_people_has_no_slope() -> None:
    points = [point(800, 0.70), point(800, 0.72, size="256x128")]
    assert slopes(points) == []
    assert list(by_size(points)) == ["192x96", "256x128"]


def test_the_table_holds_every_run_and_what_follows_from_them() -> None:
    also = {**point(1600, 0.806, seen=0.92, loss=14.56), "name": "edge-2"}
    del also["crops"], also["people"]
    curve = result([point(1600, 0.72, spread=0.02), point(800, 0.70, spread=0.02)], [also], 0.9, **ABOUT)
    assert "resampled" not in str(curve)
    text = table(curve)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {10}
    assert rows[2].startswith("| 800 people, 2,400 crops | 192x96 | 1,234,567 | 70.0 | 68.1 to 71.9 | 90.0 | 20.0 |")
    assert rows[4].startswith("| edge-2 | 192x96 | 1,234,567 | 80.6 | ")
    for said in ("brings +2.0 points (+2.0 to +2.0)", "the gap is 18.0 points", "90.0 would take about 820,000 people",
                 "901 crops of 452 people", "a processor; today."):  # fmt: skip
        assert said in text


def test_the_picture_is_drawn_with_and_without_sizes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    points = [point(800, 0.70, spread=0.01), point(1600, 0.72, spread=0.01)]
    more = [*points, point(1600, 0.73, size="256x128")]
    for name, several in (("one.png", points), ("two.png", more)):
        draw(result(several, [{**point(1600, 0.8), "name": "edge-2"}], **ABOUT), tmp_path / name)
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert two.width > one.width > 500
