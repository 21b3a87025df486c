"""``personvlm search``: who is meant, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personvlm.base.errors import InputError
from personvlm.cli.describe import Model
from personvlm.cli.output import print_json
from personvlm.cli.store import DEFAULT, MOST, At, Camera, Json, Since, Until, filters, given, line, open_store

if TYPE_CHECKING:
    from personvlm.store.judge import Looks
    from personvlm.store.search import Results


def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORDS...", help="Whom to look for.")] = None,
    camera: Camera = None,
    since: Since = None,
    until: Until = None,
    person: Annotated[str | None, typer.Option(metavar="ID", help="Only sightings linked with this person.")] = None,
    like: Annotated[str | None, typer.Option(metavar="ID", help="Who looks like this person.")] = None,
    image: Annotated[Path | None, typer.Option(help="Who looks like the person in this picture.")] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=MOST, help="How many at most.")] = 10,
    facet: Annotated[list[str] | None, typer.Option(help="Count values of a group, or camera (repeatable).")] = None,
    store: At = DEFAULT,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Find people by plain words ("woman in a red coat without a hat"), by a picture, or by who they look like."""
    from dataclasses import replace

    if not words and like is None and image is None:
        raise typer.BadParameter("say whom to look for: words, --like ID or --image FILE")
    if like is not None and image is not None:
        raise typer.BadParameter("choose one of --like and --image")
    with open_store(store, "search") as opened:
        asked = filters(camera, since, until)
        if person is not None:
            asked = replace(asked, people=opened.same_as(person))
        looks = _looks_of(image, model) if image is not None else None
        if like is not None:
            from personvlm.store.judge import Looks

            known = opened.latest(like)
            if known is None or known.description.embedding is None:
                raise InputError(f"no person {like!r} with an embedding in {store}")
            looks = Looks(known.description.embedding, known.description.model)
        opened.audit("command line", "search", " ".join(words or ()),
                     given(camera=camera, since=since, until=until, person=person, like=like,
                           image=image is not None))  # fmt: skip
        found = opened.search(" ".join(words or ()), filters=asked, looks=looks, limit=limit, facets=facet or ())
    if as_json:
        print_json(report(found), indent=1)
        return
    for note in found.query.notes:
        print(f"personvlm: {note}", file=sys.stderr)
    for hit in found.hits:
        print(f"{hit.probability:4.0%}  {line(hit.described)}")
        parts = [f"{reason.term} {reason.probability:.0%}"
                 + (f" (said: {', '.join(reason.said)})" if reason.said else "") for reason in hit.reasons]  # fmt: skip
        parts += [f"text has {word!r}" for word in hit.words]
        parts += [] if hit.alike is None else [f"looks alike {hit.alike:.0%}"]
        if parts:
            print(f"      {'; '.join(parts)}")
    for name, counts in found.facets.items():
        print(f"{name}: {', '.join(f'{value} {count}' for value, count in counts.items())}")
    if not found.hits:
        print("nobody", file=sys.stderr)


def _looks_of(image: Path, model: Path | None) -> Looks:
    from personvlm.runtime.describer import Describer
    from personvlm.store.judge import Looks

    describer = Describer.load(model)
    vector = describer.embed([image])[0]
    return Looks(tuple(vector.tolist()), describer.name)


def report(found: Results) -> dict[str, Any]:
    """Results fit for JSON; other programs rely on it."""
    from personvlm.store.export import record

    return {
        "query": {"text": found.query.text, "terms": [str(term) for term in found.query.terms],
                  "words": list(found.query.words), "phrases": [" ".join(phrase) for phrase in found.query.phrases],
                  "notes": list(found.query.notes)},
        "likely": found.likely, "seconds": round(found.seconds, 4),
        "facets": {name: dict(counts) for name, counts in found.facets.items()},
        "hits": [{"probability": round(hit.probability, 4), "alike": hit.alike, "words": list(hit.words),
                  "reasons": [{"term": reason.term, "probability": round(reason.probability, 4),
                               "said": list(reason.said)} for reason in hit.reasons],
                  **record(hit.described)} for hit in found.hits],
    }  # fmt: skip
