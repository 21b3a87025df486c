"""What people put right holds: on the person's page, in search, in facets, and whatever a model says later."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stored_people import MONDAY, backpacker, red_jacket, said, seen

from personvlm.base.errors import InputError
from personvlm.data.readers import read_samples
from personvlm.schema import GROUP, UNKNOWN, Crop, Described, Known, PersonDescription
from personvlm.store import Store, migrate, tables
from personvlm.store.database import connect, is_sqlite
from personvlm.store.lessons import Written, write_lessons
from personvlm.store.reading import Filters

RED = seen(1, red_jacket(), crop=b"\xff\xd8\xff red")
MAN = seen(2, backpacker(), at=MONDAY + 60)
ID = RED.request.person


def found(store: Store, words: str) -> dict[int, float]:
    """Track -> probability that it fits."""
    return {hit.described.request.track_id: round(hit.probability, 3) for hit in store.search(words).hits}


def holds(store: Store) -> PersonDescription:
    latest = store.latest(ID)
    assert latest is not None
    return latest.description


@pytest.mark.parametrize("folded", [False, True])
def test_what_is_put_right_is_what_everything_shows(store: Store, folded: bool) -> None:
    store.add([RED, MAN])
    if folded:
        store.fold()
    before = found(store, "somebody in blue")
    made = store.correct(ID, "upper.color", ["blue"], "anna")
    assert (made.person, made.camera, made.group, made.value, made.by) == (ID, "gate", "upper.color", ("blue",), "anna")
    assert made.said is not None
    assert (made.said.value, round(made.said.confidence, 3), made.model) == (("red",), 0.9, "edge 1")
    assert made.event_id == RED.request.event_id
    now = holds(store)
    assert now.text == "The image shows a female. She is wearing a blue jacket."
    assert (now.attributes["upper.color"].values, now.attributes["upper.color"].source) == (("blue",), "given")
    assert now.attributes["upper.color"].confidence == 1.0
    assert (round(now.scores["upper.color"]["blue"], 4), round(now.scores["upper.color"]["red"], 4)) == (1.0, 0.0)
    assert now.attributes["gender"] == RED.description.attributes["gender"].model_copy(update={"confidence": 0.95})
    assert before[1] < 0.1
    assert found(store, "somebody in blue")[1] > 0.99
    assert found(store, "somebody in red")[1] < 0.05, "what is below is not known"
    assert store.search("red", facets=["upper.color"]).facets["upper.color"].get("red", 0) == 0
    assert store.search("", facets=["upper.color"]).facets["upper.color"] == {"blue": 1, "black": 1}
    assert [one.request.track_id for one in store.people(Filters(attributes={"upper.color": "blue"})).items] == [1]
    assert store.people(Filters(attributes={"upper.color": "red"})).items == ()
    assert [hit.words for hit in store.search('"blue jacket"').hits] == [("blue jacket",)]
    assert store.search('"red jacket"').hits == ()
    alike = {hit.described.request.track_id: hit.alike for hit in store.similar(ID).hits}
    assert (alike[1] or 0) > 0.99, "the appearance is the model's still"
    # Nobody else is touched, and what the model said is still told.
    assert [one.description.text for one in store.story(ID)] == [RED.description.text, now.text]
    assert [one.description.text for one in store.history(people=[ID])] == [RED.description.text]
    assert [one.request.person for _, one in store.after(2)] == [ID], "the live feed hears of it"
    assert found(store, "man with a backpack")[2] > 0.8


def test_it_holds_for_what_is_said_later_too(store: Store) -> None:
    store.add([RED])
    store.correct(ID, "upper.color", "blue", "anna")
    later = seen(1, red_jacket(0.99), at=MONDAY + 9, first=MONDAY, revision=2, final=True)
    store.add([later, MAN])
    latest = store.latest(ID)
    assert latest is not None
    assert (latest.request.revision, latest.request.final, latest.description.text) == (
        2, True, "The image shows a female. She is wearing a blue jacket.")  # fmt: skip
    assert found(store, "somebody in blue")[1] > 0.99
    late = seen(1, said("The image shows a person."), at=MONDAY + 3, first=MONDAY, revision=1)
    store.add([late])  # an old one that comes late changes nothing
    assert holds(store).text == latest.description.text
    better = seen(1, red_jacket(0.97, model="edge 2"), at=MONDAY + 9, first=MONDAY, revision=2, final=True)
    assert store.add([better.model_copy(update={"described_at": MONDAY + 99})]) == [True]
    assert (holds(store).model, holds(store).attributes["upper.color"].values) == ("edge 2", ("blue",))
    assert store.add([better, later, RED]) == [False, False, False]


def test_the_latest_wins_and_can_be_taken_back(store: Store) -> None:
    store.add([RED])
    first = store.correct(ID, "upper.color", "blue", "anna")
    second = store.correct(ID, "upper.color", ["black", "white"], "ben")
    garment = store.correct(ID, "upper.garment", "coat", "ben")
    assert store.correct(ID, "upper.garment", "coat", "carl") == garment, "said twice is kept once"
    assert holds(store).text == "The image shows a female. She is wearing a black and white coat."
    assert second.said == first.said, "what the model said, not what was put right before"
    undone = store.undo_correction(second.number, "anna")
    assert (undone.undone_by, undone.undone_at is not None) == ("anna", True)
    assert holds(store).text == "The image shows a female. She is wearing a blue coat."
    assert store.corrections(ID) == [first, garment]
    assert store.corrections(undone=True) == [first, undone, garment]
    for each in (garment, first):
        store.undo_correction(each.number)
    assert holds(store) == reread(RED.description)
    assert found(store, "somebody in red")[1] == pytest.approx(0.9, abs=0.01)
    assert store.people(Filters(attributes={"upper.color": "red"})).items[0].request.person == ID
    assert [hit.words for hit in store.search('"red jacket"').hits] == [("red jacket",)]
    assert store.corrections() == []
    with pytest.raises(InputError, match="was undone before"):
        store.undo_correction(first.number)
    with pytest.raises(InputError, match="there is no correction 99"):
        store.undo_correction(99)


def reread(description: PersonDescription) -> Any:
    """Equal to ``description`` but for what two bytes of a probability round."""

    class Same:
        def __eq__(self, other: object) -> bool:
            assert isinstance(other, PersonDescription)
            assert (other.text, other.model) == (description.text, description.model)
            assert other.attributes == description.attributes
            return all(values == pytest.approx(description.scores[name], abs=1e-3) for name, values in
                       other.scores.items())  # fmt: skip

    return Same()


@pytest.mark.parametrize(("group", "value", "kept"), [
    ("gender", "male", "male"), ("gender", ["male"], "male"), ("age", "adult", "adult"), ("age", UNKNOWN, UNKNOWN),
    ("carrying", [], ("none",)), ("carrying", ["bag", "phone", "backpack"], ("backpack", "phone")),
    ("carrying", "bag", ("bag",)), ("activity", [], ()), ("upper.color", ["white", "black"], ("black", "white")),
    ("upper.color", [UNKNOWN], UNKNOWN),
])  # fmt: skip
def test_what_is_legal_is_kept_in_the_order_of_the_schema(store: Store, group: str, value: Any, kept: Any) -> None:
    store.add([RED])
    assert store.correct(ID, group, value).value == kept
    assert (holds(store).attributes[group].value, holds(store).attributes[group].confidence) == (kept, 1.0)
    assert sum(holds(store).scores.get("age", {"child": 1.0}).values()) == pytest.approx(1.0, abs=1e-3)
    if kept == UNKNOWN:
        assert group not in holds(store).scores
    assert store.corrections(ID)[0].value == kept


@pytest.mark.parametrize(("group", "value", "reason"), [
    ("shoes", "red", "not an attribute group; legal: gender, age"), ("gender", "woman", "legal: male, female"),
    ("gender", ["male", "female"], "has one value, not 2"), ("gender", [], "has one value, not 0"),
    ("upper.color", [], "at least one value"), ("carrying", ["none", "bag"], "contradict each other"),
    ("carrying", ["bag", UNKNOWN], "give it alone"),
])  # fmt: skip
def test_what_is_not_legal_is_refused_with_what_is(store: Store, group: str, value: Any, reason: str) -> None:
    store.add([RED])
    with pytest.raises(InputError, match=reason):
        store.correct(ID, group, value)
    assert store.corrections(undone=True) == []
    assert holds(store).text == RED.description.text


def test_nobody_can_be_put_right_who_is_not_there(store: Store) -> None:
    with pytest.raises(InputError, match="no person"):
        store.correct("0" * 32, "gender", "male")


def test_an_open_kind_stays_open(store: Store) -> None:
    """Who says "a bag" or "an adult" does not say which."""
    ages = {"child": 0.5, "young adult": 0.3, "thirties": 0.1, "middle-aged": 0.05}
    store.add([seen(1, said(age=ages, carrying={"backpack": 0.6, "bag": 0.7, "phone": 0.9}))])
    store.correct(ID, "age", "adult")
    store.correct(ID, "carrying", ["bag"])
    scores = holds(store).scores
    assert scores["age"]["young adult"] == pytest.approx(0.3 / 0.45, abs=0.01)
    assert scores["age"]["child"] < 1e-4
    assert (round(scores["carrying"]["bag"], 4), round(scores["carrying"]["backpack"], 2)) == (1.0, 0.6)
    assert scores["carrying"]["phone"] < 1e-4


def test_erasing_takes_corrections_along_and_says_so(store: Store) -> None:
    store.add([RED, MAN])
    store.correct(ID, "upper.color", "blue", "anna")
    store.correct(MAN.request.person, "gender", "female", "anna")
    store.keep("gate", days=1)
    receipt = store.erase([ID])
    assert (receipt.counts["corrections"], receipt.counts["descriptions"]) == (1, 2)
    assert [each.person for each in store.corrections(undone=True)] == [MAN.request.person]
    assert store.add([RED]) == [False]
    assert store.sweep(MONDAY + 10 * 86_400).people == 1
    with store.read() as connection:
        for table in (tables.corrections, tables.descriptions, tables.attributes, tables.search_recent):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table.name


def test_no_byte_of_a_correction_is_left(tmp_path: Path) -> None:
    with Store.open(tmp_path / "people.db") as store:
        store.add([RED, MAN])
        store.correct(ID, "upper.garment", "graduation gown", "quirkologist")
        traces = (b"graduation gown", b"quirkologist")
        assert all(any(trace in path.read_bytes() for path in tmp_path.iterdir() if path.is_file()) for trace in traces)
        store.erase([ID])
        words = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
        assert not any(b"quirkologist" in data for data in words)
        assert not any(b"wearing a red graduation gown" in data for data in words)


def test_tables_go_down_and_up_with_corrections_in_them(where: str) -> None:
    with Store.open(where, keep_crops=False) as store:
        store.add([RED, MAN])
        store.correct(ID, "upper.color", "blue", "anna")
        assert migrate.move(store.engine, "0007") == ["0009", "0008"]
        assert not sa.inspect(store.engine).has_table("corrections")
    with Store.open(where, keep_crops=False, upgrade=True) as store:
        assert store.corrections(undone=True) == []
        assert found(store, "somebody in blue")[1] > 0.99, "what was put right stays so"
        assert store.correct(ID, "upper.color", "green", "ben").said is not None
        assert holds(store).text == "The image shows a female. She is wearing a green jacket."


def test_who_corrects_and_who_describes_wait_for_each_other(store: Store) -> None:
    """A description that arrives while somebody puts the person right is put right as well."""
    store.add([RED])
    later = seen(1, red_jacket(0.99), at=MONDAY + 9, first=MONDAY, revision=2)
    with Store(connect(store.engine.url.render_as_string(hide_password=False)), None) as other:
        adding = threading.Thread(target=other.add, args=([later],))
        with store.begin() as connection:
            store.correct(ID, "upper.color", "blue", "anna", connection)
            adding.start()
            adding.join(0.5)
            assert adding.is_alive() or is_sqlite(store.engine)
        adding.join(30)
        assert not adding.is_alive()
    latest = store.latest(ID)
    assert latest is not None
    assert (latest.request.revision, latest.description.attributes["upper.color"].values) == (2, ("blue",))
    assert found(store, "somebody in blue")[1] > 0.99


def pictured(track: int, description: PersonDescription, *times: float, revision: int = 1) -> Described:
    """Somebody with a picture of each of these seconds, the best first."""
    crops = [Crop(data=b"\xff\xd8\xff" + f"{track} {at:g}".encode(), time=MONDAY + at) for at in times]
    one = seen(track, description, at=MONDAY + 20 * revision, first=MONDAY + 20, revision=revision)
    request = one.request.model_copy(update={"crop": crops[0], "others": tuple(crops[1:])})
    return one.model_copy(update={"request": request})


def test_they_are_written_as_data_to_train_on(store: Store, tmp_path: Path) -> None:
    events = [pictured(1, red_jacket(), 1), pictured(1, red_jacket(), 5, 1, 7, revision=2),
              *(pictured(track, backpacker(), track) for track in (2, 3, 4))]  # fmt: skip
    store.add(events)
    one, _, two, three, four = (event.request.person for event in events)
    store.correct(one, "upper.color", ["black", "white"], "anna")
    store.correct(one, "age", "adult", "anna")
    store.correct(one, "view", "back", "anna")
    store.correct(one, "gloves", UNKNOWN, "anna")
    store.correct(two, "carrying", [], "anna")
    store.undo_correction(store.correct(three, "gender", "female", "anna").number)
    store.correct(four, "gender", "female", "anna")
    store.link(one, two, 0.9)
    assert store.blobs is not None
    store.blobs.delete(str(store.story(four)[0].request.crop.reference))

    assert write_lessons(store, tmp_path / "data") == Written(pictures=4, people=2, corrections=4, without=1)
    samples = read_samples(tmp_path / "data" / "corrections.jsonl", "personvlm")
    by = {sample.image.read_bytes()[3:].decode(): sample for sample in samples}
    assert set(by) == {"1 5", "1 1", "1 7", "2 2"}, "each picture once, however many revisions it belongs to"
    assert {sample.identity for sample in samples} == {min(one, two)}, "linked people are one"
    assert {sample.labels for sample in samples} == {("camera=gate",)}
    best = by["1 5"].annotations
    assert (best.values()["upper.color"], best.values()["age"], best.values()["view"]) == (
        ("black", "white"), ("adult",), ("back",))  # fmt: skip
    assert "view" not in by["1 1"].annotations.known, "seen from another side, perhaps"
    assert by["1 1"].annotations.known.keys() == {"upper.color", "age"}, "nothing that nobody looked at"
    assert by["2 2"].annotations.known["carrying"] == Known(frozenset({"none"}), frozenset(
        GROUP["carrying"].columns) - {"none"})  # fmt: skip


def test_the_command_lists_and_writes_them(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from personvlm.cli.app import app

    url = str(tmp_path / "people.db")
    with Store.open(url) as opened:
        opened.add([pictured(1, red_jacket(), 1)])
        person = opened.people().items[0].request.person
        opened.correct(person, "upper.color", ["blue"], "anna")
        number = opened.correct(person, "gender", "male", "ben").number
        opened.undo_correction(number, "carl")
    run = CliRunner().invoke
    listed = run(app, ["store", "corrections", "--undone", "--store", url])
    assert listed.exit_code == 0, listed.output
    lines = listed.output.splitlines()
    assert lines[0].endswith("upper.color: blue, not red (anna)")
    assert lines[1].endswith("gender: male, not female (ben); taken back by carl")
    (one,) = json.loads(run(app, ["store", "corrections", "--json", "--store", url]).output)
    assert (one["value"], one["by"], one["said"]["value"], one["person"]) == (["blue"], "anna", ["red"], person)
    done = run(app, ["store", "corrections", "--out", str(tmp_path / "data"), "--store", url])
    assert "1 corrections of 1 people in 1 pictures" in done.output
    (sample,) = read_samples(tmp_path / "data" / "corrections.jsonl", "personvlm")
    assert (sample.identity, sample.values) == (person, {"upper.color": ("blue",)})
    with Store.open(url) as opened:
        assert opened.audited()[-1].action == "export corrections"
