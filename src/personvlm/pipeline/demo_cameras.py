"""The demo of the whole pipeline: cameras, events, a store, questions in plain words, an alert, and a report of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from personvlm.base.assets import Asset
from personvlm.base.errors import InputError, PersonVLMError
from personvlm.base.images import MIN_SIDE
from personvlm.pipeline.demo import ANSWERS, REPORT, DemoResult, thumbnail
from personvlm.pipeline.record import record
from personvlm.pipeline.report import Card, Kind, Note, Section, Timing, write_report
from personvlm.runtime.bench_hardware import hardware_line
from personvlm.runtime.calibration import Say
from personvlm.runtime.describer import Describer
from personvlm.schema import DescribeResult

if TYPE_CHECKING:
    from personvlm.alerts.alert import Alert
    from personvlm.pipeline.run_events import PersonEvent
    from personvlm.pipeline.run_status import Status
    from personvlm.store import Store

STORE = "people.db"
RULE = "demo"
"""Name of the rule in it, by which it is known again."""

UNLIKELY = 0.05
"""Who fits a question with less than this probability is not shown."""

CLIP = Asset(
    path="data/videos/one-by-one-person-detection.mp4",
    sha256=("a5964aa259099a482a8b360ffc2c57b5a30f84d5919236a4dad01f8e929ac07c",),
    urls=("https://github.com/intel-iot-devkit/sample-videos/raw/master/one-by-one-person-detection.mp4",),
    credit="one-by-one-person-detection.mp4 of Intel's sample-videos, CC BY 4.0",
    max_bytes=16 * 1024 * 1024,
)
"""People who walk through a room one by one; a minute of work on two cores."""


@dataclass(frozen=True)
class Script:
    """What a demo asks of what its cameras see.

    Attributes:
        questions: searched for at the end.
        alert: a rule in plain words, in force before the first frame.
    """

    questions: tuple[str, ...]
    alert: str


DRAWN = Script(("woman in a white top", "man in blue jeans", "green top and a bag"),
               "tell me when a woman with a bag comes by")  # fmt: skip
FILMED = Script(("man in dark clothes", "woman with long hair", "somebody with a bag"),
                "tell me when a man with a bag comes by")  # fmt: skip


def rendered(people: int, seed: int) -> str:
    """The scene that is shown where no camera is named: two cameras, between which everybody walks."""
    return f"rendered:seed={seed},cameras=2,people={people},twins=1,seconds=40"


def demo_cameras(sources: Sequence[str], out: Path, *, script: Script, kind: Kind, say: Say = "confident",
                 model: Path | None = None, watch: Callable[[Status], None] = lambda status: None,
                 report: Callable[[str], None] = lambda note: None) -> DemoResult:  # fmt: skip
    """Run the pipeline over ``sources`` and write ``report.html``, ``answers.jsonl`` and ``people.db`` into ``out``.

    Args:
        sources: as ``personvlm run`` takes them.
        out: a folder; made where it is missing. A store of an earlier demo in it is replaced.
        script: what is asked, and what raises an alert.
        kind: what the report says of the sources.
        say: see :meth:`personvlm.runtime.describer.Describer.describe`.
        model: a folder with another model.
        watch: called with the status after every frame.
        report: told of faults that stop nothing.

    Raises:
        InputError: a source is none, a package is missing, or ``out`` holds a store that no demo made.
        PersonVLMError: the model cannot be loaded, or ``out`` cannot be written.
    """
    with _extras():
        from personvlm.alerts.engine import Alerts
        from personvlm.alerts.plain import compile_words
        from personvlm.pipeline.run import run
        from personvlm.pipeline.run_cameras import cameras
        from personvlm.pipeline.run_sinks import storing
        from personvlm.store import Store
        from personvlm.video.describing import TrackDescriber

    chosen = cameras(sources)
    start = time.perf_counter()
    describer = Describer.load(model)
    load_s = time.perf_counter() - start
    place = _fresh(out)
    told: list[PersonEvent] = []
    raised: list[Alert] = []
    with Store.open(place) as store:
        rule = str(compile_words(script.alert).rule)
        Alerts(store).add_rule(RULE, rule, words=script.alert)
        with storing(str(place), report=report, raised=raised.append) as keep:

            def tell(event: PersonEvent) -> None:
                keep(event)
                told.append(event)

            start = time.perf_counter()
            status = run(chosen, TrackDescriber(describer, say=say), tell, watch=watch, report=report)
            total_s = time.perf_counter() - start
        if status.errors:
            raise InputError(status.errors[0])
        last = _last(told)
        answers = {event.id: DescribeResult(input=f"{event.occasion.track.camera} #{event.occasion.track.track_id}",
                                            description=event.description, error=event.error,
                                            latency_ms=round(event.latency_ms, 1)) for event in last}  # fmt: skip
        pictures = {event.id: thumbnail(event.occasion.crops[0].image) for event in last if _shows(event)}
        sections = [*(_answer(store, question, pictures) for question in script.questions),
                    _alert(script.alert, rule, raised, pictures)]  # fmt: skip
        cards = [Card(answers[event.id], pictures.get(event.id), note=_story(told, event, answers)) for event in last]
    latencies = tuple(event.latency_ms for event in told if event.description is not None)
    timing = Timing(hardware_line(), load_s, total_s, latencies)
    try:
        (out / ANSWERS).write_text("".join(json.dumps(record(answer)) + "\n" for answer in answers.values()), "utf-8")
        write_report(out / REPORT, cards, timing, kind=kind, model=describer.name, sections=sections,
                     seen=_seen(status, told))  # fmt: skip
    except OSError as error:
        raise PersonVLMError(f"{out}: the report cannot be written here ({error}); name another --out") from error
    failed = sum(answer.description is None for answer in answers.values())
    return DemoResult(out / REPORT, out / ANSWERS, len(last) - failed, failed, place, len(raised))


def _shows(event: PersonEvent) -> bool:
    """Whether its best crop is large enough to be a picture."""
    return bool(event.occasion.crops) and min(event.occasion.crops[0].image.shape[:2]) >= MIN_SIDE


@contextlib.contextmanager
def _extras() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("personvlm"):
            raise
        raise InputError(f"cameras need {error.name}: pip install 'personvlm[video,service]'; `personvlm demo "
                         "--num-samples 12` describes single pictures without it") from None  # fmt: skip


def _fresh(out: Path) -> Path:
    """Where the store goes, with nothing there of an earlier demo."""
    import shutil

    place = out / STORE
    if place.exists() and not _is_of_a_demo(place):
        raise InputError(f"{place}: a store that no demo made would be replaced; name another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in (place, *(place.with_name(place.name + ending) for ending in ("-wal", "-shm"))):
            old.unlink(missing_ok=True)
        shutil.rmtree(f"{place}.crops", ignore_errors=True)
    except OSError as error:
        raise PersonVLMError(f"{out}: the demo cannot write here ({error}); name another --out") from error
    return place


def _is_of_a_demo(store: Path) -> bool:
    """Only read: ``Store.open`` would bring somebody else's tables up to date."""
    import sqlite3

    try:
        with contextlib.closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as opened:
            return opened.execute("SELECT 1 FROM alert_rules WHERE name = ?", [RULE]).fetchone() is not None
    except sqlite3.Error:
        return False


def _last(told: Sequence[PersonEvent]) -> list[PersonEvent]:
    """The last revision of everybody, in the order in which they came."""
    newest: dict[str, PersonEvent] = {}
    for event in told:
        newest[event.id] = event
    return sorted(newest.values(), key=lambda event: event.occasion.track.first_seen)


def _story(told: Sequence[PersonEvent], last: PersonEvent, answers: Mapping[str, DescribeResult]) -> str:
    """When a person was there, how often something was said, and who else it is."""
    first = next(event for event in told if event.id == last.id)
    track = last.occasion.track
    waited = first.occasion.time - track.first_seen
    parts = [f"there for {track.last_seen - track.first_seen:.1f} s, first described after {waited:.1f} s, "
             f"{last.revision} revisions, from {len(last.occasion.crops)} crops"]  # fmt: skip
    parts += [f"the same person as {answers[other.id].input} ({other.probability:.0%})"
              for other in last.same_as if other.id in answers]  # fmt: skip
    return "; ".join(parts)


def _answer(store: Store, question: str, pictures: Mapping[str, bytes]) -> Section:
    found = store.search(question, limit=3)
    terms = ", ".join(map(str, found.query.terms))
    notes = []
    for hit in found.hits:
        if hit.probability < UNLIKELY:
            break
        why = ", ".join(f"{reason.term} {reason.probability:.0%}" for reason in hit.reasons)
        notes.append(Note(f"{hit.probability:.0%}", hit.described.description.text, why,
                          pictures.get(hit.described.request.person)))  # fmt: skip
    return Section(f"Search: “{question}”", f"Understood as {terms}. {1000 * found.seconds:.0f} ms.", tuple(notes))


def _alert(words: str, rule: str, raised: Sequence[Alert], pictures: Mapping[str, bytes]) -> Section:
    notes = tuple(
        Note(f"{alert.probability:.0%}", alert.text, f"{alert.camera}, "
             + ", ".join(f"{name} {chance:.0%}" for name, chance in alert.why.items()), pictures.get(alert.person))
        for alert in raised
    )  # fmt: skip
    count = "1 alert" if len(raised) == 1 else f"{len(raised)} alerts"
    return Section(f"Alert: “{words}”", f"Compiled to {rule}. {count}; one person raises one.", notes)


def _seen(status: Status, told: Sequence[PersonEvent]) -> str:
    frames = sum(camera.frames for camera in status.cameras.values())
    links = len({frozenset((event.id, other.id)) for event in told for other in event.same_as})
    return f"{frames:,} frames of {len(status.cameras)} cameras, {len(told)} events, {links} links between cameras"
