"""``study.json``: everything that the report says, from the folders of the entries. Torch-free."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.evaluation.baselines import BASELINES, CONSTANT, majority_values
from personvlm.evaluation.facts import values_of_annotations
from personvlm.evaluation.protocols import clean, published
from personvlm.evaluation.protocols.references import origin, raw_references
from personvlm.evaluation.study_ablations import ABLATIONS
from personvlm.evaluation.study_compare import FIGURES, Comparison, failures, viewpoint
from personvlm.evaluation.study_plan import EDGE, Entry
from personvlm.evaluation.study_score import Said, read_said
from personvlm.evaluation.study_seed import SEED
from personvlm.language.normalise import normalise
from personvlm.language.realiser import realise
from personvlm.metrics import tokens

VERSION = 1
FILE = "study.json"

FALLING = 0.01
"""A loss was still falling if it fell by more than this share of itself over the last quarter of the budget."""

POINTS = 80
"""Points of a loss curve that are kept."""

Texts = Mapping[str, Sequence[str] | None]


def gathered(entries: Sequence[Entry], ablations: Sequence[str], out: Path, samples: Sequence[Sample],
             views: Sequence[Sample], counts: Mapping[str, int], *, resamples: int = 1000,
             say: Callable[[str], None] = lambda sentence: None) -> dict[str, Any]:  # fmt: skip
    """The object of ``study.json``.

    Args:
        entries: of the study and its ablations, done or failed.
        ablations: which of them were asked for.
        out: holds a folder per entry.
        samples, views: what they were tested on.
        counts: ``training`` and ``validation`` samples.
        say: told what is being scored.
    """
    scoring = _Scoring(samples, views, resamples)
    mains = [entry for entry in entries if not entry.ablation]
    rows, texts = [], {}
    for entry in mains:
        say(f"scoring {entry.key}")
        row, said = _row(entry, out, scoring)
        rows.append(row)
        if said:
            texts[entry.key] = said
    done = [json.loads((out / entry.key / "result.json").read_text("utf-8")) for entry in entries
            if (out / entry.key / "result.json").is_file()]  # fmt: skip
    labels = done[0]["scores"]["details"]["labels"] if done else {}
    different = {key: len({one.text for one in said}) for key, said in texts.items()}
    baselines, differences, not_better = {}, {}, list[dict[str, Any]]()
    for budget in dict.fromkeys(entry.budget.name for entry in mains):
        edge = next((entry.key for entry in mains if entry.model == EDGE and entry.budget.name == budget), None)
        say(f"scoring the baselines beside {budget}")
        baselines[budget] = scoring.baselines(texts.get(edge or "", []))
        if edge in texts:
            differences[budget] = {
                key: _judged(scoring.comparison.difference(_said(texts[edge]), _said(said)))
                for key, said in texts.items() if key != edge and key.endswith(f"-{budget}")
            }  # fmt: skip
            not_better += [
                {"budget": budget, "key": key, "figure": name, **difference[name],
                 "different_texts": {"edge": different[edge], "stage": different[key]}}
                for key, difference in differences[budget].items() for name in FIGURES
                if difference[name]["verdict"] != "better"
            ]  # fmt: skip
    identities = scoring.comparison.identities
    people = len({*identities} - {None}) + identities.count(None)
    return {
        "version": VERSION, "made": date.today().isoformat(),
        "protocols": {"clean": clean.VERSION, "published": published.VERSION},
        "data": {**counts, "test": len(samples), "people": people, "views": len(views),
                 "references": origin(samples, "clean"), "published_rows": published.ROWS},
        "labels_in_mA": [name for name, label in labels.items() if label["in_mA"]],
        "budgets": list(baselines),
        "budget_titles": {entry.budget.name: entry.budget.title for entry in mains},
        "entries": rows, "baselines": baselines, "differences": differences,
        "not_better": not_better,
        "ablations": {name: _ablation(name, entries, out) for name in ablations},
        "seed": dict(SEED),
    }  # fmt: skip


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two objects of ``study.json`` as one, where the same was tested under different budgets, on whatever days. The
    date is that of the later one whose models stand in the tables; ablations alone leave it as it was.

    Raises:
        InputError: they were tested on different pictures or by different rules, or share a budget.
    """
    for name in ("version", "protocols", "data", "labels_in_mA"):
        if first[name] != second[name]:
            raise InputError(f"studies differ in {name!r} and cannot stand in one report: {first[name]} and "
                             f"{second[name]}")  # fmt: skip
    if twice := sorted({*first["budgets"]} & {*second["budgets"]} | {*first["ablations"]} & {*second["ablations"]}):
        raise InputError(f"both studies have {', '.join(twice)}; a report shows each budget and ablation once")
    lists = {name: [*first[name], *second[name]] for name in ("budgets", "entries", "not_better")}
    tables = {name: {**first[name], **second[name]}
              for name in ("budget_titles", "baselines", "differences", "ablations")}  # fmt: skip
    made = max(first["made"], second["made"]) if second["budgets"] else first["made"]
    return {**second, **lists, **tables, "made": made}


class _Scoring:
    """The same scores for models and baselines."""

    def __init__(self, samples: Sequence[Sample], views: Sequence[Sample], resamples: int) -> None:
        self.samples, self.views, self.resamples = samples, views, resamples
        self.comparison = Comparison(samples, resamples)
        self.scorer = clean.Scorer(samples, resamples=resamples)
        self.raw = raw_references(samples)

    def scores(self, texts: Sequence[str]) -> dict[str, Any]:
        """Protocol ``clean``, failure modes."""
        return {**self.scorer.score(texts), "failures": failures(texts, self.samples, self.resamples)}

    def published(self, texts: Sequence[str]) -> dict[str, Any] | None:
        """Protocol ``published``; None without nltk."""
        if not tokens.available():
            return None
        return published.score(texts, self.raw, self.comparison.identities, resamples=self.resamples)

    def baselines(self, edge: Sequence[Said]) -> dict[str, Any]:
        """Every baseline row: ``scores``, ``published``, ``note``; the two that are made from edge need its texts."""
        majority = realise(majority_values(self.samples))
        count, missing = len(self.samples), "needs edge, which was not trained here under this budget"
        texts: dict[str, tuple[Sequence[str] | None, str]] = {
            "constant_sentence": ([normalise(CONSTANT)] * count, CONSTANT),
            "majority_class": ([majority] * count, majority),
            "true_labels": ([realise(values_of_annotations(sample.annotations)) for sample in self.samples],
                            "the canonical sentence of the human labels"),
            "predicted_heads": ([one.heads for one in edge] or None, "of edge under the same budget, --say all"
                                if edge else missing),
            "nearest_caption": ([one.nearest for one in edge] or None, "by edge's embedding, among training pictures"
                                if edge else missing),
        }  # fmt: skip
        rows = {}
        for name in BASELINES:
            given, note = texts[name]
            raw = [CONSTANT] * count if name == "constant_sentence" else given
            rows[name] = {"title": BASELINES[name], "note": note,
                          "scores": None if given is None else self.scores(given),
                          "published": None if raw is None else self.published(raw)}  # fmt: skip
        return rows


def _row(entry: Entry, out: Path, scoring: _Scoring) -> tuple[dict[str, Any], list[Said]]:
    folder = out / entry.key
    base = {"key": entry.key, "model": entry.model, "variant": entry.variant, "budget": entry.budget.name}
    if not (folder / "result.json").is_file():
        return {**base, "failed": _failed(folder)["failed"]}, []
    result = json.loads((folder / "result.json").read_text("utf-8"))
    said = read_said(folder / "described.jsonl")
    views = read_said(folder / "views.jsonl")
    texts = _said(said)
    kept = ("parameters", "trainable", "budget_share", "parts", "weights", "used", "machine", "cost", "height", "width",
            "encoder", "settings")  # fmt: skip
    return {
        **base, **{name: result[name] for name in kept}, "clock": entry.budget.clock, "unit": entry.budget.unit,
        "curve": curve(folder / "curves.csv"), "scores": scoring.scores(texts), "published": scoring.published(texts),
        "nll_per_character": result["scores"]["nll_per_character"],
        "viewpoint": viewpoint(_said(views), scoring.views, scoring.resamples) if views else None,
    }, said  # fmt: skip


def curve(path: Path) -> dict[str, Any]:
    """A run's curves: ``loss`` (crops, training loss, means over :data:`POINTS` stretches), ``validation`` (crops,
    seconds, NLL per character), ``loss_per_token`` (of the stages, the last), ``fall`` (share of the NLL over the last
    quarter of the crops), ``falling``."""
    series: dict[str, list[tuple[int, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            series.setdefault(row["name"], []).append((int(row["step"]), float(row["value"])))
    clock = dict(series.get("clock.crops", []))
    seconds = dict(series.get("clock.seconds", []))
    nll = list(series.get("val.nll_per_character", []))
    nll += [(step, value * float(np.log(2))) for step, value in series.get("val.bits_per_byte", [])]
    batch = clock[max(clock)] / (max(clock) + 1)
    losses = series["loss"]
    parts = np.array_split(np.arange(len(losses)), min(POINTS, len(losses)))
    validation = [{"crops": clock[step], "seconds": seconds[step], "nll_per_character": value} for step, value in nll]
    fall = None
    if len(validation) > 1:
        last = validation[-1]
        before = [each for each in validation[:-1] if each["crops"] <= 0.78 * last["crops"]] or validation[:1]
        fall = 1.0 - last["nll_per_character"] / before[-1]["nll_per_character"]
    return {
        "loss": [{"crops": round(batch * (losses[rows[-1]][0] + 1)),
                  "loss": round(float(np.mean([losses[row][1] for row in rows])), 5)} for rows in parts],
        "validation": validation, "fall": fall, "falling": None if fall is None else fall > FALLING,
        "loss_per_token": series["val.loss"][-1][1] if "val.loss" in series else None,
    }  # fmt: skip


def _ablation(name: str, entries: Sequence[Entry], out: Path) -> dict[str, Any]:
    ablation = ABLATIONS[name]
    rows = []
    for variant in ablation.rows:
        entry = next(each for each in entries if each.ablation and (each.model, each.variant) ==
                     (variant.model, variant.name))  # fmt: skip
        folder = out / entry.key
        row: dict[str, Any] = {"title": variant.title, "key": entry.key, "budget": entry.budget.name}
        if (folder / "result.json").is_file():
            result = json.loads((folder / "result.json").read_text("utf-8"))
            scores = {part: result["scores"][part] for part in ("text", "facts", "nll_per_character")}
            kept = ("parameters", "trainable", "weights", "used", "cost", "encoder")
            row |= {**{part: result[part] for part in kept}, "scores": scores}
        else:
            failed = _failed(folder)
            row |= {part: failed[part] for part in ("failed", "cost") if part in failed}
            if variant.needs:
                row["failed"] = f"random initialisation, so not trained: {failed['failed']}"
        rows.append(row)
    return {"question": ablation.question, "about": ablation.about, "rows": rows}


def _failed(folder: Path) -> dict[str, Any]:
    """What :func:`~personvlm.evaluation.study.run_study` kept of an entry that is not there."""
    file = folder / "failed.json"
    kept: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {"failed": "not done yet"}
    return kept


def _judged(difference: dict[str, Any]) -> dict[str, Any]:
    """With a verdict: the interval lies above 0, below it, or on both sides."""
    for item in difference.values():
        low, high = item["interval"]
        known = low is not None and high is not None
        item["verdict"] = "better" if known and low > 0 else "worse" if known and high < 0 else "undecided"
    return difference


def _said(said: Sequence[Said]) -> list[str]:
    return [one.text for one in said]
