"""Fill the README's table of the study from ``docs/study/study.json``, which ``personvlm study`` wrote.

    python tools/readme_study.py          write it
    python tools/readme_study.py --check  exit status 1 where README and study.json differ
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readme_table import filled

from personvlm.evaluation.report import percent

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
STUDY = ROOT / "docs" / "study" / "study.json"
BEGIN, END = "<!-- study:begin -->", "<!-- study:end -->"
_NAMES = {"mA": "mA", "mean": "the mean of six", "cider_d": "CIDEr-D"}
NOTHING = "*Not run yet; `python tools/readme_study.py` fills this in from docs/study/study.json.*"


def _verdict(study: Mapping[str, Any]) -> str:
    """Where edge is better than the stages, and where that is not shown."""
    if not study["differences"]:
        return "Edge was not compared with a stage."
    several = study["not_better"]
    if not several:
        return ("Edge is better than every stage on all three under every budget: no 95 % interval of a difference "
                "reaches zero.")  # fmt: skip
    titles = study["budget_titles"]
    where = dict.fromkeys(f"{_NAMES[item['figure']]} after {titles[item['budget']]}" for item in several)
    counts = [item["different_texts"] for item in several if "different_texts" in item]
    texts = ""
    if counts:
        most, edge = max(each["stage"] for each in counts), min(each["edge"] for each in counts)
        texts = f" (there the stages wrote at most {most} different texts for all pictures, edge {edge})"
    return (f"Edge is not shown to be better on {' and '.join(where)}{texts}; on the rest it is, no 95 % interval "
            "of a difference reaches zero.")  # fmt: skip


def block(study: Mapping[str, Any]) -> str:
    """Markdown of the object of ``study.json``: a row per model and budget, and the baselines under each budget."""
    lines = ["| trained under one rule | begins with | parameters | mean of six | mA | CIDEr-D | published BLEU-4 "
             "| attributes |",
             "|---|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for budget in study["budgets"]:
        lines.append(f"| *{study['budget_titles'][budget]} for each model* | | | | | | | |")
        for entry in study["entries"]:
            if entry["budget"] != budget:
                continue
            name = " with ".join(filter(None, (entry["model"].replace("stage", "stage "), entry["variant"])))
            if "failed" in entry:
                lines.append(f"| {name} | not here: {entry['failed']} | | | | | | |")
            else:
                lines.append(_line(f"{name} | {_start(entry)}", f"{entry['parameters']:,}", entry))
        lines += [_line(f"{row['title']} |", "", row) for row in study["baselines"][budget].values() if row["scores"]]
    threads = {entry["machine"]["threads"] for entry in study["entries"] if "failed" not in entry}
    processors = {entry["machine"]["processor"] for entry in study["entries"] if "failed" not in entry}
    data = study["data"]
    verdict = _verdict(study)
    if len({_start(entry) for entry in study["entries"] if "failed" not in entry}) > 1:
        verdict += (" Where a model begins with random numbers, its pretrained weights could not be had here, and that "
                    "is part of the difference.")  # fmt: skip
    seed = study["seed"]["stages"][-1]
    lines += [
        "",
        f"{data['test']:,} pictures of {data['people']:,} unseen people; {' and '.join(map(str, sorted(threads)))} "
        f"threads of {' and '.join(sorted(processors))}, {study['made']}. {verdict} The first three are read from the "
        "text and judged by human labels or by captions realised from them. `published` is the published study's own "
        f"computation, which gave its best model BLEU-4 {percent(seed['bleu_4'])}; here stands what it gives a "
        "sentence that never saw a picture. [The whole report](docs/study/study.html).",
    ]
    return "\n".join(lines)


def _start(entry: Mapping[str, Any]) -> str:
    """What was pretrained, in three words."""
    parts = [name for name in ("encoder", "decoder")
             if entry["weights"].get(name, {}).get("source", "random") != "random"]  # fmt: skip
    return f"pretrained {' and '.join(parts)}" if parts else "random numbers"


def wanted() -> str:
    """The README as it should be."""
    text = block(json.loads(STUDY.read_text("utf-8"))) if STUDY.is_file() else NOTHING
    return filled(README.read_text("utf-8"), text, BEGIN, END)


def _line(name: str, parameters: str, row: Mapping[str, Any]) -> str:
    facts, text, published = row["scores"]["facts"], row["scores"]["text"], row["published"]
    cells = [name, parameters, percent(facts["groups"]["mean"]["accuracy"]), percent(facts["mA"]["value"]),
             f"{text['cider_d']['value']:.2f}", percent(published["text"]["bleu_4"]["value"]),
             percent(published["attributes"]["mean"]["value"])]  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        fresh = README.read_text("utf-8") == wanted()
        sys.exit(None if fresh else "README.md: its table of the study is stale; run `python tools/readme_study.py`")
    README.write_text(wanted(), "utf-8")
