"""The documentation keeps its word: its snippets run, its commands exist, its pages are found, its site builds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from docs_snippets import (
    PAGES,
    ROOT,
    RUN,
    SHOWN,
    Snippet,
    commands,
    inside,
    needs_a_shell,
    problem,
    run_console,
    run_python,
    snippets,
)  # fmt: skip

pytestmark = pytest.mark.alone

ALL = [snippet for page in PAGES for snippet in snippets(page)]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
SHIPPED = (ROOT / "src" / "personvlm" / "weights" / "edge").is_dir()
BUDGET = 60.0
"""Seconds for all snippets together, of processor time: a busy machine is no reason."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with what snippets name: pictures of people, labels, a clip."""
    from personvlm.data.rendered import rendered_samples
    from personvlm.data.rendered.scene import Scene, Settings

    place = tmp_path_factory.mktemp("reader")
    for name in ("photos", "crops"):
        (place / name).mkdir()
    lines = []
    for row, (image, values) in enumerate(rendered_samples(6, 3)):
        for name in (f"{'ab'[row]}.jpg" if row < 2 else "", f"photos/{row}.jpg", f"crops/{row}.jpg"):
            if name:
                Image.fromarray(image).save(place / name, quality=95)
        lines.append(json.dumps({"image": f"crops/{row}.jpg", "identity": f"person {row}", "attributes": {
            name: list(said) if name in ("upper.color", "lower.color", "footwear.color", "carrying", "activity")
            else said[0] for name, said in values.items() if said}}))  # fmt: skip
    (place / "people.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    av = pytest.importorskip("av")
    scene = Scene(Settings(seed=5, cameras=1, people=2, seconds=4, rate=5, twins=0, size=(320, 240)))
    with av.open(str(place / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        first = scene.shoot(0, 0)[0]
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], "yuv420p"
        for index in range(scene.frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene.shoot(0, index)[0], format="rgb24")))
        container.mux(stream.encode())
    return place


@pytest.fixture(scope="module")
def spent() -> Iterator[dict[str, float]]:
    """Processor seconds per page."""
    seconds: dict[str, float] = {}
    yield seconds
    print(seconds)
    assert sum(seconds.values()) < BUDGET, f"the documentation takes too long: {seconds}"


@pytest.mark.parametrize("snippet", ALL, ids=lambda snippet: snippet.where)
def test_every_block_is_run_or_says_why_not(snippet: Snippet) -> None:
    assert snippet.language in (*RUN, *SHOWN), f"{snippet.where}: a block of {snippet.language!r} would not be run; " \
        "write ```console or ```python, or a language of what is only shown"  # fmt: skip
    assert not (snippet.reason and snippet.language not in RUN), f"{snippet.where}: this is not run in any case"
    if snippet.language == "console":
        typed = commands(snippet.text)
        assert typed, f"{snippet.where}: no line begins with `$ `"
        wrong = {command: problem(command) for command in typed if problem(command)}
        assert wrong == {}, snippet.where
    if snippet.language == "python":
        compile(snippet.text, snippet.where, "exec", dont_inherit=True)


@pytest.mark.skipif(not SHIPPED, reason="this checkout has no shipped weights")
@pytest.mark.skipif(sys.platform == "win32", reason="snippets are written for a Unix shell")
@pytest.mark.parametrize("page", sorted({one.page for one in ALL if one.language in RUN and not one.reason}))
def test_snippets_run(page: str, folder: Path, tmp_path: Path, spent: dict[str, float],
                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    place = shutil.copytree(folder, tmp_path / "reader")  # no page stands on what another has written
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PERSONVLM_OFFLINE", "1")
    names: dict[str, Any] = {"__name__": "__docs__"}
    began = sum(os.times()[:4])
    with inside(place):
        for snippet in ALL:
            if snippet.page == page and not snippet.reason and snippet.language == "console":
                run_console(snippet, place)
            elif snippet.page == page and not snippet.reason and snippet.language == "python":
                run_python(snippet, names)
    spent[page] = round(sum(os.times()[:4]) - began, 1)


def write(folder: Path, text: str) -> list[Snippet]:
    (folder / "page.md").write_text(text, "utf-8")
    return snippets(folder / "page.md")


def test_the_search_for_snippets_sees_marks_and_what_was_forgotten(tmp_path: Path) -> None:
    found = write(tmp_path, "# A\n\n<!-- not run: needs a camera -->\n```console\n$ personvlm run rtsp://x\n```\n\n"
                            "<!-- not run: short -->\n```python\n1\n```\n\n````text\n```python\n2\n```\n````\n"
                            "```bash\nls\n```\n")  # fmt: skip
    assert [(one.language, one.reason, one.line) for one in found] == [
        ("console", "needs a camera", 4), ("python", "", 9), ("text", "", 13), ("bash", "", 18)]  # fmt: skip
    with pytest.raises(AssertionError, match="bash"):
        test_every_block_is_run_or_says_why_not(found[3])
    with pytest.raises(AssertionError, match="not closed"):
        write(tmp_path, "```python\n1\n")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("personvlm describe a.jpg --jsonl", False),
        ("personvlm describe a.jpg --jason", True),
        ("personvlm descibe a.jpg", True),
        ("personvlm data prepare my.jsonl --out data/", False),
        ("personvlm data prepare my.jsonl --into data/", True),
        ("A=b .venv/bin/personvlm schema > x.json", False),
        ("make demo STAY=1", False),
        ("make dinner", True),
        ("pip install 'personvlm[video,mqtt]'", False),
        ("pip install 'personvlm[video,tea]'", True),
    ],
)
def test_what_cannot_be_meant_is_seen(command: str, wrong: bool) -> None:
    assert bool(problem(command)) is wrong


def test_commands_are_read_as_they_are_typed() -> None:
    text = "$ a b   # comment\nits output\n$ c \\\n    d '#1'\n"
    assert commands(text) == ["a b", "c d '#1'"]


def test_a_shell_is_used_only_where_one_is_needed() -> None:
    assert not needs_a_shell("personvlm alerts add a 'x == 1 && y > 2'")
    assert not needs_a_shell(".venv/bin/personvlm describe photos/*.jpg")
    assert all(map(needs_a_shell, ("a | b", "a && b", "a > b", "A=b a", "a $B")))


def test_a_snippet_that_fails_is_named(tmp_path: Path) -> None:
    python, console = write(tmp_path, "```python\n\nraise ValueError(1)\n```\n"
                                      "```console\n$ personvlm describe none.jpg\n```\n")  # fmt: skip
    with pytest.raises(ValueError, match="1"):
        run_python(python, {})
    with inside(tmp_path), pytest.raises(AssertionError, match=r"page.md:5: `personvlm describe none.jpg` ended"):
        run_console(console, tmp_path)


def test_links_lead_somewhere() -> None:
    missing = []
    for page in DOCS:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if not re.match(r"[a-z]+:", link) and not (page.parent / link).exists():
                missing.append(f"{page.name}: {link}")
    assert missing == []


def test_every_page_is_found_from_the_entrance() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)", (ROOT / "docs" / "index.md").read_text("utf-8")))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in DOCS} - {"index.md"}
    assert pages - linked == set(), "add a row to the table of docs/index.md"


def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")],
                          cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    built = {path.relative_to(tmp_path / "site").with_suffix(".md").as_posix(): path.read_text("utf-8")
             for path in (tmp_path / "site").rglob("*.html")}  # fmt: skip
    assert {page.relative_to(ROOT / "docs").as_posix() for page in DOCS} <= built.keys()
    fetched = {found for text in built.values() for found in re.findall(
        r"<(?:script|img|iframe)[^>]*\ssrc=\"?(https?:[^\s\">]+)|<link[^>]*\srel=\"?stylesheet[^>]*href=\"?(https?:[^\s\">]+)",
        text)}  # fmt: skip
    assert fetched == set()
    assert "../src/" not in "".join(built.values())
