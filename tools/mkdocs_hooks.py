"""What `mkdocs.yml` cannot say: the order of the pages, and what becomes of links out of `docs/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

SECTIONS = {
    "Use it": ("python", "cli", "languages", "video", "search", "alerts", "server", "http", "frigate", "mqtt",
               "supervision", "files"),
    "Run it": ("deploy", "queues", "store", "privacy", "threat-model", "observability", "bench"),
    "The model": ("engine", "confidence", "evaluation", "train", "stages", "study", "compress", "experiments",
                  "model-card", "data-sheet", "architecture"),
}  # fmt: skip
"""Pages that do not exist are left out; pages that nobody named come last."""

OUTSIDE = re.compile(r"(?<!!)\[([^\]]*)\]\((?:\.\./)+[^)]*\)")


def pages(docs: Path) -> list[Any]:
    """The navigation, as mkdocs wants it."""
    there = {path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md")} - {"index"}
    nav: list[Any] = [{"PersonVLM": "index.md"}]
    for title, names in SECTIONS.items():
        found = [f"{name}.md" for name in names if name in there]
        nav += [{title: found}] if found else []
    rest = sorted(there - {name for names in SECTIONS.values() for name in names})
    return nav + ([{"More": [f"{name}.md" for name in rest]}] if rest else [])


def on_config(config: Any) -> Any:
    """Called by mkdocs once."""
    config["nav"] = pages(Path(config["docs_dir"]))
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page: the site does not hold the source, so that links into it become plain text."""
    return OUTSIDE.sub(r"\1", markdown)
