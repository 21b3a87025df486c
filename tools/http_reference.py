"""Write docs/http.md, the reference of the HTTP interface, from docs/openapi.json, which a test holds to the server.

    python tools/http_reference.py          write it (after tools/openapi.py, where routes have changed)
    python tools/http_reference.py --check  exit status 1 where page and document differ
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT, OUT = DOCS / "openapi.json", DOCS / "http.md"

Json = Mapping[str, Any]

ORDER = ("describe", "openai", "ollama", "people", "search", "events", "alerts", "admin", "service")
"""Of the tags; others come last, by name."""

USUAL = ("401", "403", "429", "default")
"""Answers that nearly every route has, and that are told once."""

HEAD = """\
# HTTP, route by route

Written by `python tools/http_reference.py` from [openapi.json](openapi.json), which a test holds to the server, and
another this page to it. How to use it, with examples: [server.md](server.md). Patterns of strings stand in
openapi.json only.

| | |
|---|---|
| address | `http://127.0.0.1:8765` by default (`personvlm serve --host --port`) |
| who may | `Authorization: Bearer TOKEN`; on loopback nobody is asked where no token was made |
| scope | `ingest`, `read`, `search`, `admin`, `erase`; `any`: any good token; `public`: none |
| times | seconds since the epoch |
| lists | `limit`, and `next` of an answer as `after` of the following question |
| 401 | no token, or one that is not good (any more) |
| 403 | the token lacks the scope |
| 429 | too much at once; try again after `Retry-After` seconds |
| errors | `application/problem+json`: [Problem](#problem) (OpenAI's and Ollama's own forms on their routes) |
"""


def page(document: Json) -> str:
    """The whole page, of the object in ``openapi.json``."""
    routes = list(_routes(document))
    index = ["| route | scope | |", "|---|---|---|"]
    for title, route in routes:
        index.append(f"| [`{title}`](#{anchor(title)}) | {route['x-scope']} | {_cell(route['summary'])} |")
    parts = [HEAD, "\n".join(index) + "\n"]
    last = ""
    for title, route in routes:
        tag = route["tags"][0]
        parts += [f"## Routes: {tag}\n"] if tag != last else []
        parts.append(_route(title, route))
        last = tag
    parts.append("## Objects\n")
    parts += [_object(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n".join(parts)


def anchor(heading: str) -> str:
    """The address of a heading within its page, as mkdocs and GitHub both make it."""
    return re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-")


def _routes(document: Json) -> Iterator[tuple[str, Json]]:
    """``METHOD /path`` and what is said of it, tag by tag, each in the document's order."""
    found = [(f"{method.upper()} {path}", route) for path, item in document["paths"].items()
             for method, route in item.items()]  # fmt: skip
    tags = {route["tags"][0] for _, route in found}
    for tag in (*(tag for tag in ORDER if tag in tags), *sorted(tags - {*ORDER})):
        yield from ((title, route) for title, route in found if route["tags"][0] == tag)


def _route(title: str, route: Json) -> str:
    lines = [f"### {title}", "", f"*{_cell(route['summary'])}* · scope `{route['x-scope']}`", "",
             _cell(route["description"])]  # fmt: skip
    if route.get("parameters"):
        lines += ["", "| parameter | in | value | default | |", "|---|---|---|---|---|"]
        for one in route["parameters"]:
            default = "*required*" if one.get("required") else _default(one["schema"])
            lines.append(f"| `{one['name']}` | {one['in']} | {_type(one['schema'], null=False)} | {default} | "
                         f"{_cell(one.get('description', ''))} |")  # fmt: skip
    content = [*_content("body", route.get("requestBody", {}))]
    for status, answer in route["responses"].items():
        if status not in USUAL:
            told = "" if answer["description"] == "Successful Response" else answer["description"]
            content += _content(status, answer, told) or [(status, "", _cell(told) or "nothing")]
    lines += ["", "| | as | |", "|---|---|---|", *(f"| {what} | {kind} | {text} |" for what, kind, text in content)]
    return "\n".join(lines) + "\n"


def _content(what: str, holder: Json, told: str = "") -> list[tuple[str, str, str]]:
    """A row per form of a body or an answer; forms that hold the same share one."""
    forms: dict[str, list[str]] = {}
    for kind, media in holder.get("content", {}).items():
        forms.setdefault(_body(media.get("schema", {})), []).append(f"`{kind}`")
    return [(what, ", ".join(kinds), " ".join(filter(None, (text, _cell(told))))) for text, kinds in forms.items()]


def _body(schema: Json) -> str:
    """A whole body: of an object without a name, its fields."""
    if "properties" not in schema:
        return _type(schema)
    needed = schema.get("required", ())
    fields = (f"`{name}` ({_type(field)}{', required' if name in needed else ''})"
              for name, field in schema["properties"].items())  # fmt: skip
    return "fields " + ", ".join(fields)


def _object(name: str, schema: Json) -> str:
    lines = [f"### {name}", ""]
    if "description" in schema:
        lines += [_cell(schema["description"]), ""]
    if not schema.get("properties"):
        return "\n".join([*lines, _type(schema)]) + "\n"
    lines += ["| field | value | default | |", "|---|---|---|---|"]
    for field, kind in schema["properties"].items():
        default = "*always*" if field in schema.get("required", ()) else _default(kind)
        lines.append(f"| `{field}` | {_type(kind)} | {default} | {_cell(kind.get('description', ''))} |")
    return "\n".join(lines) + "\n"


def _type(schema: Json, *, null: bool = True) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{anchor(name)})"
    options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if options:
        return " or ".join(dict.fromkeys(_type(each) for each in options if null or each.get("type") != "null"))
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(_type({**schema, "type": each}) for each in kind)
    if kind == "array":
        items = _type(schema["items"]) if schema.get("items") else "anything"
        limits = _limits(schema, "Items", "").removeprefix(", ")
        return f"list{f' ({limits})' if limits else ''} of {items}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"object of {_type(inner)}" if isinstance(inner, Mapping) and inner else "object"
    if schema.get("format") == "binary":
        return "bytes"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`",
             "null": "`null`"}  # fmt: skip
    if kind == "string":
        return "text" + _limits(schema, "Length", " characters")
    return words.get(kind, str(kind)) + _limits(schema, "imum", "")


def _limits(schema: Json, suffix: str, unit: str) -> str:
    low, high = schema.get(f"min{suffix}"), schema.get(f"max{suffix}")
    if low is not None and high is not None:
        return f", {low:.15g} to {high:.15g}{unit}"
    if high is not None:
        return f", at most {high:.15g}{unit}"
    return "" if low is None else f", at least {low:.15g}{unit}"


def _default(schema: Json) -> str:
    value = schema.get("default")
    return "" if value in (None, "", []) else f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    """Words as Markdown: what stands between backticks is left alone, but for what would end the cell of a table."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    plain = [part if part.startswith("`") else re.sub(r"([\\*_\[\]])", r"\\\1", part).replace("<", "&lt;")
             for part in parts]  # fmt: skip
    return "".join(plain).replace("|", "&#124;")


def wanted() -> str:
    """The page as it should be."""
    return page(json.loads(DOCUMENT.read_text("utf-8")))


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        same = OUT.is_file() and OUT.read_text("utf-8") == wanted()
        sys.exit(None if same else f"{OUT}: stale; run `python tools/http_reference.py`")
    OUT.write_text(wanted(), "utf-8")
    print(OUT)
