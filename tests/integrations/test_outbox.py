from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from personvlm.base.errors import InputError
from personvlm.integrations.outbox import Outbox, WaitingFile, default_path, waiting_files


def drain(outbox: Outbox) -> list[str]:
    found = []
    while (message := outbox.take()) is not None:
        found.append(message.payload)
        outbox.done(message.row)
    return found


def test_messages_come_in_order_and_go_when_done() -> None:
    outbox = Outbox()
    for kind in ("new", "update", "end"):
        outbox.put("t", kind, person="a", kind=kind)
    assert len(outbox) == 2  # the end replaced the update, not the new
    assert outbox.superseded == 1
    assert drain(outbox) == ["new", "end"]
    assert len(outbox) == 0


def test_what_was_taken_and_not_done_is_there_again_after_a_restart(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put("t", "one", person="a", kind="end")
    outbox.put("t", "two", person="b", kind="end")
    assert outbox.take() is not None
    outbox.close()
    again = Outbox(tmp_path / "o.sqlite")
    assert len(again) == 2
    assert drain(again) == ["one", "two"]


def test_a_message_on_its_way_is_not_superseded() -> None:
    outbox = Outbox()
    outbox.put("t", "first", person="a", kind="update")
    message = outbox.take()
    assert message is not None
    outbox.put("t", "second", person="a", kind="update")
    outbox.put("t", "third", person="a", kind="update")
    assert (len(outbox), outbox.superseded) == (2, 1)
    outbox.done(message.row)
    assert drain(outbox) == ["third"]


def test_too_many_cost_updates_then_news_and_never_ends() -> None:
    outbox = Outbox(most=4)
    outbox.put("t", "new 0", person="0", kind="new")
    for person in range(1, 4):
        outbox.put("t", f"update {person}", person=str(person), kind="update")
    for person in range(4, 10):
        outbox.put("t", f"end {person}", person=str(person), kind="end")
    assert drain(outbox) == [f"end {person}" for person in range(4, 10)]
    assert outbox.dropped == 4
    for person in range(5):
        outbox.put("t", f"end {person}", person=str(person), kind="end")
    outbox.put("t", "late", person="x", kind="new")  # no room, and nobody it may push out
    assert drain(outbox) == [f"end {person}" for person in range(5)]
    assert outbox.dropped == 5


def test_several_threads_put_at_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    threads = [threading.Thread(target=lambda name=name: [
        outbox.put("t", f"{name} {row}", person=f"{name} {row}", kind="end") for row in range(25)])
        for name in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = drain(outbox)
    assert len(said) == len(set(said)) == 100


def test_a_file_serves_one_process(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    with pytest.raises(InputError, match="another process"):
        Outbox(tmp_path / "o.sqlite")
    outbox.close()
    Outbox(tmp_path / "o.sqlite").close()


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o.sqlite").write_bytes(b"no database at all, and long enough to be looked at " * 4)
    with pytest.raises(InputError, match="not an outbox"):
        Outbox(tmp_path / "o.sqlite")
    with sqlite3.connect(tmp_path / "other.sqlite") as base:
        base.execute("CREATE TABLE messages (name TEXT)")
    base.close()
    with pytest.raises(InputError, match="not an outbox"):
        Outbox(tmp_path / "other.sqlite")


def test_the_erased_are_erased_from_what_waits(tmp_path: Path) -> None:
    path, marked = tmp_path / "o.sqlite", "a quirkologist in red"
    outbox = Outbox(path)
    for kind in ("new", "end"):
        outbox.put("t", f"{kind}: {marked}", person="a", kind=kind)
    outbox.put("t", "somebody else", person="b", kind="end")
    assert outbox.take() is not None  # on its way, and not acknowledged
    with pytest.raises(InputError, match=r"o\.sqlite: they go when they are sent"):
        WaitingFile(path).erase(["a"])
    outbox.close()
    files = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert marked.encode() in files
    assert WaitingFile(path).erase(["a", "nobody"]) == 2
    files = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert marked.encode() not in files
    assert b"somebody else" in files
    assert drain(Outbox(path)) == ["somebody else"]
    assert WaitingFile(tmp_path / "none.sqlite").erase(["a"]) == 0
    assert not (tmp_path / "none.sqlite").exists()


def test_who_has_the_file_open_erases_in_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put("t", "a quirkologist", person="a", kind="end")
    assert (outbox.erase(["a"]), len(outbox), outbox.take()) == (1, 0, None)
    outbox.close()
    assert not any(b"quirkologist" in each.read_bytes() for each in tmp_path.iterdir())


def test_files_of_the_usual_place_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_state_path", lambda name: tmp_path / name)
    Outbox(default_path("run-host")).close()
    given = tmp_path / "given.sqlite"
    assert [each.path for each in waiting_files(given)] == [given, tmp_path / "personvlm" / "mqtt-run-host.sqlite"]
