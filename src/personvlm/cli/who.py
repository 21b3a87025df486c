"""``personvlm who``: who else somebody is, where and when."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from personvlm.base.errors import InputError, extra
from personvlm.cli.output import print_json, printable
from personvlm.cli.store import DEFAULT, MOST, At, Json, open_store, span

if TYPE_CHECKING:
    from personvlm.store.who import Other, Who
    from personvlm.video.identity import Identity

Ways = Annotated[
    Path | None, typer.Option("--cameras", metavar="FILE.yaml", help="Ways between cameras: the `identity` of `run`.")
]


def known_again(cameras: Path | None) -> Identity | None:
    """How people are known again: as a file of cameras says, or the usual; None where it says that they are not.

    Raises:
        InputError: it is no such file, or the packages for cameras are missing.
    """
    if cameras is None:
        from personvlm.video.identity import Identity

        return Identity()
    with extra("--cameras", "video"):
        from personvlm.pipeline.run_cameras import YAML, identity
    if cameras.suffix.lower() not in YAML:
        raise InputError(f"{cameras}: --cameras names a YAML file, as `personvlm run` takes it")
    return identity([str(cameras)])


def who(
    person: Annotated[str, typer.Argument(metavar="ID", help="Id of a person, as tracks and search print it.")],
    within: Annotated[
        str | None, typer.Option(metavar="2h|1d", help="Compare whom was seen so long before or after (default: 1h).")
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=MOST, help="How many people at most.")] = 5,
    cameras: Ways = None,
    store: At = DEFAULT,
    as_json: Json = False,
) -> None:
    """Who else is this, where and when: other sightings with the probability that they are the same person, by looks,
    attributes, and how long the way between cameras takes; and who is linked."""
    seconds = _seconds(within)
    with open_store(store, "who") as opened:
        from personvlm.store.who import who as asked

        known = known_again(cameras) if cameras is not None else None
        if cameras is not None and known is None:
            raise InputError(f"{cameras}: people are not told apart there: its `identity` is switched off")
        opened.audit("command line", "who", person)
        found = asked(opened, person, identity=known, within=seconds, top=limit)
    if as_json:
        print_json(report(found), indent=1)
        return
    rows = [("", "FROM", "UNTIL", "CAMERA", "PERSON", "LINK"), *(_row(each) for each in found.others)]
    wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows if found.others else ():
        print("  ".join(cell.rjust(wide[0]) if column == 0 else cell.ljust(wide[column])
                        for column, cell in enumerate(row)).rstrip())  # fmt: skip
    print(f"{found.nobody:.0%} nobody else of those who were compared")


def report(found: Who) -> dict[str, object]:
    """An answer fit for JSON; other programs rely on it."""
    return {"person": found.person, "others": [asdict(each) for each in found.others], "nobody": found.nobody}


def _row(each: Other) -> tuple[str, ...]:
    first, last = datetime.fromtimestamp(each.first_seen), datetime.fromtimestamp(each.last_seen)
    link = "" if each.link is None else f"{each.link} by {each.linked_by} ({each.linked or 0.0:.0%})"
    link += f"{', ' if link else ''}also {' '.join(each.also)}" if each.also else ""
    return ("-" if each.probability is None else f"{each.probability:.0%}", f"{first:%Y-%m-%d %H:%M:%S}",
            f"{last:%H:%M:%S}", printable(f"{each.camera} #{each.track}"), each.person, printable(link))  # fmt: skip


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    seconds = span(text)
    if not seconds:
        raise InputError(f"{text!r} is no time; give 30m, 2h, 1d")
    return seconds
