"""``personvlm alerts``: rules over the people of a store, what they raised, and where it is sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from personvlm.base.errors import InputError, extra
from personvlm.cli.describe import NoAge, NoGender, Quiet
from personvlm.cli.output import print_json, print_table, printable
from personvlm.cli.store import DEFAULT, MOST, At, Camera, Json, Since, Until, moment, open_store

if TYPE_CHECKING:
    from personvlm.alerts.engine import Alerts, StoredRule
    from personvlm.alerts.rule import Rule
    from personvlm.store import Store

app = typer.Typer(help="Rules that raise alerts, and where those go.", no_args_is_help=True)

Zone = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="Of its times, as in Europe/Berlin (default: the machine's)."),
]
Text = Annotated[str, typer.Argument(metavar="RULE", help="A rule, or with --plain a sentence.")]
Plain = Annotated[bool, typer.Option("--plain", help="The rule is given as a sentence.")]


def _alerts(url: str, *, make: bool = False) -> Alerts:
    """Over a store that is there, or with ``make`` one that may be made: rules may come before people."""
    if make:
        open_new(url)
    store = open_store(url, "alerts")
    from personvlm.alerts.engine import Alerts

    return Alerts(store)


def open_new(url: str) -> None:
    """Make the store at ``url`` if it is not there. Raises InputError where it cannot be, or a package is missing."""
    with extra("`personvlm alerts`", "service"):
        from personvlm.store import Store
    Store.open(url).close()


def _understood(text: str, plain: bool, zone: str | None, store: Store, quiet: bool) -> Rule:
    """The rule, and on stderr what became of a sentence, and whose times are meant where nobody said so."""
    rule = _parsed(text, plain, zone, store, quiet)
    if rule.timed and rule.zone is None and not quiet:
        print("personvlm: its times are those of whatever machine judges it; --timezone Europe/Berlin sets them",
              file=sys.stderr)  # fmt: skip
    return rule


def _parsed(text: str, plain: bool, zone: str | None, store: Store, quiet: bool) -> Rule:
    from personvlm.alerts.grammar import parse_rule
    from personvlm.alerts.plain import compile_words

    if not plain:
        try:
            return parse_rule(text, zone)
        except InputError as error:
            sentence = '"' not in text and len(text.split()) > 2
            raise InputError(f"{error}{'; for a sentence give --plain' if sentence else ''}") from None
    compiled = compile_words(text, [camera.name for camera in store.cameras()])
    rule = parse_rule(str(compiled.rule), zone)
    if not quiet:
        print(f"personvlm: understood as: {rule}", file=sys.stderr)
    if compiled.ignored:
        print(f"personvlm: not understood, and left out: {', '.join(compiled.ignored)}", file=sys.stderr)
    for note in () if quiet else compiled.notes:
        print(f"personvlm: {note}", file=sys.stderr)
    return rule


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Of the rule: small letters, digits, - and _.")],
    text: Text,
    plain: Plain = False,
    zone: Zone = None,
    channel: Annotated[list[str] | None, typer.Option(help="Who is told (`alerts channel` adds one).")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Change the rule of this name.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --plain: save what was understood without asking.")] = False,
    store: At = DEFAULT,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put a rule in force. A sentence is shown as the rule that it became, and saved when that is confirmed."""
    alerts = _alerts(store, make=True)
    rule = _understood(text, plain, zone, alerts.store, quiet and (yes or not plain))
    if plain and not yes:
        if not sys.stdin.isatty():
            raise InputError("a rule made from a sentence is saved only when somebody has seen it: add --yes")
        if not typer.confirm("Save it?", err=True):
            raise typer.Exit(1)
    if not quiet:
        for note in _doubtful(rule, alerts.store):
            print(f"personvlm: warning: {note}", file=sys.stderr)
    saved = alerts.add_rule(name, str(rule), channels=channel or (), words=text if plain else None, replace=replace)
    if as_json:
        print_json(_told(saved))
    elif not quiet:
        print(f"{saved.name}: {saved.rule}")


def _told(saved: StoredRule) -> dict[str, Any]:
    return {"name": saved.name, "rule": str(saved.rule), "timezone": saved.rule.zone, "words": saved.words,
            "channels": saved.channels}  # fmt: skip


def _doubtful(rule: Rule, store: Store) -> list[str]:
    """What nothing fits so far: cameras that nobody was seen by, and values that the shipped model was not taught."""
    from personvlm.alerts.rule import attributes, named_cameras
    from personvlm.runtime.calibration import Calibration
    from personvlm.runtime.describer import shipped
    from personvlm.schema import GROUP

    known = [camera.name for camera in store.cameras()]
    notes = [f"no camera is called {name!r} so far; there are {', '.join(known)}"
             for name in named_cameras(rule.condition) if known and name not in known]  # fmt: skip
    taught = Calibration.load(shipped()).taught if shipped().is_dir() else None
    asked = {(has.group, leaf) for has in attributes(rule.condition)
             for value in has.values for leaf in GROUP[has.group].leaves(value)}  # fmt: skip
    return notes + [f"the model that ships was not taught {value!r} of {group}: it never finds it"
                    for group, value in sorted(asked) if taught and value not in taught.get(group, ())]  # fmt: skip


@app.command()
def rules(store: At = DEFAULT, as_json: Json = False) -> None:
    """The rules that are there."""
    found = _alerts(store).rules()
    if as_json:
        print_json([{**_told(each), "enabled": each.enabled} for each in found])
    elif found:
        print_table("Rules", {each.name: (str(each.rule), ", ".join(each.channels) or "nobody",
                                          "yes" if each.enabled else "rests") for each in found},
                    ("name", "rule", "tells", "in force"))  # fmt: skip
    else:
        print("No rules. `personvlm alerts add NAME RULE` makes one.")


@app.command()
def remove(name: str, store: At = DEFAULT, quiet: Quiet = False) -> None:
    """Take a rule out of force. Its alerts stay."""
    _alerts(store).remove_rule(name)
    if not quiet:
        print(f"removed {name}")


@app.command()
def pause(name: str, store: At = DEFAULT) -> None:
    """Let a rule rest."""
    _alerts(store).enable_rule(name, False)


@app.command()
def resume(name: str, store: At = DEFAULT) -> None:
    """Wake a rule that rests."""
    _alerts(store).enable_rule(name, True)


@app.command()
def channel(
    name: Annotated[str, typer.Argument(help="Of the channel.")],
    url: Annotated[str, typer.Argument(help="https://… for a signed webhook, or what Apprise speaks: mailto://… .")],
    secret: Annotated[str | None, typer.Option(help="Signs webhooks (default: one is made and printed once).")] = None,
    private: Annotated[bool, typer.Option("--private", help="The address may lie in a private network.")] = False,
    store: At = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add somebody who is told. `alerts remove-channel NAME` takes it away."""
    alerts = _alerts(store, make=True)
    from personvlm.alerts.engine import Channel
    from personvlm.alerts.webhook import new_secret

    made = Channel(name, url, secret, private)
    if made.webhook and secret is None:
        made = Channel(name, url, new_secret(), private)
    alerts.add_channel(made)
    if as_json:
        print_json({"name": name, "webhook": made.webhook, "secret": made.secret if secret is None else None})
    elif made.webhook and secret is None:
        print(f"{name}: signed with {made.secret}\n(this is shown once; the receiver needs it)")


@app.command("remove-channel")
def remove_channel(name: str, store: At = DEFAULT) -> None:
    """Remove a channel. What waits for it is given up."""
    _alerts(store).remove_channel(name)


@app.command()
def channels(store: At = DEFAULT, as_json: Json = False) -> None:
    """Who is told. Secrets are not shown, nor what stands behind the host of an address."""
    found = [(each.name, f"{each.url.split('://')[0]}://…", each.private) for each in _alerts(store).channels()]
    if as_json:
        print_json([dict(zip(("name", "kind", "private"), each, strict=True)) for each in found])
    else:
        print_table("Channels", {name: (kind, "yes" if private else "no") for name, kind, private in found},
                    ("name", "kind", "private network allowed"))  # fmt: skip


@app.command("dry-run")
def dry_run(
    text: Text,
    plain: Plain = False,
    since: Since = None,
    until: Until = None,
    camera: Camera = None,
    zone: Zone = None,
    store: At = DEFAULT,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What a rule would have raised in the past, and how right that would have been. Nothing is saved or sent."""
    alerts = _alerts(store)
    from personvlm.alerts.judge import CROPS

    rule = _understood(text, plain, zone, alerts.store, quiet)
    alerts.store.audit("command line", "dry run", text, {"since": since, "until": until, "camera": camera})
    history = alerts.store.history(since=moment(since), until=moment(until), cameras=camera or ())
    found = alerts.dry_run(str(rule), history)
    if as_json:
        print_json({"rule": str(rule), **found.record()}, indent=1)
        return
    for alert in found.alerts:
        print(printable(f"{_time(alert.raised_at)} {alert.camera} {alert.probability:.0%} {alert.text}"))
    if found.precision is not None and found.interval is not None:
        low, high = found.interval
        print(f"{len(found.alerts)} alerts about {found.people} people; {found.precision:.0%} of them are expected "
              f"to be right ({low:.0%} to {high:.0%}), and {found.missed:.1f} people who fit to be missed")  # fmt: skip
    else:
        print(f"no alert; {found.people} people, of whom {found.missed:.1f} are expected to fit")
        if found.fitting:
            needed = rule.crops or CROPS
            print(f"{found.fitting} descriptions fit, but nobody on enough evidence ({needed})")
    if found.per_day is not None:
        print(f"{found.per_day:.1f} alerts a day")


@app.command("list")
def list_(
    state: Annotated[
        Literal["raised", "updated", "acknowledged", "closed"] | None, typer.Option(help="(default: all but closed)")
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Only of this rule, closed ones too.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="At most.")] = 100,
    store: At = DEFAULT,
    as_json: Json = False,
) -> None:
    """Alerts, the latest first."""
    alerts = _alerts(store)
    alerts.store.audit("command line", "list", "alerts", {"state": state, "rule": rule})
    found = alerts.alerts(state=state, rule=rule, limit=limit)
    if as_json:
        print_json([alert.record() for alert in found], indent=1)
        return
    for alert in found:
        note = "" if alert.holds else " (no longer fits)"
        print(printable(f"{alert.id[:8]} {_time(alert.raised_at)} {alert.state:12} {alert.rule} {alert.camera} "
                        f"{alert.probability:.0%} {alert.text}{note}"))  # fmt: skip


@app.command()
def ack(
    id: Annotated[str, typer.Argument(help="Of an alert, or its beginning.")],
    by: Annotated[str, typer.Option(help="Who looks after it.", envvar="USER")] = "somebody",
    store: At = DEFAULT,
    as_json: Json = False,
) -> None:
    """Say that somebody looks after an alert. It is closed when the person has left."""
    _tell(_alerts(store).acknowledge(id, by), as_json)


@app.command()
def close(
    id: Annotated[str, typer.Argument(help="Of an alert, or its beginning.")],
    store: At = DEFAULT,
    as_json: Json = False,
) -> None:
    """End an alert."""
    _tell(_alerts(store).close(id), as_json)


@app.command()
def deliver(
    once: Annotated[bool, typer.Option("--once", help="Send what is due, and end.")] = False,
    revive: Annotated[bool, typer.Option("--revive", help="First take up again what was given up.")] = False,
    blur: Annotated[list[str] | None, typer.Option(
        metavar="CAMERA", help="Blur its crops where heads usually are; * is all.")] = None,
    hide: Annotated[list[str] | None, typer.Option(metavar="CAMERA", help="Never send its crops; * is all.")] = None,
    no_gender: NoGender = False,
    no_age: NoAge = False,
    blobs: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Where crops lie (default: beside a SQLite store).")
    ] = None,
    store: At = DEFAULT,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send alerts, until stopped. Several may run at a time. Exit status 1 with --once if something was not taken."""
    import signal
    import threading

    opened = open_store(store, "alerts deliver", blobs=blobs)
    from personvlm.alerts.outbox import Outbox, Sent
    from personvlm.alerts.showing import Showing

    showing = Showing(not no_gender, not no_age, tuple(blur or ()), tuple(hide or ()))
    outbox, stopped = Outbox(opened, showing=showing), threading.Event()
    if revive and (again := outbox.revive()) and not quiet:
        print(f"personvlm: {again} messages that were given up are sent again", file=sys.stderr)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    total = Sent()
    while not stopped.is_set():
        sent = outbox.deliver()
        total = Sent(total.delivered + sent.delivered, total.failed + sent.failed, total.dead + sent.dead)
        if (sent.failed or sent.dead) and not quiet:
            print(f"personvlm: {sent.failed} messages were not taken and are sent again later, {sent.dead} given up",
                  file=sys.stderr)  # fmt: skip
        if once and not sent.delivered:
            break
        if not sent.delivered:
            stopped.wait(1.0)
    left = outbox.waiting()
    if as_json:
        print_json({**total.__dict__, "waiting": left.waiting, "given_up": left.dead})
    elif not quiet:
        print(f"{total.delivered} messages delivered, {left.waiting} wait, {left.dead} given up")
    if once and left.waiting:
        raise typer.Exit(1)


def _tell(alert: Any, as_json: bool) -> None:
    if as_json:
        print_json(alert.record())
    else:
        print(f"{alert.id[:8]} {alert.state}")


def _time(moment: float) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(moment):%Y-%m-%d %H:%M:%S}"
