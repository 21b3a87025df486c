"""Make the pictures of the web page in ``docs/images``: rendered people, described by the shipped model, in a browser.

Wants Chromium or Chrome (``BROWSER`` names another program) and Playwright. Nobody real is on them.
"""

from __future__ import annotations

import contextlib
import io
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from demo_picture import browser
from numpy.typing import NDArray
from page_people import fill, kill, walks
from PIL import Image

from personvlm import Describer
from personvlm.events import open_queue
from personvlm.runtime.tracks import TrackModel
from personvlm.schema import PersonDescription
from personvlm.store import Store

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDE, PHONE = {"width": 1180, "height": 860}, {"width": 360, "height": 740}
PEOPLE, SEED = 16, 11
QUESTION, SENTENCE = "woman with long hair and a bag", "man in a blue top at the gate or in the hall"


def main() -> None:
    """Write the pictures and print where they are."""
    program = browser()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        store, queue = f"sqlite:///{folder}/people.db", f"sqlite:///{folder}/queue.db"
        people = list(walks(PEOPLE, SEED, _describer(), every_s=150.0))
        with Store.open(store) as opened:
            fill(opened, people)
        letters = open_queue(queue)
        kill(letters, 3)
        letters.close()
        with served(store, queue) as url, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for path in take(chromium, url):
                print(path)
            chromium.close()


def take(chromium: Any, url: str) -> Iterator[Path]:
    """Go through the views; gives the paths of the pictures that were written."""
    wide = chromium.new_page(viewport=WIDE, locale="en-GB", color_scheme="light")
    dark = chromium.new_page(viewport=WIDE, locale="en-GB", color_scheme="dark")
    phone = chromium.new_page(viewport=PHONE, locale="en-GB", color_scheme="light", device_scale_factor=1.5)
    question = f"{url}/#/search?q={QUESTION.replace(' ', '+')}"
    yield _save("live", _shot(wide, f"{url}/#/live"))
    yield _save("search", _shot(wide, question))
    yield _save("rules", _shot(wide, f"{url}/#/rules", _make_rule))
    yield _save("alerts", _shot(dark, f"{url}/#/alerts"))
    yield _save("person", _shot(dark, question, _open_first))
    yield _save("queue", _shot(wide, f"{url}/#/queue", height=520))
    yield _save("phone", _beside([_shot(phone, question), _shot(phone, question, _open_first),
                                  _shot(phone, f"{url}/#/rules", _make_rule)]))  # fmt: skip


def _open_first(page: Any) -> None:
    """The first one who was seen by several cameras."""
    id = page.evaluate("""async () => {
        const all = [...document.querySelectorAll(".card")].map(each => each.dataset.person);
        for (const id of all) if ((await (await fetch(`/v1/people/${id}`)).json()).same_as.length) return id;
        return all[0]; }""")
    page.locator(f'[data-person="{id}"] a').click()
    page.locator(".portrait").wait_for()


def _make_rule(page: Any) -> None:
    page.get_by_label("Tell me when there is").fill(SENTENCE)
    page.get_by_role("button", name="Read it").click()
    page.locator(".outcome").wait_for()
    page.mouse.move(0, 0)


def _shot(page: Any, address: str, then: Callable[[Any], None] | None = None, height: int | None = None) -> bytes:
    page.goto("about:blank")
    page.goto(address)
    page.locator(".card, .rules, .letters").first.wait_for()
    if then is not None:
        then(page)
    page.wait_for_timeout(800)  # pictures, and what moves
    page.evaluate("document.activeElement.blur()")
    clip = None if height is None else {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
    return bytes(page.screenshot(clip=clip))


def _save(name: str, picture: bytes | Image.Image) -> Path:
    image = picture if isinstance(picture, Image.Image) else Image.open(io.BytesIO(picture))
    path = IMAGES / f"page-{name}.png"
    image.convert("RGB").save(path, optimize=True)
    return path


def _beside(pictures: Sequence[bytes], gap: int = 24) -> Image.Image:
    images = [Image.open(io.BytesIO(each)).convert("RGB") for each in pictures]
    width = sum(each.width for each in images) + gap * (len(images) - 1)
    sheet = Image.new("RGB", (width, max(each.height for each in images)), "white")
    left = 0
    for each in images:
        sheet.paste(each, (left, 0))
        left += each.width + gap
    return sheet


@contextlib.contextmanager
def served(store: str, queue: str) -> Iterator[str]:
    """A server as users start it; gives its address."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [sys.executable, "-m", "personvlm", "serve", "--store", store, "--queue", queue, "--quiet",
               "--port", str(port)]  # fmt: skip
    with subprocess.Popen(command) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz"):
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _describer() -> Callable[[Sequence[NDArray[np.uint8]]], PersonDescription]:
    model = TrackModel(Describer.load())
    return lambda pictures: model.describe_all([[(picture, 1.0) for picture in pictures]])[0]


if __name__ == "__main__":
    main()
