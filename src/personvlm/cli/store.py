"""``personvlm tracks``, ``show`` and ``store``: the people of a store, one by one and all together."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.base.errors import InputError, extra
from personvlm.cli.describe import Quiet
from personvlm.cli.output import print_json, printable
from personvlm.cli.progress import progress

if TYPE_CHECKING:
    from sqlalchemy import URL

    from personvlm.schema import Described
    from personvlm.store import Store
    from personvlm.store.reading import Filters

app = typer.Typer(help="Look after a store: its tables, what is kept, the audit, exports.", no_args_is_help=True)

At = Annotated[str, typer.Option("--store", envvar="PERSONVLM_STORE", metavar="FILE|URL", help="Where people are.")]
BlobsAt = Annotated[str | None, typer.Option("--blobs", metavar="DIR|URL", help="Where their pictures are.")]
Camera = Annotated[list[str] | None, typer.Option("--camera", help="Only people on this camera (may be repeated).")]
Since = Annotated[str | None, typer.Option(metavar="1h|2026-05-01T08:00", help="Seen since then, or so long ago.")]
Until = Annotated[str | None, typer.Option(metavar="1h|2026-05-01T08:00", help="Seen until then.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DEFAULT = "personvlm.db"
MOST = 100_000
"""People or rows that a command lists at most."""

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def open_store(url: str, command: str, *, blobs: str | None = None, upgrade: bool | None = None) -> Store:
    """The store at ``url``, which must be there: a mistyped path is no empty store.

    Raises:
        InputError: it is not there, or a package is missing.
    """
    with extra(f"`personvlm {command}`", "service"):
        from personvlm.store import Store
        from personvlm.store.database import as_url
    must_exist(as_url(url))
    return Store.open(url, blobs=blobs, upgrade=upgrade)


def must_exist(where: URL) -> None:
    """Raise ``InputError`` where the file of a store is not there."""
    if where.get_backend_name() == "sqlite" and not Path(where.database or "").is_file():
        raise InputError(f"{where.database}: no store there; `personvlm run ... --store {where.database}` makes one")


def span(text: str) -> float | None:
    """Seconds of ``30m``, ``2h``, ``1d``; None where it is not written so, or is longer than can be told."""
    found = _AGO.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else inf
    return seconds if isfinite(seconds) else None


def moment(text: str | None) -> float | None:
    """Seconds since the epoch of ``1h`` (ago), or of a date with or without time, in local time unless it says.

    Raises:
        InputError: it is neither.
    """
    if text is None:
        return None
    ago = span(text)
    if ago is not None:
        return time.time() - ago
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        raise InputError(f"{text[:80]!r} is no time; give 30m, 2h, 1d, or 2026-05-01T08:00") from None


def filters(camera: list[str] | None, since: str | None, until: str | None) -> Filters:
    """What the options say, as the store takes it."""
    from personvlm.store.reading import Filters

    return Filters(cameras=tuple(camera or ()), since=moment(since), until=moment(until))


def given(**options: object) -> dict[str, Any]:
    """What was asked for, for the audit."""
    return {name: value for name, value in options.items() if value}


def line(one: Described) -> str:
    """One person on one line."""
    at = datetime.fromtimestamp(one.request.frame_time)
    return printable(f"{at:%Y-%m-%d %H:%M:%S}  {one.request.camera} #{one.request.track_id}  {one.request.person}  "
                     f"{one.description.text}")  # fmt: skip


def tracks(
    camera: Camera = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=MOST, help="How many at most.")] = 20,
    cameras: Annotated[bool, typer.Option("--cameras", help="List cameras instead.")] = False,
    store: At = DEFAULT,
    as_json: Json = False,
) -> None:
    """List people, who was seen last first."""
    with open_store(store, "tracks") as opened:
        from personvlm.store.export import record

        if cameras:
            _print_cameras(opened, as_json)
            return
        opened.audit("command line", "list", "people", given(camera=camera, since=since, until=until))
        found = opened.people(filters(camera, since, until), limit=limit).items
    if as_json:
        print_json([record(one) for one in found], indent=1)
    for one in () if as_json else found:
        print(line(one))


def _print_cameras(store: Store, as_json: bool) -> None:
    found = store.cameras()
    if as_json:
        print_json([vars(camera) for camera in found], indent=1)
        return
    for camera in found:
        seen = camera.last_seen
        last = "nobody yet" if seen is None else f"{datetime.fromtimestamp(seen):%Y-%m-%d %H:%M}"
        kept = "for ever" if camera.keep_days is None else f"{camera.keep_days:g} days"
        pictures = "no pictures" if not camera.keep_crops else (
            "" if camera.crop_days is None else f"pictures {camera.crop_days:g} days"
        )  # fmt: skip
        print(printable(f"{camera.name}: {camera.people} people, last {last}, kept {kept} {pictures}".rstrip()))


def show(
    person: Annotated[str, typer.Argument(metavar="ID", help="Id of a person, as tracks and search print it.")],
    pictures: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the pictures into this folder.")] = None,
    store: At = DEFAULT,
    blobs: BlobsAt = None,
    as_json: Json = False,
) -> None:
    """Everything that was said about one person, revision by revision, with links and pictures."""
    with open_store(store, "show", blobs=blobs) as opened:
        from personvlm.store.export import record

        story = opened.story(person)
        if not story:
            raise InputError(f"no person {person!r} in {store}; `personvlm tracks` lists them")
        opened.audit("command line", "view", person, given(pictures=pictures is not None))
        links = opened.links(person)
        written = [] if pictures is None else _write_pictures(opened, story[-1], pictures)
    if as_json:
        print_json({"story": [record(one) for one in story], "links": [vars(link) for link in links],
                    "pictures": [str(path) for path in written]}, indent=1)  # fmt: skip
        return
    for one in story:
        print(f"{one.request.revision}. {line(one)}")
    for name, item in story[-1].description.attributes.items():
        print(f"   {name}: {', '.join(item.values)} ({item.confidence:.0%})")
    for link in links:
        other = link.other if link.one == person else link.one
        print(f"   same person as {other} ({link.probability:.0%})")
    for path in written:
        print(printable(f"   {path}"))


def _write_pictures(store: Store, one: Described, folder: Path) -> list[Path]:
    if store.blobs is None:
        raise InputError("this store keeps its pictures elsewhere: name the place with --blobs")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, crop in enumerate(one.request.crops):
        if crop.reference is not None:
            path = folder / f"{one.request.person}-{number}.jpg"
            path.write_bytes(store.blobs.get(crop.reference))
            written.append(path)
    return written


@app.command("unlink")
def unlink(
    one: Annotated[str, typer.Argument(metavar="A", help="Id of a person.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Id of another, linked with the first.")],
    store: At = DEFAULT,
) -> None:
    """Say that two people who are linked are not the same; nothing links them again."""
    with open_store(store, "store unlink") as opened, opened.begin() as connection:
        opened.undo(one, other, "command line", connection)
        opened.audit("command line", "unlink", one, {"other": other}, connection)


@app.command("upgrade")
def upgrade(
    to: Annotated[str | None, typer.Option(metavar="VERSION", help="Another version than this program's.")] = None,
    store: At = DEFAULT,
) -> None:
    """Bring the tables of a database to this program's version. Stop workers first."""
    with extra("`personvlm store upgrade`", "service"):
        from personvlm.store import database, migrate
    must_exist(database.as_url(store))
    engine = database.connect(store, upgrade=True)
    if to is not None:
        migrate.move(engine, to)
    print(f"version {to or migrate.HEAD}")


@app.command("keep")
def keep(
    camera: Annotated[str, typer.Argument(help="Name of the camera.")],
    days: Annotated[float | None, typer.Option(help="`store sweep` erases people seen so many days ago.")] = None,
    crop_days: Annotated[float | None, typer.Option(help="Delete their pictures after so many days.")] = None,
    crops: Annotated[
        bool | None, typer.Option("--crops/--no-crops", help="Keep pictures from now on, or none.", show_default=False)
    ] = None,
    store: At = DEFAULT,
) -> None:
    """Say how long a camera's people are kept. What is not named stays as it is; without options, all for ever."""
    with open_store(store, "store keep") as opened:
        was = next((each for each in opened.cameras() if each.name == camera), None)
        if was is not None and (days, crop_days, crops) != (None, None, None):
            days = was.keep_days if days is None else days
            crop_days = was.crop_days if crop_days is None else crop_days
            crops = was.keep_crops if crops is None else crops
        crops = crops is not False
        opened.keep(camera, days=days, crop_days=crop_days, crops=crops)
        opened.audit("command line", "keep", camera, {"days": days, "crop_days": crop_days, "crops": crops})
        _print_cameras(opened, as_json=False)


@app.command("scrub")
def scrub(store: At = DEFAULT) -> None:
    """Overwrite the free space of the database, where bytes of erased people may stand. Prints what remains."""
    with open_store(store, "store scrub") as opened:
        print_json({"remaining": opened.scrub()})


@app.command("audit")
def audit(
    after: Annotated[int, typer.Option(min=0, max=10**15, help="Only rows with a higher number.")] = 0,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=MOST, help="How many at most.")] = 100,
    last_hash: Annotated[str | None, typer.Option(help="Hash of a row seen before: it must still be there.")] = None,
    store: At = DEFAULT,
) -> None:
    """Print who did what, one JSON object per line, and check that no row was changed. Exit status 1 if one was."""
    with open_store(store, "store audit") as opened:
        for entry in opened.audited(after, limit):
            print_json(vars(entry))
        problem = opened.verify_audit(last_hash)
    if problem is not None:
        print(f"personvlm: error: {problem}", file=sys.stderr)
        raise typer.Exit(1)


@app.command("export")
def export(
    form: Annotated[
        Literal["jsonl", "csv", "parquet", "onvif", "coco", "fiftyone", "labelstudio"],
        typer.Option("--format", help="How. coco, fiftyone and labelstudio: a folder with pictures."),
    ] = "jsonl",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE|DIR", help="Where to (default: stdout); a new folder for pictures.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Every revision, not only what holds.")] = False,
    address: Annotated[
        str | None, typer.Option(metavar="URL", help="labelstudio: where it finds pictures (default: local storage).")
    ] = None,
    camera: Camera = None,
    since: Since = None,
    until: Until = None,
    store: At = DEFAULT,
    blobs: BlobsAt = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Write people for other programs. The audit of the store tells who took what out."""
    from personvlm.cli.store_export import FOLDERS, exporter

    if form in FOLDERS and out is None:
        raise typer.BadParameter(f"--format {form} writes a folder: name it with --out")
    if form in FOLDERS and history:
        raise typer.BadParameter(f"--format {form} holds each person once; leave --history out")
    if address is not None and form != "labelstudio":
        raise typer.BadParameter("--address is for --format labelstudio")
    with open_store(store, "store export", blobs=blobs) as opened:
        asked = filters(camera, since, until)
        write = exporter(opened, form, out, address)
        opened.audit("command line", "export", "people", {
            "format": form, "history": history, "cameras": list(asked.cameras), "since": asked.since,
            "until": asked.until, "out": None if out is None else str(out),
        })  # fmt: skip
        everything = opened.history(asked.since, asked.until, asked.cameras)  # begins when it is read
        found = everything if history else _everybody(opened, asked)
        count, without = write(progress(found, opened.last_number(), "Exporting", quiet=quiet))
    if out is not None and not quiet:
        left = f"; of {without} more no picture is kept" if without else ""
        print(printable(f"{count} people in {out}{left}"), file=sys.stderr)


@app.command("corrections")
def corrections(
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write them here with pictures, to train on.")] = None,
    person: Annotated[str | None, typer.Option(metavar="ID", help="List only this person's.")] = None,
    undone: Annotated[bool, typer.Option("--undone", help="List those that were taken back, too.")] = False,
    store: At = DEFAULT,
    blobs: BlobsAt = None,
    as_json: Json = False,
) -> None:
    """List what people put right on the person page; or write it as data for `personvlm adapt --data`."""
    if out is not None and (person or undone or as_json):
        raise typer.BadParameter("--out writes everything that holds; --person, --undone and --json are of the list")
    with open_store(store, "store corrections", blobs=blobs) as opened:
        if out is not None:
            from personvlm.store.lessons import FILE, write_lessons

            opened.audit("command line", "export corrections", "people")
            done = write_lessons(opened, out)
            print(printable(f"{out / FILE}: {done.corrections} corrections of {done.people} people in {done.pictures} "
                            f"pictures; of {done.without} more no picture is kept"))  # fmt: skip
            return
        opened.audit("command line", "list corrections", person or "people")
        found = opened.corrections(person, undone=undone)
    if as_json:
        print_json([asdict(each) | {"said": each.said and each.said.model_dump()} for each in found], indent=1)
    for each in () if as_json else found:
        at, value = datetime.fromtimestamp(each.at), [each.value] if isinstance(each.value, str) else each.value
        said = "nothing" if each.said is None else ", ".join(each.said.values)
        back = "" if each.undone_by is None else f"; taken back by {each.undone_by}"
        print(printable(f"{each.number}. {at:%Y-%m-%d %H:%M:%S}  {each.camera} {each.person}  {each.group}: "
                        f"{', '.join(value) or 'none'}, not {said} ({each.by}){back}"))  # fmt: skip


def _everybody(store: Store, asked: Filters) -> Iterator[Described]:
    place: str | None = None
    while True:
        page = store.people(asked, after=place, limit=500)
        yield from page.items
        place = page.next
        if place is None:
            return
