"""``personvlm search``, ``tracks``, ``show``, ``erase`` and ``store``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from personvlm.cli import main
from personvlm.schema import Attribute, Crop, Described, DescribeRequest, PersonDescription
from personvlm.store import Store

NOW = 1_780_000_000.0
LOOKS = {1: (1.0, 0.0, 0.0), 2: (0.0, 1.0, 0.0), 3: (0.0, 0.0, 1.0)}


def somebody(number: int, text: str, camera: str, **values: str) -> Described:
    attributes = {name.replace("_", "."): Attribute(value=(value,) if "color" in name or name == "carrying" else value,
                                                    confidence=0.9) for name, value in values.items()}  # fmt: skip
    said = PersonDescription(text=text, attributes=attributes, embedding=LOOKS[number], model="edge 1")
    request = DescribeRequest.build(camera, number, "new_track", NOW + number * 60, Crop(data=b"\xff\xd8 picture"))
    return Described(request=request, description=said, described_at=NOW)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three people on two cameras, the first two linked."""
    path = tmp_path / "people.db"
    people = [somebody(1, "A man in a red coat with a lanyard.", "gate", gender="male", upper_color="red"),
              somebody(2, "A woman with a backpack.", "yard", gender="female", carrying="backpack"),
              somebody(3, "A man in blue.", "gate", gender="male", upper_color="blue")]  # fmt: skip
    with Store.open(path) as opened:
        opened.add(people)
        opened.link(people[0].request.person, people[2].request.person, 0.9)
    return path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_whoever_looks_at_people_stands_in_the_audit(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(store) as opened:
        person = opened.people(limit=1).items[0].request.person
    run("search", "man in red", "--camera", "gate", "--store", str(store))
    run("search", "--like", person, "--store", str(store))
    run("tracks", "--since", "1d", "--store", str(store))
    run("tracks", "--cameras", "--store", str(store))  # nobody is seen there
    run("show", person, "--store", str(store))
    run("alerts", "dry-run", 'upper.color == "red"', "--store", str(store), "-q")
    run("store", "corrections", "--store", str(store))
    run("alerts", "list", "--store", str(store))
    capsys.readouterr()
    run("store", "audit", "--store", str(store))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["actor"] for row in rows} == {"command line"}
    assert [(row["action"], row["subject"]) for row in rows] == [
        ("search", "man in red"), ("search", ""), ("list", "people"), ("view", person),
        ("dry run", 'upper.color == "red"'), ("list corrections", "people"),
        ("list", "alerts")]  # fmt: skip
    assert rows[0]["detail"] == {"camera": ["gate"]}
    assert rows[1]["detail"] == {"like": person}


def test_search_prints_who_and_why(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("search", "man", "in", "red", "--store", str(store), "-n", "1", "--facet", "camera") == 0
    out = capsys.readouterr().out
    assert "gate #1" in out
    assert re.search(r"gender: male 9\d% \(said: male\); upper.color: red or lower.color: red", out)
    assert run("search", "jaket with lanyard", "--store", str(store), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["query"]["notes"] == ["read 'jaket' as 'jacket'"]
    assert found["query"]["words"] == ["lanyard"]
    assert found["hits"][0]["words"] == ["lanyard"]
    assert run("search", "man", "--camera", "yard", "--store", str(store), "--json") == 0
    assert [hit["camera"] for hit in json.loads(capsys.readouterr().out)["hits"]] == ["yard"]


def test_search_by_looks_and_by_identity(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("tracks", "--store", str(store), "--json")
    first = json.loads(capsys.readouterr().out)[-1]["person"]
    assert run("search", "--like", first, "--store", str(store), "--json") == 0
    itself, *others = json.loads(capsys.readouterr().out)["hits"]
    assert (itself["person"], itself["alike"] > 0.99) == (first, True)
    assert all(hit["alike"] < 0.01 for hit in others)
    assert run("search", "man", "--person", first, "--store", str(store), "--json") == 0
    assert sorted(hit["track"] for hit in json.loads(capsys.readouterr().out)["hits"]) == [1, 3]


def test_tracks_and_show(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tracks", "--store", str(store), "--camera", "gate", "-n", "1") == 0
    line = capsys.readouterr().out
    assert "gate #3" in line
    person = re.search(r"[0-9a-f]{32}", line)
    assert person is not None
    assert run("show", person[0], "--store", str(store), "--pictures", str(tmp_path / "out")) == 0
    out = capsys.readouterr().out
    assert "upper.color: blue (90%)" in out
    assert "same person as" in out
    assert next((tmp_path / "out").iterdir()).read_bytes() == b"\xff\xd8 picture"
    assert run("tracks", "--store", str(store), "--cameras") == 0
    assert "gate: 2 people" in capsys.readouterr().out


def test_erase_prints_a_receipt(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from personvlm.integrations.outbox import Outbox

    run("tracks", "--store", str(store), "--json")
    people = [one["person"] for one in json.loads(capsys.readouterr().out)]
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put("personvlm/gate/person", "A man in a red coat.", person=people[-1], kind="end")
    outbox.close()
    assert run("erase", people[-1], "--identity", "--yes", "--reason", "asked", "--store", str(store), "--mqtt-outbox",
               str(tmp_path / "outbox.sqlite")) == 0  # fmt: skip
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["counts"]["outbox"] == 1
    assert sorted(receipt["people"]) == sorted([people[0], people[-1]])
    assert receipt["counts"]["pictures"] == 2
    assert run("store", "audit", "--store", str(store)) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["detail"]["reason"] == "asked"
    assert run("tracks", "--store", str(store), "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_store_keeps_sweeps_exports_and_upgrades(store: Path, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    assert run("store", "export", "--format", "csv", "--out", str(tmp_path / "p.csv"), "--store", str(store), "-q") == 0
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 4
    assert run("store", "export", "--history", "--camera", "yard", "--store", str(store)) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "A woman with a backpack."
    assert run("store", "keep", "yard", "--days", "1", "--store", str(store)) == 0
    assert "yard: 1 people" in capsys.readouterr().out
    assert run("store", "keep", "yard", "--crop-days", "0.5", "--store", str(store)) == 0
    assert "kept 1 days pictures 0.5 days" in capsys.readouterr().out, "what is not named stays"
    assert run("store", "keep", "yard", "--no-crops", "--store", str(store)) == 0
    assert run("store", "keep", "yard", "--days", "2", "--store", str(store)) == 0
    assert "kept 2 days no pictures" in capsys.readouterr().out
    assert run("store", "keep", "yard", "--crops", "--store", str(store)) == 0
    assert "kept 2 days pictures 0.5 days" in capsys.readouterr().out
    assert run("store", "keep", "yard", "--store", str(store)) == 0
    assert "kept for ever\n" in capsys.readouterr().out
    assert run("store", "keep", "yard", "--days", "1", "--store", str(store)) == 0
    capsys.readouterr()
    assert run("store", "sweep", "--store", str(store)) == 0
    assert json.loads(capsys.readouterr().out)["people"] in (0, 1)  # by the clock of this machine
    assert run("store", "upgrade", "--to", "0004", "--store", str(store)) == 0
    assert run("store", "upgrade", "--store", str(store)) == 0
    assert run("store", "scrub", "--store", str(store)) == 0


@pytest.mark.parametrize(("arguments", "reason"), [
    (("search", "man", "--store", "missing.db"), "no store there"),
    (("search", "man", "--store", "mysql://x/y"), "not a database that a store knows"),
    (("search", "man", "--since", "yesterday"), "is no time"),
    (("search", "man", "--since", "1h", "--until", "2h"), "`since` is later than `until`"),
    (("search", "man", "--camera", "roof"), "no camera 'roof'"),
    (("search", "man", "--facet", "shoe"), "no facet"),
    (("search", "--like", "nobody"), "no person 'nobody'"),
    (("show", "nobody"), "no person 'nobody'"),
    (("store", "keep", "gate", "--days", "-1"), "must be a positive number"),
    (("store", "upgrade", "--to", "99"), "not a version"),
])  # fmt: skip
def test_what_is_wrong_is_said(store: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
                               reason: str) -> None:  # fmt: skip
    at = () if "--store" in arguments else ("--store", str(store))
    assert run(*arguments, *at) == 1
    assert reason in capsys.readouterr().err


def test_a_missing_package_is_named() -> None:
    code = ("import sys; sys.modules['sqlalchemy'] = None\n"
            "from personvlm.cli import main\nmain(['search', 'man', '--store', 'x.db'])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "needs sqlalchemy: pip install 'personvlm[service]'" in done.stderr
