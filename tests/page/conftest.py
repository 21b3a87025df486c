"""A real browser, and a server with people for it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the page needs the service extra")

# What serves in tests of the server serves here too, and whom the screenshots show is shown here too.
sys.path += [str(Path(__file__).parents[1] / "server"), str(Path(__file__).parents[2] / "tools")]

from page_shop import Shop

from personvlm.schema import Described
from services import missing


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. One per module: while Playwright's loop lives, other tests cannot run one of their own."""
    names = (os.environ.get("BROWSER", ""), "chromium", "chromium-browser", "google-chrome")
    program = next((path for name in names if name and (path := shutil.which(name))), None)
    if program is None:
        missing("no Chromium or Chrome here; install one (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("no Playwright here: pip install 'personvlm[dev]'")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A browser's page of its own, 1180 by 900. What it logs as an error fails the test, unless it is in ``expected``,
    a list of parts of such lines that the test may add to."""
    context = browser.new_context(viewport={"width": 1180, "height": 900}, locale="en-US")
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda line: errors.append(f"{line.text} {line.location['url']}"
                                                    if line.type == "error" else ""))  # fmt: skip
    opened.expected = []
    yield opened
    context.close()
    assert [line for line in errors if line and not any(part in line for part in opened.expected)] == []


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core."""
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        missing("no axe here: pip install 'personvlm[dev]'")
    return Path(found.origin).with_name("axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def walk() -> list[tuple[int, Described]]:
    """Eight people who walked past three cameras in the last half hour."""
    from page_people import walks

    return list(walks(8, 7, size=(48, 96)))


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Shop]]:
    """Start a server over a new store with these events, and further settings."""
    with ExitStack() as stack:

        def start(described: list[tuple[int, Described]], dead: int = 0, **settings: Any) -> Shop:
            return stack.enter_context(Shop(tmp_path_factory.mktemp("shop"), described, dead, settings))

        yield start


@pytest.fixture(scope="module")
def shop(open_shop: Callable[..., Shop], walk: list[tuple[int, Described]]) -> Shop:
    """People, two rules, their alerts, and three dead letters; open to this machine."""
    return open_shop(walk, dead=3)
