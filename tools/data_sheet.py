"""Fill the figures of docs/data-sheet.md from the data sets, which are not in the repository.

    python tools/data_sheet.py [DATA]          write them; DATA is $PERSONVLM_ASSETS/data by default
    python tools/data_sheet.py [DATA] --check  exit status 1 where page and data differ

Counts are those of ``personvlm data stats``; nothing but counts of labels leaves a data set.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from readme_table import filled

from personvlm.data.readers import read_orientation, read_samples
from personvlm.data.sample import Sample
from personvlm.data.stats import stats
from personvlm.schema import GROUPS
from personvlm.training.drawn import TAUGHT
from personvlm.training.recipe import Recipe

PAGE = Path(__file__).parents[1] / "docs" / "data-sheet.md"
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
RARE = 100

Stats = Mapping[str, Any]
SETS = {"PETA train": ("peta", "train"), "PETA val": ("peta", "val"), "PETA test": ("peta", "test"),
        "CCP": ("ccp", "all"), "Clothing Attribute": ("clothing_attribute", "all")}  # fmt: skip
USED = {"PETA train": "training", "PETA val": "thresholds, temperatures, choices", "PETA test": "figures",
        "CCP": "training", "Clothing Attribute": "training", "orientation train": "training",
        "orientation test": "re-ID between two cameras"}  # fmt: skip
SHOWN = {
    "gender": ("male", "female"), "age": ("child", "young adult", "thirties", "middle-aged", "elderly"),
    "hair.color": ("black",), "headwear": ("none",), "upper.color": ("black",), "upper.sleeve": ("long",),
    "lower.color": ("black",), "upper.style": ("formal",), "carrying": ("bag", "none"),
}  # fmt: skip
"""Values whose shares say whom a set shows."""


def read(data: Path) -> dict[str, list[Sample]]:
    """The sets by the names of this page.

    Raises:
        InputError: a set is not there, or not what its reader expects.
    """
    found = {name: read_samples(data / folder / f"{part}.jsonl", folder) for name, (folder, part) in SETS.items()}
    for part in ("train", "test"):
        found[f"orientation {part}"] = read_orientation(data / "orientation" / "all.jsonl", split=part)
    return found


def block(sets: Mapping[str, Sequence[Sample]]) -> str:
    """The tables, as Markdown."""
    counted = {name: stats(samples) for name, samples in sets.items()}
    return "\n".join([_sizes(counted), _shares(counted), _cameras(sets["PETA train"]), _labelled(counted),
                      _rare(counted)])  # fmt: skip


def _sizes(counted: Mapping[str, Stats]) -> str:
    rows = []
    for name, one in counted.items():
        width, height = (one["sizes"][side] for side in ("width", "height"))
        people = f"{one['identities']:,}" if one["identities"] else "not named"
        rows.append((name, f"{one['samples']:,}", people, f"{width['median']}×{height['median']}",
                     " to ".join(dict.fromkeys((str(height["min"]), str(height["max"])))), USED[name]))  # fmt: skip
    rows.append(("drawn people", f"{Recipe().rendered:,}", "of no person", "128×256", "256", "training"))
    head = "| set | pictures | people | pixels, median | height | used for |\n|---|---:|---:|---:|---:|---|"
    return _table(head, rows)


def _shares(counted: Mapping[str, Stats]) -> str:
    names = [name for name in counted if any(counted[name]["groups"][group]["annotated"] for group in SHOWN)]
    rows = []
    for group, values in SHOWN.items():
        for value in values:
            cells = []
            for name in names:
                one = counted[name]["groups"][group]
                known = one["annotated"] - one["partial"]
                cells.append(_percent(one["values"].get(value, 0), known) if known and _told(one, value) else "–")
            rows.append((f"`{group}` {value}", *cells))
    head = f"Whom they show: share of the pictures whose label is certain.\n\n| | {' | '.join(names)} |\n|---|"
    return _table(head + "---:|" * len(names), rows)


def _told(group: Stats, value: str) -> bool:
    """Whether a set tells a value at all: one that only knows who has none has no share to compare."""
    return value in group["values"] and len(group["values"]) > 1


def _cameras(samples: Sequence[Sample]) -> str:
    pictures: Counter[str] = Counter()
    people: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        name = (sample.identity or "").split("/")[0]
        pictures[name] += 1
        people[name].add(sample.identity or "")
    rows = [(name, f"{count:,}", f"{len(people[name]):,}", f"{count / len(people[name]):.1f}")
            for name, count in pictures.most_common()]  # fmt: skip
    return _table("Where PETA's training pictures come from.\n\n"
                  "| collection | pictures | people | pictures of each |\n|---|---:|---:|---:|", rows)  # fmt: skip


def _labelled(counted: Mapping[str, Stats]) -> str:
    names = ["PETA train", "CCP", "Clothing Attribute", "orientation train"]
    rows = []
    for group in GROUPS:
        cells = []
        for name in names:
            one, total = counted[name]["groups"][group.name], counted[name]["samples"]
            certain = one["annotated"] - one["partial"]
            partly = f" + {_percent(one['partial'], total)}" if one["partial"] else ""
            cells.append(_percent(certain, total) + partly if one["annotated"] else "–")
        rows.append((f"`{group.name}`", *cells, "yes" if group.name in TAUGHT else "–"))
    return _table("What is labelled: share of the pictures with a certain label, + with one that leaves several values "
                  f"open (\"no sunglasses\").\n\n| group | {' | '.join(names)} | drawn people |\n|---|"
                  + "---:|" * (len(names) + 1), rows)  # fmt: skip


def _rare(counted: Mapping[str, Stats]) -> str:
    """Values that few real pictures show."""
    total: Counter[tuple[str, str]] = Counter()
    for name in ("PETA train", "CCP", "Clothing Attribute", "orientation train"):
        for group, one in counted[name]["groups"].items():
            total.update({(group, value): count for value, count in one["values"].items()})
    rare = [(group.name, ", ".join(f"{value} {total[group.name, value]}" for value in group.values
                                   if 0 < total[group.name, value] < RARE)) for group in GROUPS]  # fmt: skip
    head = f"Values that fewer than {RARE} real training pictures show for certain, and how many do."
    rows = [(f"`{name}`", values) for name, values in rare if values]
    return _table(f"{head}\n\n| group | values |\n|---|---|", rows)


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 1 or not part else f"{share:.1f} %"


def _table(head: str, rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def wanted(data: Path) -> str:
    """The page as it should be."""
    return filled(PAGE.read_text("utf-8"), block(read(data)), BEGIN, END)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--check"]
    place = Path(given[0]) if given else Path(os.environ.get("PERSONVLM_ASSETS", "../shared"), "data")
    text = wanted(place)
    if "--check" in sys.argv[1:]:
        sys.exit(None if PAGE.read_text("utf-8") == text else f"{PAGE}: stale; run `python tools/data_sheet.py`")
    PAGE.write_text(text, "utf-8")
    print(PAGE)
