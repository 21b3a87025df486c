"""The demo of the whole pipeline: what is shown was stored, found and raised, and a demo can be repeated."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.cli import main

pytest.importorskip("supervision", reason="pip install 'personvlm[video]'")
pytest.importorskip("sqlalchemy", reason="pip install 'personvlm[service]'")

from personvlm.alerts.engine import Alerts
from personvlm.pipeline.demo_cameras import DRAWN, Script, demo_cameras
from personvlm.store import Store

SCENE = "rendered:seed=7,cameras=1,people=2,twins=0,seconds=8"


def test_a_demo_shows_what_the_store_holds(tmp_path: Path) -> None:
    script = Script(("somebody in trousers", "\"zebra\""), "tell me when somebody in trousers comes by")
    for _ in range(2):  # the second replaces the first
        done = demo_cameras([SCENE], tmp_path, script=script, kind="scene", say="all")
    answers = [json.loads(line) for line in done.answers.read_text("utf-8").splitlines()]
    assert done.store is not None
    with Store.open(done.store) as store:
        people = store.people().items
        alerts = Alerts(store).alerts()
        found = store.search("somebody in trousers", limit=3).hits
    assert len(people) == len(answers) == done.people
    assert people
    assert {one.description.text for one in people} == {answer["text"] for answer in answers}
    assert len(alerts) == done.alerts > 0
    page = done.report.read_text("utf-8")
    for text in (*(answer["text"] for answer in answers), *(hit.described.description.text for hit in found)):
        assert text in page
    assert page.count("<li>") == sum(hit.probability >= 0.05 for hit in found) + done.alerts
    assert "Nobody." in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)


def test_what_is_no_source_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["demo", str(tmp_path / "absent.mp4"), "--out", str(tmp_path / "out"), "-q"])
    assert left.value.code == 1
    assert "absent.mp4" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["demo", "a.mp4", "b.jpg", "--out", str(tmp_path / "out")])
    assert left.value.code == 2


def test_the_script_of_the_demo_is_understood(tmp_path: Path) -> None:
    from personvlm.alerts.plain import compile_words
    from personvlm.store.query_parser import parse_query

    assert not compile_words(DRAWN.alert).ignored
    assert all(parse_query(question).terms and not parse_query(question).words for question in DRAWN.questions)


def test_a_store_that_no_demo_made_is_kept(tmp_path: Path) -> None:
    """`personvlm demo --out .` where the examples of the documentation were followed."""
    with Store.open(tmp_path / "people.db") as store:
        Alerts(store).add_rule("mine", '"bag" in carrying')
    before = (tmp_path / "people.db").read_bytes()
    with pytest.raises(InputError, match=r"people\.db: a store that no demo made would be replaced"):
        demo_cameras([SCENE], tmp_path, script=DRAWN, kind="scene")
    assert (tmp_path / "people.db").read_bytes() == before


def test_somebody_too_small_for_a_picture_has_a_card_without_one(tmp_path: Path) -> None:
    folder = tmp_path / "far"
    (folder / "img1").mkdir(parents=True)
    (folder / "det").mkdir()
    for index in range(12):
        Image.fromarray(np.full((60, 80, 3), 90 + index, np.uint8)).save(folder / "img1" / f"{index + 1}.png")
    lines = [f"{index + 1},-1,{20 + index},20,4,12,1" for index in range(12)]
    (folder / "det" / "det.txt").write_text("\n".join(lines))
    done = demo_cameras([str(folder)], tmp_path / "out", script=DRAWN, kind="cameras")
    assert done.people == 1
    assert "far #1" in done.report.read_text("utf-8")
