"""An HTML report about described people: one file, pictures inside, nothing fetched, readable on a phone."""

from __future__ import annotations

import base64
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from personvlm import __version__
from personvlm.pipeline.record import record
from personvlm.pipeline.truth import Verdict, count, judge
from personvlm.schema import UNKNOWN, DescribeResult, PersonDescription, Values

Kind = Literal["rendered", "given", "scene", "clip", "cameras"]
"""Where the pictures of a report come from."""


@dataclass(frozen=True)
class Card:
    """One person of the report: the answer, a small JPEG of the picture, the truth where it is known, and a remark."""

    answer: DescribeResult
    picture: bytes | None = None
    truth: Values | None = None
    note: str = ""


@dataclass(frozen=True)
class Note:
    """One person in a section: a figure, what is said, why the person is there, and a small JPEG."""

    figure: str
    text: str
    why: str
    picture: bytes | None = None


@dataclass(frozen=True)
class Section:
    """An answer to a question, or what became of a rule."""

    title: str
    about: str
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Timing:
    """How fast, and on what. Latencies are in milliseconds, of one picture at a time; the rest is in seconds."""

    hardware: str
    load_s: float
    total_s: float
    latencies_ms: tuple[float, ...]


def write_report(path: Path, cards: Sequence[Card], timing: Timing, *, kind: Kind, model: str,
                 sections: Sequence[Section] = (), seen: str = "") -> None:  # fmt: skip
    """Write the report to ``path``. Everything that comes from outside is escaped.

    Args:
        sections: what was asked of a store, and its alerts; they stand above the people.
        seen: what cameras saw, in a few words; without it latencies are of pictures, one at a time.
    """
    template = Template(files("personvlm.pipeline").joinpath("report.html").read_text("utf-8"))
    page = template.substitute(
        intro=_INTRO[kind], model=_text(model), hardware=_text(timing.hardware), version=__version__,
        tiles="\n".join(_tiles(cards, timing, seen)), sections="\n".join(map(_section, sections)),
        cards="\n".join(map(_card, cards)),
        date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )  # fmt: skip
    path.write_text(page, "utf-8")


_INTRO = {
    "rendered": (
        "These people are drawn by PersonVLM’s own renderer, so that the truth is known and can stand beside every "
        "answer. The model was made for camera pictures: its figures on photographs of people are in the README."
    ),
    "scene": (
        "Two cameras, drawn by PersonVLM’s own renderer, and people who walk from one to the other behind pillars. "
        "They were followed, described from their best crops, stored, searched and watched for, all in this one "
        "process. The model was made for camera pictures: its figures on photographs of people are in the README."
    ),
    "clip": (
        "A clip of people who walk through a room one by one (Intel’s sample-videos, CC BY 4.0). They were found, "
        "followed, described, stored, searched and watched for, all in this one process."
    ),
    "cameras": "What was given on the command line. Nothing left this machine.",
    "given": "Pictures that were given on the command line. Nothing left this machine.",
}


def _text(text: str) -> str:
    """Escaped, and printable: a file name may hold bytes that are no text."""
    return escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _tiles(cards: Sequence[Card], timing: Timing, seen: str) -> list[str]:
    people = sum(card.answer.description is not None for card in cards)
    tiles = [_tile(str(people), "person described" if people == 1 else "people described")]
    if timing.latencies_ms:
        slowest, of = max(timing.latencies_ms), "from event to words" if seen else "per person, one at a time"
        tiles.append(_tile(f"{statistics.median(timing.latencies_ms):.0f} ms", f"median {of}; "
                           f"slowest {slowest:.0f} ms"))  # fmt: skip
    tiles.append(_tile(f"{timing.load_s:.1f} s", f"to load the model; {timing.total_s:.1f} s for all of it"))
    if seen:
        tiles.append(_tile(seen.split(" ", 1)[0], _text(seen.split(" ", 1)[1])))
    judged = [judge(card.answer.description.attributes, card.truth) for card in cards
              if card.answer.description and card.truth]  # fmt: skip
    score = count(judged)
    if score.said:
        tiles.append(_tile(f"{score.right / score.said:.0%}", f"true: {score.right} of {score.said} facts said"))
    if score.known:
        tiles.append(_tile(f"{score.said / score.known:.0%}", f"said: {score.said} of {score.known} facts to be seen"))
    failed = sum(card.answer.description is None for card in cards)
    if failed:
        tiles.append(_tile(str(failed), "picture could not be read" if failed == 1 else "pictures could not be read"))
    return tiles


def _tile(figure: str, label: str) -> str:
    return f'<div class="tile"><b>{figure}</b><span>{label}</span></div>'


def _section(section: Section) -> str:
    rows = []
    for note in section.notes:
        data = base64.b64encode(note.picture or b"").decode("ascii")
        image = f'<img src="data:image/jpeg;base64,{data}" alt="">' if data else ""
        rows.append(f"<li>{image}<p><b>{_text(note.figure)}</b> {_text(note.text)}"
                    f"<small>{_text(note.why)}</small></p></li>")  # fmt: skip
    found = f"<ol>{''.join(rows)}</ol>" if rows else '<p class="silent">Nobody.</p>'
    return (f'<section class="asked"><h2>{_text(section.title)}</h2><p class="name">{_text(section.about)}</p>{found}'
            "</section>")  # fmt: skip


def _card(card: Card) -> str:
    answer = card.answer
    if answer.description is None:
        reason = (answer.error or "no description").removeprefix(f"{answer.input}: ")
        return (f'<article class="card failed"><div class="say"><p class="name">{_text(answer.input)}</p>'
                f'<p class="error">{_text(reason)}</p></div></article>')  # fmt: skip
    picture = ""
    if card.picture is not None:
        data = base64.b64encode(card.picture).decode("ascii")
        picture = f'<img src="data:image/jpeg;base64,{data}" alt="{_text(answer.input)}">'
    described = answer.description
    shown = json.dumps(record(answer), ensure_ascii=False, indent=1)
    sentence = _text(described.text) if described.text else "<i>Nothing is certain enough to be said.</i>"
    remark = f'<p class="silent">{_text(card.note)}</p>' if card.note else ""
    return f"""<article class="card">
<figure>{picture}</figure>
<div class="say"><p class="name">{_text(answer.input)} <span>{answer.latency_ms:.0f} ms</span></p>
<p class="sentence">{sentence}</p>{remark}</div>
<div class="facts">{_facts(described, card.truth)}
<details><summary>JSON</summary><pre>{_text(shown)}</pre></details></div>
</article>"""


_RIGHT = '<b class="right" title="right">✓<i>right</i></b>'
_MARKS = {"right": _RIGHT, "absent": _RIGHT, "wrong": '<b class="wrong" title="wrong">✗<i>wrong</i></b>'}


def _facts(described: PersonDescription, truth: Values | None) -> str:
    verdicts: dict[str, Verdict] = judge(described.attributes, truth) if truth else {}
    rows = []
    for name, item in described.attributes.items():
        if item.value in (UNKNOWN, ()):
            continue
        verdict = verdicts.get(name)
        mark = _MARKS.get(verdict or "", "")
        really = ""
        if verdict == "wrong" and truth is not None:
            really = f' <small>truth: {_text(", ".join(truth[name]))}</small>'
        percent = f"{item.confidence:.0%}"
        rows.append(
            f"<tr><th>{_text(name)}</th><td>{_text(', '.join(item.values))}{really}</td>"
            f'<td class="bar"><span title="confidence"><i style="width:{percent}"></i></span></td>'
            f'<td class="num">{percent}</td>' + (f"<td>{mark}</td>" if truth else "") + "</tr>"
        )
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    silent = [f"{name} ({', '.join((truth or {})[name])})" for name in verdicts if verdicts[name] == "silent"]
    return table + (f'<p class="silent">Not said: {_text("; ".join(silent))}</p>' if silent else "")
