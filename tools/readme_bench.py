"""Fill the README's figures of speed from ``docs/bench.json``, which ``personvlm bench`` wrote: none is typed by hand.

    python tools/readme_bench.py          write them
    python tools/readme_bench.py --check  exit status 1 where README and bench.json differ
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readme_table import filled

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BENCH = ROOT / "docs" / "bench.json"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
NOTHING = "*Not measured yet; `make bench` fills this in from docs/bench.json.*"


def block(result: Mapping[str, Any]) -> str:
    """Markdown of the JSON of ``personvlm bench``."""
    latency, words = result["latency_ms"], result["tokens"]["mean"]
    best = max(result["batches"], key=lambda row: row["per_s"])
    rows = {
        f"one description ({words:.0f} words), from the bytes of a JPEG to JSON":
            f"p50 {_ms(latency['p50'])}, p99 {_ms(latency['p99'])}",
        f"descriptions a second, batches of {best['batch']}": f"{best['per_s']:.0f}",
        "`personvlm describe one.jpg`, the whole process": f"{result['start_up_s']['p50']:.2f} s",
        "memory of a process that describes": f"{result['memory']['peak_mb']:.0f} MB",
    }  # fmt: skip
    for row in result["load"]:
        if row["share"] == 0.8:
            rows["wait in the queue at 80 % of capacity (Poisson), p99"] = _ms(row["wait_ms"]["p99"])
    if "cameras" in result:
        rows[f"cameras at one description a second each, p99 under {result['cameras']['limit_ms']:.0f} ms"] = (
            str(result["cameras"]["cameras"]))  # fmt: skip
    if "compare" in result:
        times = {row["name"]: row["ms"]["p50"] for row in result["compare"]["contestants"]}
        for name in times:
            ratio = result["compare"]["ratios"].get(name, 1)
            factor = "" if ratio == 1 else f", {ratio:.0f} times faster"
            rows[f"in turns, p50: {name}"] = f"{_ms(times[name])}{factor}"
    lines = ["| measured | here |", "|---|---:|", *(f"| {name} | {figure} |" for name, figure in rows.items()), ""]
    rough = "" if result["effort"] >= 1 else " A quick run: figures scatter."
    day, source = result["began"][:10], result["pictures"]["source"]
    lines.append(f"{result['model']['name']} on {result['line']}; {day}, {source}.{rough} "
                 "[What is measured how](docs/bench.md).")  # fmt: skip
    return "\n".join(lines)


def wanted() -> str:
    """The README as it should be."""
    text = block(json.loads(BENCH.read_text("utf-8"))) if BENCH.is_file() else NOTHING
    return filled(README.read_text("utf-8"), text, BEGIN, END)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.1f} ms" if milliseconds < 100 else f"{milliseconds:,.0f} ms"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        fresh = README.read_text("utf-8") == wanted()
        sys.exit(None if fresh else "README.md: its figures of speed are stale; run `python tools/readme_bench.py`")
    README.write_text(wanted(), "utf-8")
