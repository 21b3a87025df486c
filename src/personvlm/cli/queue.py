"""``personvlm queue``: what waits, what is dead, and another chance for it."""

from __future__ import annotations

import base64
import sys
import time
from datetime import datetime
from typing import Annotated, Any

import typer

from personvlm.cli.output import print_json, print_table, printable
from personvlm.cli.store import moment


def queue(
    url: Annotated[str, typer.Argument(metavar="URL", help="SQLite file, postgresql://, redis://, amqp://.")],
    dead: Annotated[bool, typer.Option("--dead", help="List dead letters, the oldest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of them.")] = 100,
    payload: Annotated[bool, typer.Option("--payload", help="With --dead --json: their messages too.")] = False,
    replay: Annotated[
        list[str] | None, typer.Option(metavar="EVENT", help="Let this dead letter wait again (may be repeated).")
    ] = None,
    replay_all: Annotated[bool, typer.Option("--replay-all", help="Let all dead letters wait again.")] = False,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="EVENT", help="Delete this dead letter for good (may be repeated).")
    ] = None,
    drop_older: Annotated[
        str | None, typer.Option(metavar="7d|12h", help="Delete dead letters for good that died so long ago.")
    ] = None,
    blobs: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Where pictures of dropped letters lie; else they expire.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print depth and counters of a queue; list dead letters, replay or drop them."""
    if drop and drop_older is not None:
        raise typer.BadParameter("choose one of --drop and --drop-older")
    since = moment(drop_older)
    older_s = 0.0 if since is None else time.time() - since
    if older_s < 0:
        raise typer.BadParameter(f"--drop-older {drop_older}: that is yet to come")
    from personvlm.events import open_queue
    from personvlm.events.port import COUNTERS

    place = None
    if blobs is not None:
        from personvlm.store import Blobs

        place = Blobs.open(blobs)
    opened = open_queue(url, blobs=place)
    try:
        answer: dict[str, Any] = {}
        if drop or drop_older is not None:
            answer["dropped"] = opened.drop_dead(drop or None, older_s=older_s)
        if replay or replay_all:
            answer["replayed"] = opened.replay(None if replay_all else replay)
        stats = opened.stats()
        answer |= {"waiting": dict(stats.waiting), "leased": stats.leased, "dead": stats.dead,
                   "oldest_s": round(stats.oldest_s, 3), "accepted": stats.accepted, "acked": stats.acked,
                   "superseded": stats.superseded, "shed": stats.shed, "erased": stats.erased,
                   "counts_of": "all" if opened.capabilities.counts else "this process"}  # fmt: skip
        if dead:
            answer["letters"] = [
                {"event_id": letter.event_id, "reason": letter.reason, "attempts": letter.attempts,
                 "died_at": letter.died_at,
                 **({"payload": base64.b64encode(letter.payload).decode()} if payload else {})}
                for letter in opened.dead(limit)
            ]  # fmt: skip
    finally:
        opened.close()
    if as_json:
        print_json(answer, indent=1)
        return
    if "dropped" in answer:
        print(f"{answer['dropped']} dead letters are gone for good")
    if "replayed" in answer:
        print(f"{answer['replayed']} dead letters wait again")
    rows = {**{f"waiting: {name}": count for name, count in stats.waiting.items()}, "leased": stats.leased,
            "dead": stats.dead, "oldest, seconds": round(stats.oldest_s, 1)}  # fmt: skip
    if opened.capabilities.counts:
        rows |= {name: answer[name] for name in COUNTERS}
    print_table("", {name: (str(value),) for name, value in rows.items()}, ("", "events"))
    for letter in answer.get("letters", ()):
        when = datetime.fromtimestamp(letter["died_at"]).isoformat(" ", "seconds")
        print(f"{when}  {printable(letter['event_id'])}  attempt {letter['attempts']}: {printable(letter['reason'])}")
    if stats.dead and not dead:
        print(f"personvlm: {stats.dead} dead letters; see them with --dead", file=sys.stderr)
