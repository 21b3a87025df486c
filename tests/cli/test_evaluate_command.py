"""``personvlm evaluate``: protocols, predictions, data without pictures, and errors that say what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.cli import main
from personvlm.evaluation.baselines import BASELINES
from personvlm.schema import Attribute, PersonDescription

pytest.importorskip("nltk", reason="nltk is not installed; pip install 'personvlm[evaluate]'")

CAPTIONS = (
    "Here is a description of the image:\n\nThe image shows a man in a dark-colored coat. He is walking.",
    "The image shows a woman with black hair, carrying a bag.",
    "The image shows a young man from the back.",
)
KEYS = {"n", "people", "text", "heads", "said", "quality", "consistency", "likelihood", "baselines", "protocol"}


class FakeDescriber:
    """Takes everybody for a man in a coat; the embedding is the picture's brightness."""

    class calibration:  # noqa: N801
        benchmark: dict[str, float] = {}  # noqa: RUF012

    def describe(self, inputs: Sequence[Path], *, say: str, batch: int) -> list[PersonDescription]:
        attributes = {"gender": Attribute(value="male", confidence=0.9),
                      "upper.garment": Attribute(value="coat", confidence=0.9)}  # fmt: skip
        return [PersonDescription(text="The image shows a male. He is wearing a coat.", attributes=attributes,
                                  embedding=tuple(vector), model="fake 1")
                for vector in self.embed(inputs, batch=batch).tolist()]  # fmt: skip

    def embed(self, inputs: Sequence[Path], *, batch: int) -> NDArray[np.float32]:
        light = [float(np.asarray(Image.open(path)).mean()) / 255 for path in inputs]
        return np.array([(np.cos(value), np.sin(value)) for value in light], np.float32)

    def score(self, inputs: Sequence[Path], texts: Sequence[str], *, batch: int) -> NDArray[np.float64]:
        return np.array([0.5 + 0.1 * len(text) / 100 for text in texts])


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    rows = []
    for number, caption in enumerate(CAPTIONS * 2):
        one_hot = [0] * 58
        one_hot[0 if "woman" in caption else 1] = 1
        one_hot[3] = 1
        rows.append({"image": f"images/part{number}_1.jpg", "one_hot": one_hot, "answer": caption})
    path = tmp_path / "captions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personvlm.runtime.describer.Describer.load", lambda path=None: FakeDescriber())


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def result(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    status, out, err = run(capsys, *arguments, "--json", "-q")
    assert (status, err) == (0, "")
    return dict(json.loads(out))


def pictures(captions: Path) -> None:
    (captions.parent / "images").mkdir()
    for number in range(6):
        picture = np.full((100 + 60 * number, 40, 3), 40 * number, np.uint8)
        Image.fromarray(picture).save(captions.parent / "images" / f"part{number}_1.jpg")


def predictions(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_without_pictures_the_baselines_need_no_model(captions: Path, capsys: pytest.CaptureFixture[str],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("personvlm.runtime.describer.Describer.load", lambda path=None: pytest.fail("no model needed"))
    for protocol in ("clean", "published"):
        done = result(capsys, "--data", captions, "--format", "msp60k", "--protocol", protocol)
        assert set(done) >= KEYS
        assert done["text"] is done["heads"] is done["said"] is done["quality"] is done["likelihood"] is None
        assert done["baselines"]["true_labels"]["gender"]["accuracy"] == 1.0
        rows = done["protocol"]["rows"]
        assert set(rows) == {"predictions", *BASELINES}
        assert rows["predictions"] is rows["predicted_heads"] is None
        assert rows["constant_sentence"]["n"] == 6
    status, out, err = run(capsys, "--data", captions, "--format", "msp60k")
    assert status == 0
    assert "constant sentence" in out
    assert "none of the pictures is there" in err


def test_predictions_of_any_model_are_scored(captions: Path, tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    rows: list[dict[str, Any]] = [{"id": i, "text": text} for i, text in enumerate(CAPTIONS * 2)]
    file = predictions(tmp_path / "said.jsonl", rows[::-1])
    done = result(capsys, "--data", captions, "--format", "msp60k", "--protocol", "published", "--predictions", file)
    assert done["protocol"]["rows"]["predictions"]["text"]["bleu_4"]["value"] == pytest.approx(1.0)
    assert done["protocol"]["rows"]["predictions"]["attributes"]["mean"]["value"] == 1.0
    assert done["text"]["gender"]["accuracy"] == 1.0
    assert done["said"]["accuracy"] == pytest.approx(0.8)  # the labels know of no bag
    assert done["consistency"] is done["heads"] is None
    status, out, _ = run(capsys, "--data", captions, "--format", "msp60k", "--predictions", file, "-q")
    assert status == 0
    assert "generated text" in out
    assert "Slices" in out


@pytest.mark.usefixtures("described")
def test_pictures_are_described_and_stand_beside_their_heads(captions: Path,
                                                             capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    pictures(captions)
    done = result(capsys, "--data", captions, "--format", "msp60k", "--likelihood-pools", 1)
    assert set(done) >= KEYS | {"likelihood_retrieval"}
    assert done["likelihood_retrieval"]["pool"] == 6
    assert done["text"]["gender"]["accuracy"] == pytest.approx(4 / 6)
    assert done["consistency"] == 1.0
    rows = done["protocol"]["rows"]
    assert rows["predicted_heads"]["facts"]["groups"]["gender"]["accuracy"] == pytest.approx(4 / 6)
    assert "by embedding among the other people" in done["protocol"]["notes"]["nearest_caption"]
    assert len(done["protocol"]["slices"]["height"]["slices"]) == 3
    status, out, err = run(capsys, "--data", captions, "--format", "msp60k", "--protocol", "published")
    assert status == 0
    assert "fake 1" not in err
    assert "realised from the predicted heads" in out


@pytest.mark.usefixtures("described")
def test_given_texts_beside_the_heads_of_the_model(captions: Path, tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    pictures(captions)
    (captions.parent / "train.jsonl").write_text(captions.read_text())
    file = predictions(tmp_path / "said.jsonl", [{"image": f"images/part{i}_1.jpg", "text": "A woman."}
                                                 for i in range(6)])  # fmt: skip
    done = result(capsys, "--data", captions, "--format", "msp60k", "--predictions", file)
    rows = done["protocol"]["rows"]
    assert rows["predictions"]["facts"]["groups"]["gender"]["accuracy"] == pytest.approx(2 / 6)
    assert rows["predicted_heads"]["facts"]["groups"]["gender"]["accuracy"] == pytest.approx(4 / 6)
    assert done["heads"] is done["likelihood"] is None
    assert done["protocol"]["notes"]["nearest_caption"].startswith("nearest by embedding among train.jsonl, one")
    # The training pictures are the same ones here, so the nearest caption is right about everybody.
    assert rows["nearest_caption"]["facts"]["groups"]["gender"]["accuracy"] == 1.0


def test_given_texts_are_scored_even_where_no_weights_are(captions: Path, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from personvlm.base.errors import InputError

    def load(path: Path | None = None) -> None:
        raise InputError("no weights")

    monkeypatch.setattr("personvlm.runtime.describer.Describer.load", load)
    pictures(captions)
    file = predictions(tmp_path / "said.jsonl", [{"id": i, "text": "A man."} for i in range(6)])
    done = result(capsys, "--data", captions, "--format", "msp60k", "--predictions", file)
    assert done["protocol"]["rows"]["predicted_heads"] is None
    status, _, err = run(capsys, "--data", captions, "--format", "msp60k", "--predictions", file, "--model", tmp_path)
    assert status == 1
    assert err == "personvlm: error: no weights\n"


def test_published_asks_for_nltk_before_anything_is_described(captions: Path, capsys: pytest.CaptureFixture[str],
                                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from personvlm.metrics import tokens

    monkeypatch.setitem(sys.modules, "nltk.tokenize.destructive", None)
    tokens._tokenizers.cache_clear()
    status, out, err = run(capsys, "--data", captions, "--format", "msp60k", "--protocol", "published", "-q")
    assert (status, out) == (1, "")
    assert "pip install 'personvlm[evaluate]'" in err
    status, out, _ = run(capsys, "--data", captions, "--format", "msp60k", "-q")
    assert status == 0
    assert "personvlm[evaluate]" in out
    monkeypatch.undo()
    tokens._tokenizers.cache_clear()


@pytest.mark.parametrize(("arguments", "message"), [
    (("--predictions", "nowhere.jsonl"), "nowhere.jsonl: no such file"),
    (("--train", "nowhere.jsonl"), "nowhere.jsonl: no such file"),
    (("--root", "nowhere"), "images are missing"),
])  # fmt: skip
def test_errors_are_one_line(captions: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
                             message: str) -> None:  # fmt: skip
    status, out, err = run(capsys, "--data", captions, "--format", "msp60k", *arguments, "--json")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.usefixtures("described")
def test_training_captions_without_pictures_are_searched_by_labels(
        captions: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    pictures(captions)
    (captions.parent / "train.jsonl").write_text(captions.read_text().replace("images/", "elsewhere/"))
    done = result(capsys, "--data", captions, "--format", "msp60k")
    assert done["protocol"]["notes"]["nearest_caption"] == "nearest by labels among train.jsonl"


@pytest.mark.usefixtures("described")
def test_what_would_be_ignored_is_refused(captions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(captions)
    file = predictions(tmp_path / "said.jsonl", [{"id": i, "text": "A man."} for i in range(6)])
    for option in (("--likelihood-pools", 1), ("--plots", tmp_path / "plots")):
        status, _, err = run(capsys, "--data", captions, "--format", "msp60k", "--predictions", file, *option)
        assert (status, "give no --predictions" in err) == (1, True)
        assert run(capsys, "--data", captions, "--parser", *option)[0] == 2


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_described(
        captions: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("personvlm.runtime.describer.Describer.load", lambda path=None: pytest.fail("too late"))
    pictures(captions)
    for option in (("--plots", captions / "plots"), ("--gallery", 1, "--out", captions)):
        assert run(capsys, "--data", captions, "--format", "msp60k", *option)[0] == 1
