"""Alerts and the rules that raise them."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from personvlm.alerts.alert import Alert
from personvlm.alerts.engine import StoredRule
from personvlm.alerts.grammar import parse_rule
from personvlm.alerts.plain import compile_words
from personvlm.alerts.rule import attributes, time_zone
from personvlm.base.errors import InputError
from personvlm.server.people import CameraName, Limit, check_shown, filters
from personvlm.server.problems import Exact, Json, Problem
from personvlm.server.services import Services, audited, services
from personvlm.server.settings import ServerSettings
from personvlm.server.wire import crop_url

router = APIRouter(tags=["alerts"])

_NO_NUL = r"^[^\x00]*$"  # PostgreSQL takes none

AlertId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
RuleName = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
RuleText = Annotated[str, Field(min_length=1, max_length=2000, pattern=_NO_NUL,
                                description='Such as upper.color == "red"')]
Zone = Annotated[str, Field(min_length=1, max_length=64)] | None
AfterAlert = Annotated[str | None, Query(pattern=r"^0x[01]\.[0-9a-f]{1,13}p[+-]\d{1,2}_[0-9a-f]{32}$",
                                         description="`next` of the part before.")]  # fmt: skip
State = Literal["raised", "updated", "acknowledged", "closed"]


class ShownAlert(Exact):
    """One person who fits a rule."""

    id: str
    rule: str
    person: str
    camera: str
    state: State
    holds: bool
    ended: bool
    event_id: str
    revision: int
    probability: float
    text: str
    crop: str | None = Field(description="Address of the picture, if it may be seen.")
    why: dict[str, float]
    raised_at: float
    seen_at: float
    acknowledged_at: float | None
    acknowledged_by: str | None
    closed_at: float | None


class AlertList(Exact):
    """Part of a list, the latest first; `next` goes into `after` to have the following part, and is null at the end."""

    alerts: list[ShownAlert]
    next: str | None


class ShownRule(Exact):
    """A rule. `rule` is its canonical text."""

    name: str
    rule: str
    timezone: str | None = Field(description="Of its times; null: that of whatever machine judges it.")
    words: str | None
    channels: list[str]
    enabled: bool


class RuleList(Exact):
    """By name."""

    rules: list[ShownRule]


class RuleBody(Exact):
    """What is put in force."""

    rule: RuleText
    timezone: Zone = Field(default=None, description="Of its times, as in Europe/Berlin, in place of what `rule` says.")
    words: Annotated[str, Field(max_length=500, pattern=_NO_NUL)] | None = Field(
        default=None, description="What it was made from.")
    channels: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=20)
    enabled: bool = True


class WordsBody(Exact):
    """What is to raise an alert, in plain words."""

    words: Annotated[str, Field(min_length=1, max_length=500)]
    timezone: Zone = Field(default=None, description="Whose times are meant, such as Europe/Berlin. It becomes part of "
                           "a rule that asks for a time.")  # fmt: skip


class CompiledRule(Exact):
    """`ignored` are words that were not understood, and stand for nothing in the rule."""

    rule: str
    timezone: str | None
    ignored: list[str]
    notes: list[str]


class ChannelList(Exact):
    """Names."""

    channels: list[str]


class DryBody(Exact):
    """What is tried over the past, by default the last day."""

    rule: RuleText
    timezone: Zone = Field(default=None, description="Of its times, in place of what `rule` says.")
    since: float | None = Field(default=None, ge=0, le=1e11, allow_inf_nan=False)
    until: float | None = Field(default=None, ge=0, le=1e11, allow_inf_nan=False)
    camera: list[CameraName] = Field(default=[], max_length=100)


class DryAnswer(Exact):
    """What the rule would have raised."""

    rule: str
    count: int
    alerts: list[ShownAlert] = Field(description="The first 100.")
    people: int
    descriptions: int
    fitting: int
    cameras: dict[str, int]
    first: float | None
    last: float | None
    per_day: float | None
    missed: float = Field(description="People who fit although nothing was raised, as their probabilities add up.")
    expected_precision: float | None
    interval: list[float] | None


@router.get("/v1/alerts", response_model=AlertList, summary="Alerts")
def alerts(request: Request, state: State | None = None,
           rule: Annotated[str | None, Query(max_length=64, pattern=_NO_NUL)] = None,
           after: AfterAlert = None, limit: Limit = 50) -> Response:  # fmt: skip
    """The latest first; without `state` and `rule` those that are not closed."""
    service = services(request)
    time, _, id = (after or "").partition("_")
    place = None if after is None else (float.fromhex(time), id)
    found = service.alerts.alerts(state=state, rule=rule, limit=limit + 1, after=place)
    audited(request, "list", "alerts", {"state": state, "rule": rule, "after": after})
    shown, last = found[:limit], found[limit - 1] if len(found) > limit else None
    return Json({"alerts": [_alert(each, service) for each in shown],
                 "next": None if last is None else f"{last.raised_at.hex()}_{last.id}"})  # fmt: skip


@router.get("/v1/alerts/{id}", response_model=ShownAlert, summary="One alert")
def alert(request: Request, id: AlertId) -> Response:
    """404 where there is none."""
    service = services(request)
    found = _found(lambda: service.alerts.get(id))
    audited(request, "view", found.person, {"alert": id})
    return Json(_alert(found, service))


@router.post("/v1/alerts/{id}/acknowledge", response_model=ShownAlert, summary="Somebody looks after it")
def acknowledge(request: Request, id: AlertId) -> Response:
    """409 where it is acknowledged or closed already."""
    service = services(request)
    _found(lambda: service.alerts.get(id))
    audited(request, "acknowledge", id)
    changed = _changed(lambda: service.alerts.acknowledge(id, request.state.principal.name))
    return Json(_alert(changed, service))


@router.post("/v1/alerts/{id}/close", response_model=ShownAlert, summary="End it")
def close(request: Request, id: AlertId) -> Response:
    """409 where it is closed already."""
    service = services(request)
    _found(lambda: service.alerts.get(id))
    audited(request, "close", id)
    return Json(_alert(_changed(lambda: service.alerts.close(id)), service))


@router.get("/v1/rules", response_model=RuleList, summary="Rules")
def rules(request: Request) -> Response:
    """Those that rest included."""
    return Json({"rules": [_rule(each) for each in services(request).alerts.rules()]})


@router.put("/v1/rules/{name}", response_model=ShownRule, summary="Put a rule in force, or change it")
def put_rule(request: Request, name: RuleName, body: RuleBody) -> Response:
    """422 with the place where it is no rule."""
    service = services(request)
    text = _check(body.rule, service.settings, body.timezone)
    audited(request, "put rule", name, {"rule": text, "enabled": body.enabled})
    stored = service.alerts.add_rule(name, text, channels=body.channels, words=body.words, replace=True)
    service.alerts.enable_rule(name, body.enabled)
    return Json({**_rule(stored), "enabled": body.enabled})


@router.delete("/v1/rules/{name}", status_code=204, summary="Take a rule out of force")
def delete_rule(request: Request, name: RuleName) -> Response:
    """Its alerts stay."""
    service = services(request)
    audited(request, "delete rule", name)
    _found(lambda: service.alerts.remove_rule(name))
    return Response(status_code=204)


@router.post("/v1/rules/compile", response_model=CompiledRule, summary="The rule that a sentence means")
def compile_rule(request: Request, body: WordsBody) -> Response:
    """To be shown to whoever wrote the sentence. 422 where nothing was understood."""
    service = services(request)
    found = compile_words(body.words, [camera.name for camera in service.store.cameras()])
    zone, notes = body.timezone if found.rule.timed else None, list(found.notes)
    try:
        time_zone(zone)
    except InputError as error:  # a browser's newer list of zones must not keep anybody from making a rule
        zone, notes = None, [*notes, str(error)]
    text = _check(str(found.rule), service.settings, zone)
    return Json({"rule": text, "timezone": zone, "ignored": list(found.ignored), "notes": notes})


@router.get("/v1/channels", response_model=ChannelList, summary="Where alerts can be sent")
def channels(request: Request) -> Response:
    """Their names only: addresses may hold secrets."""
    return Json({"channels": [each.name for each in services(request).alerts.channels()]})


@router.post("/v1/rules/dry-run", response_model=DryAnswer, summary="What would a rule have raised?")
def dry_run(request: Request, body: DryBody) -> Response:
    """Replays what is stored; nothing is raised or sent."""
    service = services(request)
    text = _check(body.rule, service.settings, body.timezone)
    since = time.time() - 86_400 if body.since is None and body.until is None else body.since
    audited(request, "dry run", text, {"since": since, "until": body.until, "camera": body.camera})
    wanted = filters(service.settings, body.camera, since, body.until)
    history = service.store.history(wanted.since, wanted.until, wanted.cameras)
    run = service.alerts.dry_run(text, history)
    record: dict[str, Any] = run.record()
    shown = [_alert(each, service) for each in run.alerts[:100]]
    return Json({**record, "rule": text, "alerts": shown})


def _check(text: str, settings: ServerSettings, zone: str | None = None) -> str:
    """The canonical text, in a time zone if one is given. What this deployment does not show cannot be asked about by
    a rule either.

    Raises:
        InputError: not a rule, says where; or not a time zone.
        Problem: 422, it asks for what is not shown.
    """
    rule = parse_rule(text, zone)
    check_shown((each.group for each in attributes(rule.condition)), settings)
    return str(rule)


def _alert(each: Alert, service: Services) -> dict[str, Any]:
    record = service.settings.showing.alert(each.record(), service.store)
    return {**record, "crop": crop_url(each.crop, each.camera, service.settings)}


def _rule(each: StoredRule) -> dict[str, Any]:
    return {"name": each.name, "rule": str(each.rule), "timezone": each.rule.zone, "words": each.words,
            "channels": list(each.channels), "enabled": each.enabled}  # fmt: skip


def _found(look: Any) -> Any:
    try:
        return look()
    except InputError as error:
        raise Problem(404, "not_found", str(error)) from None


def _changed(change: Any) -> Any:
    try:
        return change()
    except InputError as error:
        raise Problem(409, "conflict", str(error)) from None
