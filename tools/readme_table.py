"""Fill the table of README and model card from the shipped weights' ``metrics.json``: no figure is typed by hand.

    python tools/readme_table.py          write it
    python tools/readme_table.py --check  exit status 1 where README and metrics differ
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from personvlm.evaluation.facts import HEADLINE
from personvlm.evaluation.report import ROWS, percent

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CARD = ROOT / "src" / "personvlm" / "weights" / "edge" / "MODEL_CARD.md"
METRICS = ROOT / "src" / "personvlm" / "weights" / "edge" / "metrics.json"
BEGIN, END = "<!-- metrics:begin -->", "<!-- metrics:end -->"
NOTHING = "*No weights are shipped yet; `make table` fills this in from their metrics.json.*"


def table(metrics: Mapping[str, Any]) -> str:
    """Markdown of what ``metrics.json`` holds: ``parameters`` and, under ``test``,
    the object of ``evaluate --json``."""
    test = metrics["test"]
    text, heads, said = test["text"], test["heads"], test["said"]
    names = (*HEADLINE, "mean")
    lines = [
        "| " + " | ".join(["said in the sentence", *names]) + " |",
        "|---" + "|---:" * len(names) + "|",
    ]
    for title, key in ROWS:
        if key == "majority":
            cells = [text[name]["majority"] for name in names]
        else:
            cells = [(text if key == "text" else test["baselines"][key])[name]["accuracy"] for name in names]
        bold = "**" if key == "text" else ""
        lines.append("| " + " | ".join([title, *(f"{bold}{percent(cell)}{bold}" for cell in cells)]) + " |")
    lines += [
        "",
        f"{test['n']:,} pictures of {test['people']:,} people whom the model never saw (PETA's test split), "
        f"{metrics['parameters']:,} parameters. "
        "Read back from the generated sentences; every person counts once; bag is balanced accuracy. "
        f"The attribute heads by themselves, per picture over PETA's 35 usual labels: mA {percent(heads['mA'])}, "
        f"F1 {percent(heads['F1'])}. "
        f"At the default thresholds a sentence states {said['groups']:.1f} groups on average, and "
        f"{percent(said['accuracy'])} of what it states is right. "
        f"Well-formed: {percent(test['quality']['pass_rate'])}; "
        f"in agreement with its own JSON: {percent(test['consistency'])}.",
    ]
    return "\n".join(lines)


def filled(document: str, block: str, begin: str = BEGIN, end: str = END) -> str:
    """``document`` with ``block`` between the two markers."""
    before, rest = document.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{block}\n{end}{after}"


def wanted(document: Path = README) -> str:
    """The README, or the model card, as it should be."""
    block = table(json.loads(METRICS.read_text("utf-8"))) if METRICS.is_file() else NOTHING
    return filled(document.read_text("utf-8"), block)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        stale = [path.name for path in (README, CARD) if path.read_text("utf-8") != wanted(path)]
        sys.exit(f"{' and '.join(stale)}: the table is stale; run `make table`" if stale else None)
    for path in (README, CARD):
        path.write_text(wanted(path), "utf-8")
