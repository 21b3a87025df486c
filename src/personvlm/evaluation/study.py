"""The study: every model trained under every budget and scored on the same people. Torch-free to import."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.sources import read_training
from personvlm.evaluation.study_plan import Entry, announced, held_out, with_views
from personvlm.evaluation.study_result import FILE, VERSION, gathered, joined
from personvlm.evaluation.study_score import write_json

PAGE, PLOTS = "study.html", "plots"


def make_report(data: Path, out: Path, entries: Sequence[Entry], ablations: Sequence[str], *, people: int = 0,
                limit: int = 0, resamples: int = 1000, join: Mapping[str, Any] | None = None,
                say: Callable[[str], None] = print) -> dict[str, Path]:  # fmt: skip
    """Score what :func:`run_study` left in ``out`` and write the report; arguments as there.

    Args:
        join: an earlier study under other budgets (:func:`read_study_file`), which is reported first.
    """
    train, val = read_training(data)
    counts = {"training": len(train), "validation": len(val)}
    samples = held_out(data, people, limit)
    study = gathered(entries, ablations, out, samples, with_views(data), counts, resamples=resamples, say=say)
    return report(out, study if join is None else joined(join, study))


def read_study_file(path: Path) -> dict[str, Any]:
    """The object of a ``study.json``.

    Raises:
        InputError: there is none, or it is something else.
    """
    try:
        study = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no study can be read ({error}); give the study.json of `personvlm study`") from error
    if not isinstance(study, dict) or study.get("version") != VERSION:
        raise InputError(f"{path}: not a study.json of version {VERSION}")
    return study


def run_study(data: Path, out: Path, entries: Sequence[Entry], *, people: int = 0, limit: int = 0,
              tokenizer: str = "", resamples: int = 1000, say: Callable[[str], None] = print,
              quiet: bool = False) -> list[dict[str, Any]]:  # fmt: skip
    """Train, describe and score every entry that is not done yet; one result each, in order.

    An entry that cannot be had (no tokenizer, say) does not stop the others: its result has ``failed``, the reason.

    Args:
        data: a folder as :func:`~personvlm.data.sources.read_training` takes it, with something to test on.
        out: gets a folder per entry, and decoded pictures.
        people, limit: see :func:`~personvlm.evaluation.study_plan.held_out`.
        resamples: of the bootstrap over people.
        tokenizer: of stages 3 and 4: a folder, ``words`` or ``bpe``; by default GPT-2's, of the assets or the hub.

    Raises:
        InputError: there is nothing to train or to test on, or all entries failed.
    """
    from personvlm.evaluation.study_torch import Job, estimated, lacking, run_entry, untrained

    samples = held_out(data, people, limit)
    out.mkdir(parents=True, exist_ok=True)
    job = Job(data, out, samples, with_views(data), tokenizer, resamples, say, quiet)
    lacks = {entry.key: lacking(entry) for entry in entries}  # asks the hub, so only once
    if able := [entry for entry in entries if not lacks[entry.key]]:
        say(announced(able, estimated(able, job)))
    results: list[dict[str, Any]] = []
    for number, entry in enumerate(entries, 1):
        say(f"{number} of {len(entries)}: {entry.key}")
        try:
            why = lacks[entry.key]
            result = untrained(entry, job, why) if why else run_entry(entry, job)
        except InputError as error:
            result = {"key": entry.key, "model": entry.model, "variant": entry.variant, "failed": str(error)}
        if "failed" in result:
            say(f"{entry.key}: failed: {result['failed']}")
            write_json(out / entry.key / "failed.json", result)
        else:
            (out / entry.key / "failed.json").unlink(missing_ok=True)
        results.append(result)
    if all("failed" in result for result in results):
        raise InputError(f"no model could be trained; {results[0]['failed']}")
    return results


def report(out: Path, study: Mapping[str, Any]) -> dict[str, Path]:
    """Write ``study.json``, the plots and ``study.html``; returns where they are."""
    from personvlm.evaluation.study_html import render
    from personvlm.evaluation.study_plots import draw

    write_json(out / FILE, study)
    kept = json.loads((out / FILE).read_text("utf-8"))  # what is shown is what was written
    draw(kept, out / PLOTS)
    page = out / PAGE
    page.write_text(render(kept, out / PLOTS), "utf-8")
    return {"json": out / FILE, "html": page, "plots": out / PLOTS}
