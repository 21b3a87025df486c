"""``--lang``: what the commands say in another language, and what stays English."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from personvlm.runtime.describer import shipped

Run = Callable[..., tuple[int, str, str]]
SHIPPED = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 80), "red").save(path)
    return path


@pytest.mark.parametrize(("lang", "text"), [
    ("de", "Das Bild zeigt einen Mann. Er trägt einen rot-schwarzen Mantel."),
    ("de-AT", "Das Bild zeigt einen Mann. Er trägt einen rot-schwarzen Mantel."),
    ("zh", "画面中是一名男子。他身穿一件红黑两色大衣。"),
    ("en", "The image shows a man. He is wearing a red coat."),
])  # fmt: skip
def test_the_text_is_in_the_language_and_all_else_is_not(run: Run, picture: Path, fake_describer: Any, lang: str,
                                                         text: str) -> None:  # fmt: skip
    status, out, _ = run("describe", str(picture), "--jsonl", "--lang", lang)
    said = json.loads(out)
    assert (status, said["text"]) == (0, text)
    assert said["attributes"]["upper.color"] == {"value": ["red", "black"], "confidence": 0.8}
    assert text in run("describe", str(picture), "--lang", lang)[1]


def test_errors_are_english_and_go_on(run: Run, picture: Path, fake_describer: Any) -> None:
    status, out, _ = run("describe", "nothing.jpg", str(picture), "--jsonl", "--lang", "fr")
    first, second = map(json.loads, out.splitlines())
    assert status == 1
    assert "error" in first
    assert second["text"].startswith("L'image montre un homme.")


def test_what_cannot_be_asked_for(run: Run, picture: Path, fake_describer: Any) -> None:
    status, _, err = run("describe", str(picture), "--lang", "pt")
    assert status == 2
    assert "there is en, es, de, fr, hi, zh, ja" in err
    assert run("describe", str(picture), "--lang", "de", "--candidates", "3")[0] == 2
    assert fake_describer.asked == []
    assert run("describe", str(picture), "--lang", "en", "--candidates", "3")[0] == 0


@SHIPPED
def test_a_describer_speaks() -> None:
    from personvlm import Describer
    from personvlm.base.errors import InputError
    from personvlm.language.languages import said_in

    describer = Describer.load()
    picture = Image.new("RGB", (64, 128), "blue")
    (english,) = describer.describe(picture, say="all")
    (german,) = describer.describe(picture, say="all", lang="de-CH")
    assert german.text == said_in(english.attributes, "de")
    assert german.text.startswith("Das Bild zeigt ")
    assert (german.attributes, german.scores) == (english.attributes, english.scores)
    assert next(describer.results(b"broken", lang="de")).error
    with pytest.raises(InputError, match="candidates"):
        describer.describe(picture, lang="de", candidates=2)
    with pytest.raises(InputError, match="not a language"):
        describer.describe(picture, lang="tlh")


@SHIPPED
def test_a_run_speaks_and_stores_english(run: Run, tmp_path: Path) -> None:
    from personvlm.store import Store

    pytest.importorskip("cv2")
    lines, store = tmp_path / "events.jsonl", tmp_path / "people.db"
    status, out, err = run("run", "rendered:cameras=1,people=1,seconds=4,rate=5", "--lang", "ja", "--jsonl",
                           str(lines), "--store", str(store))  # fmt: skip
    assert status == 0, err
    told = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    texts = [each["text"] for each in told if "text" in each]
    assert texts
    assert all(text.startswith("画像には、") for text in texts)
    assert texts[0] in out
    with Store.open(store) as kept:
        assert all(each.description.text.startswith("The image shows ") for each in kept.people().items)
    assert run("run", "rendered:", "--lang", "ja", "--queue", str(tmp_path / "queue.db"))[0] == 2
