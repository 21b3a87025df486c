"""``personvlm who`` and ``personvlm store unlink``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from personvlm.cli import main
from personvlm.schema import Crop, Described, DescribeRequest, PersonDescription
from personvlm.store import Store

NOW = 1_780_000_000.0


def somebody(number: int, camera: str, first: float, vector: tuple[float, float]) -> Described:
    said = PersonDescription(text="A person.", embedding=vector, model="edge 1")
    request = DescribeRequest.build(camera, number, "track_update", NOW + first + 10, Crop(data=b"\xff\xd8 picture"),
                                    first_seen=NOW + first, revision=2, final=True)  # fmt: skip
    return Described(request=request, description=said, described_at=NOW)


PEOPLE = [somebody(1, "gate", 0, (1.0, 0.0)), somebody(2, "hall", 40, (1.0, 0.0)), somebody(3, "yard", 45, (0.0, 1.0))]
IDS = [each.request.person for each in PEOPLE]
WAYS = """
cameras: {gate: {source: a.mp4}, hall: {source: b.mp4}}
identity: {travel: [{from: gate, to: hall, seconds: [60, 90]}]}
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    with Store.open(path) as opened:
        opened.add(PEOPLE)
        opened.link(IDS[1], IDS[0], 0.97)
    return path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_who_else_in_a_table_and_as_json(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("who", IDS[0], "--store", str(store), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    best = found["others"][0]
    assert (best["person"], best["camera"], best["first_seen"]) == (IDS[1], "hall", NOW + 40)
    assert (best["link"], best["linked"], best["linked_by"]) == ("linked", 0.97, "identity")
    assert best["probability"] > 0.9
    assert found["nobody"] < 0.1
    assert run("who", IDS[0], "--store", str(store), "-n", "1") == 0
    head, line, rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["FROM", "UNTIL", "CAMERA", "PERSON", "LINK"]
    assert line.split()[0] == f"{best['probability']:.0%}"
    assert IDS[1] in line
    assert "hall #2" in line
    assert "linked by identity (97%)" in line
    assert rest.endswith("nobody else of those who were compared")
    ways = tmp_path / "cameras.yaml"
    ways.write_text(WAYS, "utf-8")
    assert run("who", IDS[0], "--store", str(store), "--cameras", str(ways), "--json") == 0
    told = {each["person"]: each["probability"] for each in json.loads(capsys.readouterr().out)["others"]}
    assert told[IDS[1]] is None, "nobody walks there in thirty seconds; only the link tells"
    with Store.open(store) as opened:
        assert [(each.action, each.subject) for each in opened.audited()] == [("who", IDS[0])] * 3


def test_who_says_what_is_wrong(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("who", "0" * 32, "--store", str(store)) == 1
    assert "no person" in capsys.readouterr().err
    assert run("who", IDS[0], "--store", str(store), "--within", "soon") == 1
    assert "30m, 2h, 1d" in capsys.readouterr().err
    assert run("who", IDS[0], "--store", str(store), "--cameras", "gate") == 1
    assert "YAML" in capsys.readouterr().err
    off = tmp_path / "off.yml"
    off.write_text("cameras: {gate: {source: a.mp4}}\nidentity: false\n", "utf-8")
    assert run("who", IDS[0], "--store", str(store), "--cameras", str(off)) == 1
    assert "switched off" in capsys.readouterr().err


def test_a_link_is_undone_for_good(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("store", "unlink", IDS[0], IDS[1], "--store", str(store)) == 0
    with Store.open(store) as opened:
        assert opened.same_as(IDS[0]) == (IDS[0],)
        assert opened.link(IDS[1], IDS[0], 0.99) is False
        (entry,) = opened.audited()
    assert (entry.actor, entry.action, entry.subject, entry.detail) == ("command line", "unlink", IDS[0],
                                                                       {"other": IDS[1]})  # fmt: skip
    assert run("store", "unlink", IDS[0], IDS[1], "--store", str(store)) == 1
    assert "not linked" in capsys.readouterr().err
    with Store.open(store) as opened:
        assert len(opened.audited()) == 1, "what was not done is not written down"
    assert run("who", IDS[0], "--store", str(store)) == 0
    assert "undone by command line (97%)" in capsys.readouterr().out
