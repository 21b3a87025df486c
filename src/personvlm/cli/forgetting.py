"""``personvlm erase`` and ``personvlm store sweep``: people are forgotten, on demand or because it is time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from personvlm.cli.output import print_json
from personvlm.cli.store import DEFAULT, At, BlobsAt, Yes, open_store

QueueAt = Annotated[str | None, typer.Option("--queue", metavar="URL", help="A queue elsewhere that may hold them.")]
CacheAt = Annotated[
    str | None, typer.Option("--cache", metavar="redis://", help="A cache of latest descriptions.")
]  # fmt: skip


def erase(
    people: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of people.")],
    identity: Annotated[bool, typer.Option("--identity", help="And everybody who is linked with them.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit and the receipt.")] = "",
    queue: QueueAt = None,
    cache: CacheAt = None,
    mqtt_outbox: Annotated[
        list[Path] | None,
        typer.Option(help="Where messages wait for an MQTT broker, beside the usual places (may be repeated)."),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Leave overwriting free space to `store scrub`.")] = False,
    yes: Yes = False,
    store: At = DEFAULT,
    blobs: BlobsAt = None,
) -> None:
    """Forget people: descriptions, vectors, pictures, search rows, alerts, queue, cache, what waits for an MQTT broker.
    Prints a receipt as JSON."""
    with open_store(store, "erase", blobs=blobs) as opened:
        if not yes:
            typer.confirm(f"Erase {len(people)} {'person' if len(people) == 1 else 'people'} for good?", abort=True,
                          err=True)  # fmt: skip
        from personvlm.integrations.outbox import waiting_files
        from personvlm.pipeline.erase import erase as everywhere

        receipt = everywhere(opened, people, identity=identity, actor="command line", reason=reason, queue=queue,
                             cache=cache, elsewhere=waiting_files(*(mqtt_outbox or ())), scrub=not fast)  # fmt: skip
    print_json(vars(receipt), indent=1)


def sweep(
    store: At = DEFAULT,
    blobs: BlobsAt = None,
    queue: QueueAt = None,
    cache: CacheAt = None,
    dead_days: Annotated[
        float, typer.Option(min=0.001, help="Drop dead letters after so many days, where their camera says nothing.")
    ] = 30.0,
    scrub: Annotated[bool, typer.Option("--scrub", help="Overwrite free space too, if anything was erased.")] = False,
) -> None:
    """Erase who is older than `store keep` says, dead letters too, and pictures that have expired. Run it every day."""
    with open_store(store, "store sweep", blobs=blobs) as opened:
        from personvlm.pipeline.retention import sweep as everywhere
        from personvlm.store.hot import with_cache

        done = everywhere(with_cache(opened, cache), queue, dead_days=dead_days, scrub=scrub)
    print_json({"people": done.people, "pictures": done.pictures, "expired": done.expired, "dead": done.dead,
                "left": done.left})  # fmt: skip
