"""The study: every model trained under every budget and scored on the same people. Torch-free to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from personvlm.base.errors import InputError
from personvlm.evaluation.study_plan import EDGE, Entry, held_out
from personvlm.training.budget import Budget

ALIKE = MappingProxyType({"precision": "bf16"})
"""Every stage computes in edge's precision, or equal minutes would not be equal: on a CPU with bfloat16 a step takes
half as long as in float32."""


def planned(models: Sequence[str], budgets: Sequence[Budget],
            settings: Mapping[str, Mapping[str, str]] | None = None) -> list[Entry]:  # fmt: skip
    """Every model under every budget, with the recipes' settings changed by ``settings`` (model -> name -> value)."""
    given = settings or {}
    return [Entry(model, budget, settings={**(ALIKE if model != EDGE else {}), **given.get(model, {})})
            for budget in budgets for model in models]  # fmt: skip


def announced(entries: Sequence[Entry]) -> str:
    """What training will take, as far as it can be told beforehand."""
    minutes = sum(entry.budget.amount for entry in entries if entry.budget.unit == "minutes")
    epochs = [entry for entry in entries if entry.budget.unit == "epochs"]
    parts = []
    if minutes:
        timed = len(entries) - len(epochs)
        parts.append(f"{timed} models in {minutes:g} minutes of training")
    if epochs:
        names = ", ".join(entry.key for entry in epochs)
        parts.append(f"{len(epochs)} by epochs, which take as long as they take ({names})")
    return (f"{' and '.join(parts)}; decoding, validation and describing the test people come on top. A study that is "
            "stopped goes on where it was.")  # fmt: skip


def run_study(data: Path, out: Path, entries: Sequence[Entry], *, people: int = 0, limit: int = 0,
              tokenizer: Path | None = None, say: Callable[[str], None] = print,
              quiet: bool = False) -> list[dict[str, Any]]:  # fmt: skip
    """Train, describe and score every entry that is not done yet; one result each, in order.

    An entry that cannot be had (no tokenizer, say) does not stop the others: its result has ``failed``, the reason.

    Raises:
        InputError: there is nothing to train or to test on, or all entries failed.
    """
    from personvlm.evaluation.study_torch import Job, run_entry, write_json

    samples = held_out(data, people, limit)
    out.mkdir(parents=True, exist_ok=True)
    job = Job(data, out, samples, tokenizer, say, quiet)
    say(announced(entries))
    results = []
    for number, entry in enumerate(entries, 1):
        say(f"{number} of {len(entries)}: {entry.key}")
        try:
            results.append(run_entry(entry, job))
        except InputError as error:
            say(f"{entry.key}: failed: {error}")
            failed = {"key": entry.key, "model": entry.model, "variant": entry.variant, "failed": str(error)}
            write_json(out / entry.key / "failed.json", failed)
            results.append(failed)
        else:
            (out / entry.key / "failed.json").unlink(missing_ok=True)
    if all("failed" in result for result in results):
        raise InputError(f"no model could be trained; {results[0]['failed']}")
    return results
