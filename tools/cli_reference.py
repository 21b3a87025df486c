"""Write docs/cli.md, the reference of the command line, from the commands themselves: the page cannot be stale.

    python tools/cli_reference.py          write it
    python tools/cli_reference.py --check  exit status 1 where page and commands differ

Read from what each command declares, never from a help screen: those differ with the width of a terminal.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.models import ParameterInfo

from personvlm.cli.app import app

OUT = Path(__file__).parents[1] / "docs" / "cli.md"

ENVIRONMENT = {
    "PERSONVLM_ASSETS": "a folder with data and pretrained weights; looked into before anything is fetched",
    "PERSONVLM_OFFLINE": "anything but `0`: never fetch an asset",
    "PERSONVLM_STORE": "the store of commands that name it below as the default of their `--store`",
    "PERSONVLM_FRIGATE_PASSWORD": "of the user in `frigate --frigate https://user@host:8971`",
}  # fmt: skip
"""Variables that the program reads. A test compares the names with the source."""

HEAD = """\
# The command line

Every command and every option, written by `python tools/cli_reference.py` from the commands themselves; a test holds
the two together. What to do with them stands in the pages that [index.md](index.md) lists.

```console
$ personvlm --version
$ personvlm describe --help
```

| exit status | when |
|---|---|
| 0 | all went well |
| 1 | something could not be handled (one line on stderr names it; the others were handled), or a check failed |
| 2 | the command was not understood |

Progress and errors go to stderr. File names that are no text come out as `\\udcXX`, which JSON allows.
"""


def page() -> str:
    """The whole page."""
    commands = list(_walk("personvlm", typer.main.get_command(app)))
    variables = ["| variable | what it says |", "|---|---|",
                 *(f"| `{name}` | {what} |" for name, what in ENVIRONMENT.items())]  # fmt: skip
    index = ["| command | what it does |", "|---|---|"]
    for name, command in commands:
        first = (command.help or "").split("\n\n")[0]
        index.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(re.split(r'(?<=[.]) ', _line(first))[0])} |")
    parts = [HEAD, "\n".join(variables) + "\n", "\n".join(index) + "\n"]
    parts += [_section(name, command) for name, command in commands]
    return "\n".join(parts)


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that does something, in the order of ``--help``; a group is only a name before its commands."""
    if not hasattr(command, "commands"):
        yield name, command
    for under, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from _walk(f"{name} {under}", child)


def _section(name: str, command: Any) -> str:
    hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    usage = [name, *map(_usage, arguments), *(["[OPTIONS]"] if options else [])]
    lines = [f"## {name}", "", "\n\n".join(_cell(part) for part in (command.help or "").split("\n\n")), "",
             "```text", " ".join(usage), "```"]  # fmt: skip
    if arguments:
        lines += ["", "| argument | value | default | |", "|---|---|---|---|"]
        lines += [_row(f"`{each.name}`", each, hints) for each in arguments]
    if options:
        lines += ["", "| option | value | default | |", "|---|---|---|---|"]
        lines += [_row(", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts)), each, hints)
                  for each in options]  # fmt: skip
    return "\n".join(lines) + "\n"


def _usage(argument: Any) -> str:
    """An argument as it stands in a command: in brackets where it can be left out, with dots where it may repeat."""
    plain = _bare(argument.metavar) if argument.metavar else argument.name.upper()
    several = "..." if argument.nargs == -1 else ""
    return f"{plain}{several}" if argument.required else f"[{plain}{several}]"


def _bare(metavar: str) -> str:
    """A metavar without the brackets and dots that say "may be left out" and "several": those are known otherwise."""
    inner = metavar[1:-1] if metavar.startswith("[") and metavar.endswith("]") else metavar
    return inner.removesuffix("...")


def _row(names: str, parameter: Any, hints: dict[str, Any]) -> str:
    cells = (names, _value(parameter, hints[parameter.name]), _default(parameter), _cell(parameter.help or ""))
    return f"| {' | '.join(cells)} |"


def _value(parameter: Any, hint: Any) -> str:
    """What may be given: a flag takes nothing, a choice one of its words, others a word that says the kind."""
    if getattr(parameter, "is_flag", False):
        return ""
    kind, declared = _kind(hint), _declared(hint)
    if get_origin(kind) is Literal:
        text = " or ".join(f"`{word}`" for word in get_args(kind))
    elif parameter.metavar:
        text = " or ".join(f"`{word}`" for word in _bare(parameter.metavar).split("|"))
    else:
        names = {int: "N", float: "X", str: "TEXT"}
        kinds = get_args(kind) if get_origin(kind) is tuple else (kind,)
        text = "`" + " ".join("PATH" if issubclass(each, PurePath) else names[each] for each in kinds) + "`"
    low, high = declared.min, declared.max
    if low is not None or high is not None:
        text += ", " + " to ".join(f"{limit:g}" for limit in (low, high) if limit is not None)
        text += " or more" if high is None else " at most" if low is None else ""
    return f"{text}; repeatable" if getattr(parameter, "multiple", False) or parameter.nargs == -1 else text


def _declared(hint: Any) -> ParameterInfo:
    """What ``Annotated`` says of a parameter; nothing of one that is only a name and a type."""
    found = (each for each in getattr(hint, "__metadata__", ()) if isinstance(each, ParameterInfo))
    return next(found, ParameterInfo())


def _kind(hint: Any) -> Any:
    """The type of one value: without ``Annotated``, ``| None`` and ``list``."""
    while True:
        inner = [each for each in get_args(hint) if each is not type(None)]
        origin = get_origin(hint)
        if hasattr(hint, "__metadata__"):
            hint = hint.__origin__
        elif origin is list or (origin not in (None, Literal, tuple) and len(inner) == 1):
            hint = inner[0]
        else:
            return hint


def _default(parameter: Any) -> str:
    variable = f"`${parameter.envvar}`, else " if parameter.envvar else ""
    if parameter.required:
        return "*required*"
    value = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    if value in (None, "", ()) or (value is False and not parameter.secondary_opts):
        return variable.removesuffix(", else ")
    if isinstance(value, bool):
        return f"`{(parameter.opts if value else parameter.secondary_opts)[0]}`"
    if isinstance(value, tuple):
        return variable + "`" + " ".join(f"{each:g}" for each in value) + "`"
    if isinstance(value, PurePath):
        return f"{variable}`{value.as_posix()}`"
    return f"{variable}`{value:g}`" if isinstance(value, float) else f"{variable}`{value}`"


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    """Words as Markdown: what stands between backticks is left alone, but for what would end the cell of a table."""
    parts = re.split(r"(`[^`]*`)", _line(text))
    plain = [part if part.startswith("`") else re.sub(r"([\\*_\[\]])", r"\\\1", part).replace("<", "&lt;")
             for part in parts]  # fmt: skip
    return "".join(plain).replace("|", "&#124;")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        same = OUT.is_file() and OUT.read_text("utf-8") == page()
        sys.exit(None if same else f"{OUT}: stale; run `python tools/cli_reference.py`")
    OUT.write_text(page(), "utf-8")
    print(OUT)
