"""``personvlm calibrate`` on the model that ships, with a few drawn people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from personvlm.data.rendered import rendered_samples
from personvlm.runtime.describer import shipped

pytestmark = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = []
    for row, (image, truth) in enumerate(rendered_samples(6, seed=5)):
        Image.fromarray(image).save(tmp_path / f"{row}.png")
        known = {name: list(truth[name]) for name in ("gender", "upper.color") if name in truth}
        lines.append(json.dumps({"image": f"{row}.png", "identity": str(row), "attributes": known}))
    (tmp_path / "people.jsonl").write_text("\n".join(lines))
    return tmp_path / "people.jsonl"


def test_a_copy_of_the_shipped_model_is_calibrated(run: Run, data: Path, tmp_path: Path) -> None:
    before = (shipped() / "calibration.json").read_bytes()
    status, out, err = run("calibrate", "--data", str(data), "--out", str(tmp_path / "mine"), "--json")
    assert status == 0, err
    told = json.loads(out)
    assert told["people"] == 6
    assert told["groups"]["gender"]["said_at"]["0.9"] == [], "six people tell nothing"
    assert "6 people are few" in err
    assert (shipped() / "calibration.json").read_bytes() == before
    status, out, err = run("calibrate", str(tmp_path / "mine"), "--data", str(data), "-q")
    assert (status, out, err) == (0, "", "")
    status, out, _ = run("describe", str(tmp_path / "0.png"), "--model", str(tmp_path / "mine"), "--min-precision",
                         "0.9", "--json")  # fmt: skip
    assert status == 0
    assert json.loads(out)[0]["attributes"] == {}


def test_what_cannot_be_calibrated_is_one_line(run: Run, data: Path, tmp_path: Path) -> None:
    assert run("calibrate", "--data", str(data))[0] == 2
    status, _, err = run("calibrate", "--data", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "mine"))
    assert status == 1
    assert "none.jsonl" in err
    status, _, err = run("calibrate", str(tmp_path), "--data", str(data))
    assert status == 1
    assert "calibration.json" in err
    assert not (tmp_path / "mine").exists()


def test_evaluate_writes_a_gallery_and_prints_what_holds(run: Run, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "looked"
    status, printed, err = run("evaluate", "--data", str(data), "--format", "personvlm", "--min-precision", "0.9",
                               "--gallery", "2", "--out", str(out))  # fmt: skip
    assert status == 0, err
    for part in ("Brier skill over the prior", "At --min-precision 0.9", "coverage"):
        assert part in printed
    assert str(out / "gallery.html") in err
    assert (out / "gallery.html").read_text("utf-8").count('<article class="card"') >= 2


def test_options_that_do_not_fit_are_refused_before_any_work(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("evaluate", "--data", str(data), "--format", "personvlm")
    assert run(*common, "--gallery", "2")[0] == 2
    assert run(*common, "--out", "somewhere")[0] == 2
    status, _, err = run(*common, "--min-precision", "0.2")
    assert status == 2
    assert "greater than or equal to 0.5" in err
    texts = data.with_name("texts.jsonl")
    texts.write_text("\n".join(json.dumps({"id": row, "text": "The image shows a man."}) for row in range(6)))
    status, _, err = run(*common, "--min-precision", "0.9", "--predictions", str(texts))
    assert status == 1
    assert "give no --predictions" in err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = run(*common, "--plots", "plots")
    assert status == 1
    assert "pip install matplotlib" in err
