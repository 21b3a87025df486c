"""How long the page takes until people can be seen on it, over loopback."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from page_shop import Shop

from personvlm.schema import Described
from personvlm.store import Store

SEEN = """new Promise(done => { const look = () => {
    const pictures = [...document.querySelectorAll(".card img")].filter(
        each => each.getBoundingClientRect().top < innerHeight);
    if (pictures.length && pictures.every(each => each.complete && each.naturalWidth))
        requestAnimationFrame(() => done(performance.now())); else setTimeout(look, 5); }; look(); })"""


def crowd(walk: list[tuple[int, Described]], count: int) -> Iterator[Described]:
    """``count`` people who look like those of ``walk``, and share their pictures."""
    end = time.time()
    for number in range(count):
        like = walk[number % len(walk)][1]
        at = end - 5.0 * (count - number)
        request = type(like.request).build(f"camera-{number % 12}", number, "new_track", at, like.request.crop)
        yield like.model_copy(update={"request": request, "described_at": at})


@pytest.mark.parametrize("people", [500, pytest.param(10_000, marks=pytest.mark.accept)])
def test_people_are_seen_within_a_second(page: Any, open_shop: Callable[..., Shop], walk: list[tuple[int, Described]],
                                         people: int) -> None:  # fmt: skip
    shop = open_shop([])
    with Store.open(shop.store_url) as store:
        everybody = list(crowd(walk, people))
        for start in range(0, people, 1000):
            store.add(everybody[start : start + 1000])
        assert store.people(limit=1).items
    taken: dict[str, list[float]] = {}
    for view in ("live", "search", "alerts"):
        for _ in range(7 if people >= 10_000 else 3):
            page.goto("about:blank")
            page.goto(shop.view(view))
            page.locator("main .card, main .state h2").first.wait_for()
            seconds = page.evaluate(SEEN if view != "alerts" else "performance.now()") / 1000
            taken.setdefault(view, []).append(seconds)
    print("\n".join(f"{people} people, {view}: median {statistics.median(each):.2f} s, best {min(each):.2f} s"
                    for view, each in taken.items()))  # fmt: skip
    # A busy machine makes a few of them slow; for the acceptance half of them must be quick.
    judge = statistics.median if people >= 10_000 else min
    assert {view: judge(each) < 1.0 for view, each in taken.items()} == dict.fromkeys(taken, True)
