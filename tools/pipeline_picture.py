"""Draw docs/images/pipeline.svg, the way of an event through the rooms. A test holds file and drawing together.

    python tools/pipeline_picture.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

OUT = Path(__file__).parents[1] / "docs" / "images" / "pipeline.svg"
WIDTH, HEIGHT = 960, 460
WIDE, HIGH = 144, 62

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1b2430; text-anchor: middle }
.small { font-size: 11px; fill: #5a6675 } .room { font: 10.5px ui-monospace, monospace; fill: #2c5aa0 }
.paper { fill: #ffffff } .box { fill: #f2f6fc; stroke: #2c5aa0; stroke-width: 1.2 }
.kept { fill: #fdf5e6; stroke: #a06a1c; stroke-width: 1.2 }
.group { fill: none; stroke: #b9c3d0; stroke-dasharray: 5 4 }
.arrow { fill: none; stroke: #45515f; stroke-width: 1.4; marker-end: url(#tip) }
@media (prefers-color-scheme: dark) {
.paper { fill: #1e2129 } text { fill: #e6eaf0 } .small { fill: #a9b3c1 } .room { fill: #8db8f5 }
.box { fill: #27303f; stroke: #8db8f5 } .kept { fill: #3a3020; stroke: #e0ab5c } .group { stroke: #566172 }
.arrow { stroke: #a9b3c1 } }"""


class Box(NamedTuple):
    """One step: its place by column and row, what it is, and the rooms of the package that hold it."""

    column: float
    row: float
    title: str
    what: str
    rooms: tuple[str, ...]
    kept: bool = False


BOXES = {
    "sources": Box(0, 0, "Sources", "RTSP, files, folders", ("video",)),
    "tracks": Box(1, 0, "Detect, follow", "YOLOX, ByteTrack", ("video",)),
    "triggers": Box(2, 0, "Choose crops", "new, update, end", ("video",)),
    "queue": Box(3, 0, "Queue", "or none, in one process", ("events",), kept=True),
    "others": Box(4, 0, "Others' events", "Frigate, HTTP, archives", ("integrations", "server")),
    "look": Box(0, 1.45, "Look", "encoder: logits, tokens", ("runtime",)),
    "decide": Box(1, 1.45, "Decide", "calibration, fusion", ("runtime",)),
    "write": Box(2, 1.45, "Write", "words under constraint", ("runtime", "language")),
    "store": Box(3, 1.45, "Store", "SQLite, PostgreSQL", ("store",), kept=True),
    "crops": Box(4, 1.45, "Crops", "folder, S3", ("store",), kept=True),
    "search": Box(0, 2.9, "Search", "plain words, looks", ("store",)),
    "alerts": Box(1, 2.9, "Alerts", "rules, webhooks", ("alerts",)),
    "tell": Box(2, 2.9, "Tell", "JSON lines, MQTT", ("pipeline", "integrations")),
    "serve": Box(3, 2.9, "Serve", "HTTP, OpenAI, page", ("server",)),
    "forget": Box(4, 2.9, "Keep, forget", "retention, erase, audit", ("store", "pipeline")),
}
"""The picture. Boxes that are kept on disk have another color."""

GROUPS = (("cameras: personvlm run", 0, 0, 3), ("describing: in that process, or any number of workers", 0, 1.45, 3))
"""Dashed frames: what they say, their first column, their row, how many columns."""

ARROWS = ("sources tracks", "tracks triggers", "triggers queue", "others queue", "look decide", "decide write",
          "write store", "write tell", "store crops", "store serve", "store forget", "store search",
          "store alerts")  # fmt: skip
"""From one box to another; between rows the line bends. The way from the queue to the workers is drawn by itself."""


def picture() -> str:
    """The drawing as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t">',
        '<title id="t">From cameras to search, alerts and answers: the rooms that an event passes</title>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#7b8794"/></marker></defs>',
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
    ]  # fmt: skip
    for title, column, row, columns in GROUPS:
        x, y = _place(column, row)
        wide = columns * (WIDE + 40) - 40
        parts.append(f'<rect class="group" x="{x - 12}" y="{y - 26}" width="{wide + 24}" height="{HIGH + 38}" rx="8"/>')
        parts.append(f'<text class="small" x="{x + wide / 2:g}" y="{y - 11}">{escape(title)}</text>')
    parts += [_arrow(*names.split()) for names in ARROWS]
    parts.append(_to_workers())
    parts += [_drawn(box) for box in BOXES.values()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _place(column: float, row: float) -> tuple[int, int]:
    return round(30 + column * (WIDE + 40)), round(40 + row * (HIGH + 50))


def _drawn(box: Box) -> str:
    x, y = _place(box.column, box.row)
    middle = x + WIDE // 2
    rooms = ", ".join(box.rooms)
    kind = "kept" if box.kept else "box"
    return (f'<rect class="{kind}" x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="7"/>'
            f'<text x="{middle}" y="{y + 20}" font-weight="600">{escape(box.title)}</text>'
            f'<text class="small" x="{middle}" y="{y + 36}">{escape(box.what)}</text>'
            f'<text class="room" x="{middle}" y="{y + 53}">{escape(rooms)}</text>')  # fmt: skip


def _arrow(first: str, second: str) -> str:
    one, other = BOXES[first], BOXES[second]
    if one.row != other.row:
        return _line(one, other)
    (x, y), (to, _) = _place(one.column, one.row), _place(other.column, other.row)
    start, end = (x + WIDE, to - 2) if to > x else (x, to + WIDE + 2)
    return f'<path class="arrow" d="M{start} {y + HIGH // 2}H{end}"/>'


def _line(one: Box, other: Box) -> str:
    """From the lower edge of a box to the upper edge of one in the next row."""
    (x, y), (to, down) = _place(one.column, one.row), _place(other.column, other.row)
    bend = (y + HIGH + down) // 2
    return f'<path class="arrow" d="M{x + WIDE // 2} {y + HIGH}V{bend}H{to + WIDE // 2}V{down - 2}"/>'


def _to_workers() -> str:
    """From the queue down and back to the left, to where people are looked at."""
    (x, y), (to, down) = _place(BOXES["queue"].column, 0), _place(BOXES["look"].column, BOXES["look"].row)
    bend = y + HIGH + 20
    return f'<path class="arrow" d="M{x + WIDE // 2} {y + HIGH}V{bend}H{to - 22}V{down + HIGH // 2}H{to - 2}"/>'


if __name__ == "__main__":
    OUT.write_text(picture(), "utf-8")
    print(OUT)
