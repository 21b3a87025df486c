"""``personvlm frigate``: describe the people whom Frigate follows, and write the words back to it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from personvlm.base.errors import InputError, extra
from personvlm.cli.describe import Model, NoAge, NoGender, Quiet, Saying
from personvlm.cli.output import print_json, printable

if TYPE_CHECKING:
    from personvlm.integrations.frigate_events import Told

_PASSWORD = "PERSONVLM_FRIGATE_PASSWORD"


def frigate(
    mqtt: Annotated[str, typer.Option(metavar="URL", help="The broker: mqtt://[user:password@]host[:port][/prefix].")],
    url: Annotated[
        str,
        typer.Option("--frigate", metavar="URL", help=f"http://host:5000; or https://user@host:8971 and {_PASSWORD}."),
    ],
    topic: Annotated[str, typer.Option(help="Frigate's own topic prefix.")] = "frigate",
    camera: Annotated[list[str] | None, typer.Option(help="Only this camera (may be given several times).")] = None,
    since: Annotated[str, typer.Option(help="Also describe who came so long ago and was not described: 1h.")] = "0s",
    sub_label: Annotated[bool, typer.Option(help="Name people in a few words, unless they have a name.")] = True,
    attributes: Annotated[
        bool, typer.Option(help="Set the attributes of Frigate's custom classifiers; clears what they found.")
    ] = False,
    publish: Annotated[bool, typer.Option(help="Publish PREFIX/CAMERA/person and tell Home Assistant.")] = True,
    insecure: Annotated[bool, typer.Option("--insecure", help="Take any certificate of Frigate's.")] = False,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Keep people here, for `personvlm search`.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Append every event to this file, one per line.")] = None,
    as_jsonl: Annotated[bool, typer.Option("--json", help="Print every event as one line of JSON.")] = False,
    say: Saying = "confident",
    no_gender: NoGender = False,
    no_age: NoAge = False,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Describe people while Frigate follows them. Runs until Ctrl-C."""
    from personvlm.integrations.frigate import Bridge, Following
    from personvlm.integrations.frigate_api import Address, Frigate
    from personvlm.integrations.frigate_listen import Listener
    from personvlm.integrations.mqtt import Broker, publishing
    from personvlm.runtime.describer import Describer
    from personvlm.runtime.tracks import TrackModel

    def note(text: str) -> None:
        if not quiet:
            print(f"personvlm: {printable(text)}", file=sys.stderr, flush=True)

    broker = Broker.parse(mqtt)
    broker.client()  # says now that paho is missing, not after the model was loaded
    seconds = _seconds(since)
    api = Frigate(Address.parse(url, check=not insecure, password=os.environ.get(_PASSWORD)))
    following = Following(sub_label=sub_label, attributes=attributes, keep_crops=store is not None,
                          cameras=frozenset(camera or ()))  # fmt: skip
    describer = TrackModel(Describer.load(model), say=say, gender=not no_gender, age=not no_age)
    with contextlib.ExitStack() as stack:
        tellers: list[Callable[[Told], None]] = []
        if store is not None:
            tellers.append(_storing(store, stack))
        if publish:
            published = stack.enter_context(publishing(mqtt, None, name="frigate", cameras=camera or (), report=note))
            tellers.append(lambda told: published(told.record()))
        if jsonl is not None:
            file = stack.enter_context(jsonl.open("a", encoding="utf-8"))
            tellers.append(lambda told: print(json.dumps(told.record(), ensure_ascii=False), file=file, flush=True))
        if as_jsonl:
            tellers.append(lambda told: print_json(told.record()))
        elif not quiet:
            tellers.append(lambda told: print(printable(_line(told)), flush=True))

        def tell(told: Told) -> None:
            for one in tellers:
                one(told)

        over = stack.enter_context(_until_interrupted())
        bridge = Bridge(api, describer, tell, following, note)
        listener = Listener(broker, bridge, topic=topic, since=seconds, report=note)
        note(f"follows {broker.host}:{broker.port} {topic}/events, writes to {api.address.base}")
        while not over.wait(0.5) and bridge.working:
            pass
        listener.close()
        bridge.close()
    note(", ".join(f"{count} {name}" for name, count in dataclasses.asdict(bridge.counts).items() if count) or "nobody")


def _line(told: Told) -> str:
    again = " (again)" if told.same_as else ""
    text = told.described.description.text or "nothing is certain enough to be said"
    return f"{told.described.request.camera} {told.event} {told.kind}{again}: {text}"


def _storing(url: str, stack: contextlib.ExitStack) -> Callable[[Told], None]:
    with extra("`personvlm frigate --store`", "service"):
        from sqlalchemy.exc import InterfaceError, OperationalError

        from personvlm.alerts.engine import Alerts
        from personvlm.store import Store
    from personvlm.integrations.frigate_api import AwayError

    store = Store.open(url)
    stack.callback(store.close)
    alerts = Alerts(store)

    def keep(told: Told) -> None:
        try:
            with store.begin() as connection:
                store.add([told.described], connection)
                alerts.observe([told.described], connection)
        except (OperationalError, InterfaceError) as error:
            raise AwayError(f"the store: {str(error.orig).splitlines()[0]}") from None

    return keep


def _seconds(text: str) -> float:
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    try:
        value = float(text[:-1]) * units[text[-1:]]
    except (ValueError, KeyError):
        raise InputError(f"--since {text}: give a number and s, m, h or d, as in 90m") from None
    if not 0 <= value < 1e9:
        raise InputError(f"--since {text}: give a time of zero or more")
    return value


@contextlib.contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C, and by whoever ends the service."""
    over = threading.Event()
    try:
        before = {number: signal.signal(number, lambda *_: over.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: somebody else handles signals
        yield over
        return
    try:
        yield over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
