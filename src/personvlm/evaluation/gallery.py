"""A page for a person to look at: the most confident mistakes, and random people, truth beside answer.

One file, pictures inside, nothing fetched. It shows the evaluated pictures: whether it may be passed on is a question
of their terms.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from personvlm import __version__
from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.evaluation.truth import verdict_on
from personvlm.schema import GROUP, NONE, OTHER, UNKNOWN, Attribute, Known, PersonDescription

PAGE = "gallery.html"
CONFIDENT = 0.9
"""From this confidence on a wrong answer counts as a confident mistake in the page's summary."""

_HEIGHT, _QUALITY = 288, 85
_ALTERNATIVES = 3  # values of a partial label that are named


@dataclass(frozen=True)
class Answer:
    """What is said about one group of one picture; ``right`` is None where the label cannot tell."""

    group: str
    attribute: Attribute | None
    known: Known | None
    right: bool | None

    @property
    def said(self) -> bool:
        """Whether a sentence would state it: absence and what has no word are not stated."""
        return self.attribute is not None and not {NONE, OTHER} & set(self.attribute.values)

    @property
    def confidence(self) -> float:
        """0 where nothing is decided."""
        return self.attribute.confidence if self.attribute is not None else 0.0


def answers(description: PersonDescription, sample: Sample) -> list[Answer]:
    """The groups that are decided or labelled, in the order of the schema. One wrong value makes a set wrong."""
    result = []
    for name in GROUP:
        attribute, known = description.attributes.get(name), sample.annotations.known.get(name)
        if attribute is not None and attribute.value in (UNKNOWN, ()):
            attribute = None
        if attribute is None and known is None:
            continue
        verdicts = [verdict_on(name, value, known) for value in attribute.values] if attribute is not None else []
        right = False if False in verdicts else True if True in verdicts else None
        result.append(Answer(name, attribute, known, right))
    return result


def worst(described: Sequence[Sequence[Answer]], samples: Sequence[Sample], count: int) -> list[tuple[int, Answer]]:
    """Rows and answers of the most confident mistakes that a sentence would state, at most one per person."""
    mistakes = [(row, answer) for row, several in enumerate(described) for answer in several
                if answer.right is False and answer.said]  # fmt: skip
    found: dict[object, tuple[int, Answer]] = {}
    for row, answer in sorted(mistakes, key=lambda item: -item[1].confidence):
        found.setdefault(samples[row].identity or row, (row, answer))
        if len(found) == count:
            break
    return list(found.values())


def random_people(samples: Sequence[Sample], count: int, seed: int = 0) -> list[int]:
    """Rows of pictures of different people, drawn at random but always the same."""
    found: dict[object, int] = {}
    for row in np.random.default_rng(seed).permutation(len(samples)).tolist():
        found.setdefault(samples[row].identity or row, row)
        if len(found) == count:
            break
    return list(found.values())


def write_gallery(
    directory: Path, descriptions: Sequence[PersonDescription], samples: Sequence[Sample], count: int, *,
    model: str = "", data: str = "",
) -> Path:  # fmt: skip
    """Write ``gallery.html`` and return where it is.

    Args:
        directory: is made where it is missing.
        descriptions: one per sample; under ``say="all"`` every group is answered.
        samples: labelled pictures.
        count: so many mistakes, and so many random people.
        model, data: what to call them.

    Raises:
        InputError: ``count`` is below 1.
    """
    if count < 1:
        raise InputError(f"a gallery of {count} pictures shows nothing; give 1 or more")
    described = [answers(description, sample) for description, sample in zip(descriptions, samples, strict=True)]
    mistakes, people = worst(described, samples, count), random_people(samples, count)
    groups = sorted({answer.group for _, answer in mistakes}, key=list(GROUP).index)
    filters = [f'<button data-group="{_text(name)}" aria-pressed="false">{_text(name)}</button>' for name in groups]
    page = Template(files("personvlm.evaluation").joinpath("gallery.html").read_text("utf-8")).substitute(
        model=_text(model or "a model"), data=_text(data or "labelled pictures"), version=__version__,
        summary="\n".join(_summary(described)), filters="\n".join(filters), worst_count=len(mistakes),
        random_count=len(people), confident=f"{CONFIDENT:.0%}",
        worst="\n".join(_card(descriptions[row], samples[row], described[row], answer) for row, answer in mistakes)
        or '<p class="empty">No answer that can be judged is wrong.</p>',
        random="\n".join(_card(descriptions[row], samples[row], described[row], None) for row in people),
    )  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PAGE).write_text(page, "utf-8")
    return directory / PAGE


def truth_of(group: str, known: Known | None) -> str:
    """The label in words: alternatives of a partial label joined by "or", values of a set by a comma."""
    if known is None:
        return "not labelled"
    present = [value for value in GROUP[group].values if value in known.present]
    for parent, leaves in GROUP[group].parents.items():
        if GROUP[group].kind == "exclusive" and known.present == set(leaves):
            return parent
        if set(leaves) & set(present):
            present = [value for value in present if value != parent]
    if GROUP[group].kind == "set":
        return ", ".join(present) or "none of those labelled"
    if len(present) > _ALTERNATIVES:
        present = [*present[: _ALTERNATIVES - 1], f"{len(present) - _ALTERNATIVES + 1} others"]
    return " or ".join(present)


def _summary(described: Sequence[Sequence[Answer]]) -> Iterator[str]:
    """Rows of a table: how often each group is wrong, and how often with confidence."""
    for name in GROUP:
        judged = [answer for several in described for answer in several
                  if answer.group == name and answer.right is not None and answer.said]  # fmt: skip
        if not judged:
            continue
        wrong = sum(not answer.right for answer in judged)
        sure = [answer for answer in judged if answer.confidence >= CONFIDENT]
        shares = [_share(wrong, len(judged)), _share(sum(not answer.right for answer in sure), len(sure))]
        cells = "".join(f'<td class="num">{share}</td><td class="num soft">of {count}</td>'
                        for share, count in zip(shares, (len(judged), len(sure)), strict=True))  # fmt: skip
        yield f'<tr><th scope="row">{_text(name)}</th>{cells}</tr>'


def _card(description: PersonDescription, sample: Sample, several: Sequence[Answer], mistake: Answer | None) -> str:
    name = sample.image.name
    about = f' data-group="{_text(mistake.group)}"' if mistake is not None else ""
    headline = ""
    if mistake is not None and mistake.attribute is not None:
        truth = _text(truth_of(mistake.group, mistake.known))
        headline = (f'<p class="mistake"><span>{_text(mistake.group)}</span> said <b>{_text(_said(mistake))}</b> '
                    f"with {_percent(mistake.confidence)}, labelled <b>{truth}</b></p>")  # fmt: skip
    rows = "".join(_row(answer, answer is mistake) for answer in several)
    sentence = _text(description.text) or "<i>Nothing is said.</i>"
    return f"""<article class="card" tabindex="0"{about} aria-label="{_text(name)}">
<figure><img src="{_picture(sample.image)}" alt="The crop {_text(name)}"></figure>
<div class="say">{headline}<p class="sentence">{sentence}</p><p class="name">{_text(name)}</p></div>
<details{"" if mistake is not None else " open"}><summary>All groups</summary>
<table><thead><tr><th scope="col">group</th><th scope="col" colspan="2">said</th><th scope="col">labelled</th>
<th scope="col" colspan="2">confidence</th></tr></thead><tbody>{rows}</tbody></table></details>
</article>"""


_MARKS: Mapping[bool | None, tuple[str, str, str]] = {
    True: ("right", "✓", "right"), False: ("wrong", "✗", "wrong"), None: ("open", "·", "the label cannot tell"),
}  # fmt: skip


def _row(answer: Answer, marked: bool) -> str:
    kind, sign, meaning = _MARKS[answer.right]
    percent = _percent(answer.confidence)
    mark = f'<b class="{kind}" title="{meaning}">{sign}<i>{meaning}</i></b>' if answer.attribute is not None else ""
    bar = (f'<td class="bar"><span><i style="width:{percent}"></i></span></td><td class="num">{percent}</td>'
           if answer.attribute is not None else "<td></td><td></td>")  # fmt: skip
    return (f'<tr{" class=marked" if marked else ""}><th scope="row">{_text(answer.group)}</th>'
            f'<td class="sign">{mark}</td><td>{_text(_said(answer))}</td>'
            f"<td>{_text(truth_of(answer.group, answer.known))}</td>{bar}</tr>")  # fmt: skip


def _said(answer: Answer) -> str:
    return ", ".join(answer.attribute.values) if answer.attribute is not None else "–"


def _picture(path: Path) -> str:
    """The picture as a data URL, no higher than it is shown on a large screen."""
    image = Image.fromarray(decode(path))
    image.thumbnail((2 * _HEIGHT, _HEIGHT))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _percent(confidence: float) -> str:
    """Nothing is shown as certain that is not."""
    return f"{min(confidence, 0.999):.1%}" if 0.99 < confidence < 1 else f"{confidence:.0%}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _text(text: str) -> str:
    """Escaped, and printable: a file name may hold bytes that are no text."""
    return escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))
