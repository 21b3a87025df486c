"""Snippets of README and docs: found, checked, and run in one process, in a folder where the files they name lie."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import typer

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("python", "console")
SHOWN = ("", "json", "jsonl", "yaml", "toml", "text", "ini", "diff", "html", "dockerfile", "caddy", "nginx", "sql",
         "jinja", "mermaid", "promql")  # fmt: skip
"""What is only shown. Anything else (`bash`, `py`) would not be run, and is refused."""

_MARK = re.compile(r"<!-- not run: (\S.{9,}?) -->")
_FENCE = re.compile(r"^( *)(`{3,})(.*)$")


@dataclass(frozen=True)
class Snippet:
    """One fenced block. ``reason`` says why it is not run; empty where it is."""

    page: str
    line: int
    language: str
    text: str
    reason: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def snippets(page: Path) -> list[Snippet]:
    """All fenced blocks of ``page``."""
    found: list[Snippet] = []
    before, opened = "", None
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            mark = _MARK.fullmatch(before.strip())
            opened = (number, fence[2], fence[3].strip().split(" ")[0], mark[1] if mark else "", list[str]())
        elif opened is not None and fence and fence[2] == opened[1] and not fence[3].strip():
            name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
            found.append(Snippet(name, opened[0], opened[2], "\n".join(opened[4]), opened[3]))
            opened = None
        elif opened is not None:
            opened[4].append(line)
        if line.strip():
            before = line
    assert opened is None, f"{page}: a block that is opened in line {opened and opened[0]} is not closed"
    return found


def commands(text: str) -> list[str]:
    """What a reader types: lines after ``$ ``, continued ones joined, without the comment behind them."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    typed = [line.strip()[2:] for line in joined.splitlines() if line.strip().startswith("$ ")]
    return [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in typed]


_OPERATOR = re.compile(r"[|&;<>]+")


def _tokens(command: str) -> list[str]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    return list(lexer)


def needs_a_shell(command: str) -> bool:
    """Whether there is more in it than a program and its arguments."""
    return "$" in command or any(_OPERATOR.fullmatch(token) for token in _tokens(command)) or (
        words(command)[:1] != _tokens(command.replace(".venv/bin/", ""))[:1])  # fmt: skip


def words(command: str) -> list[str]:
    """The words of a command up to a pipe or the like, without ``NAME=value`` before it and ``.venv/bin/``."""
    parts = _tokens(command)
    parts = parts[: next((at for at, token in enumerate(parts) if _OPERATOR.fullmatch(token)), None)]
    while parts and re.fullmatch(r"[A-Z_]+=.*", parts[0]):
        parts = parts[1:]
    return [parts[0].removeprefix(".venv/bin/"), *parts[1:]] if parts else []


def problem(command: str) -> str:
    """Why ``command`` cannot be meant as it stands; empty if nothing is wrong."""
    parts = words(command.replace("…", "x"))
    if parts[:1] == ["personvlm"]:
        return _unknown(parts[1:])
    if parts[:1] == ["make"]:
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
        return next((f"no target {word}" for word in parts[1:] if re.fullmatch("[a-z-]+", word)
                     and word not in targets), "")  # fmt: skip
    if parts[:2] == ["pip", "install"]:
        extras = set(re.findall(r"^([a-z0-9]+) = \[", (ROOT / "pyproject.toml").read_text("utf-8"), re.M))
        wanted = {name.strip() for found in re.findall(r"personvlm\[([^\]]*)\]", command) for name in found.split(",")}
        return f"no extra {', '.join(sorted(wanted - extras))}" if wanted - extras else ""
    return ""


@lru_cache
def _command() -> Any:
    from personvlm.cli.app import app

    return typer.main.get_command(app)


def _unknown(arguments: list[str]) -> str:
    """What the command line would refuse, without running anything."""
    command = _command()
    context: click.Context | None = None
    if {"--help", "-h", "--version"} & set(arguments):
        return ""
    try:
        while isinstance(command, click.Group) or hasattr(command, "resolve_command"):
            context = command.make_context("personvlm", list(arguments), parent=context)
            left = [*context._protected_args, *context.args]
            if not left:
                return ""
            _, command, arguments = command.resolve_command(context, left)
        command.make_context(command.name, list(arguments), parent=context)
    except click.exceptions.Exit:
        return ""
    except Exception as error:  # typer may bring a click of its own
        if hasattr(error, "format_message"):
            return str(error.format_message())
        raise
    return ""


def run_console(snippet: Snippet, folder: Path) -> None:
    """Run the commands of ``personvlm`` in this process, others in a shell; ``make`` and ``pip`` are only checked."""
    for command in commands(snippet.text):
        parts = words(command)
        if not parts or parts[0] in ("make", "pip"):
            continue
        if parts[0] == "personvlm" and not needs_a_shell(command):
            arguments = [name for part in parts[1:] for name in (sorted(glob.glob(part)) or [part])]
            status = _personvlm(arguments)
        else:
            bin_folder = folder / ".bin"
            bin_folder.mkdir(exist_ok=True)
            shim = bin_folder / "personvlm"
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m personvlm "$@"\n')
            shim.chmod(0o755)
            path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
            status = subprocess.run(["bash", "-ec", command.replace(".venv/bin/", "")], env=os.environ | {"PATH": path},
                                    stdin=subprocess.DEVNULL, timeout=60, check=False).returncode  # fmt: skip
        assert status == 0, f"{snippet.where}: `{command}` ended with status {status}"


def _personvlm(arguments: list[str]) -> int:
    from personvlm.cli import main

    try:
        main(arguments)
    except SystemExit as left:
        return int(left.code or 0) if isinstance(left.code, int | None) else 1
    return 0


def run_python(snippet: Snippet, names: dict[str, Any]) -> None:
    """Run it as if it stood in its page, after what came before it there."""
    code = compile("\n" * snippet.line + snippet.text, str(ROOT / snippet.page), "exec", dont_inherit=True)
    exec(code, names)


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """With ``folder`` as the working directory and as the user's home for states and caches."""
    before, kept = Path.cwd(), {name: os.environ.get(name) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME")}
    os.environ.update(dict.fromkeys(kept, str(folder / ".home")))
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
