"""Views that stay open: nothing is missed, doubled or out of date, whatever happens to the server and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from page_shop import Shop, somebody, until

from personvlm.schema import Described

Walk = list[tuple[int, Described]]
TURN = """hidden => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
          document.dispatchEvent(new Event("visibilitychange")); }"""


@pytest.fixture
def shop(open_shop: Callable[..., Shop], walk: Walk) -> Shop:
    """One for each test, since people come."""
    return open_shop(walk)


def opened(page: Any, shop: Shop) -> None:
    page.goto(shop.view("live"))
    page.locator("span.live", has_text="Live").wait_for()
    page.locator("main .card").first.wait_for()


def card(page: Any, event: Described) -> Any:
    return page.locator(f'[data-person="{event.request.person}"]')


def test_who_came_while_the_server_was_away_is_shown(page: Any, shop: Shop, walk: Walk) -> None:
    page.expected.append("ERR_")
    opened(page, shop)
    fresh = somebody(walk[0][1], 6001, "roof")
    shop.restart(lambda: shop.add([fresh]))
    card(page, fresh).wait_for()


def test_a_feed_that_was_refused_is_tried_again(page: Any, shop: Shop, walk: Walk) -> None:
    page.expected.append("503")
    opened(page, shop)
    page.route("**/v1/events/stream*", lambda route: route.fulfill(status=503, body="{}"))
    shop.cut()
    page.get_by_text("The live feed was refused. It is tried again by itself.").wait_for()
    fresh = somebody(walk[0][1], 6002, "roof")
    shop.add([fresh])
    page.unroute("**/v1/events/stream*")
    card(page, fresh).wait_for()
    assert page.locator("span.live").inner_text() == "Live"
    assert page.get_by_text("The live feed was refused.").count() == 0


def test_who_goes_on_is_told_how_the_connection_is(page: Any, shop: Shop) -> None:
    page.expected.append("503")
    opened(page, shop)
    page.get_by_role("button", name="Pause").click()
    page.route("**/v1/events/stream*", lambda route: route.fulfill(status=503, body="{}"))
    with page.expect_response("**/v1/session"):
        shop.cut()
    assert page.locator("span.live").inner_text() == "Paused"
    page.get_by_role("button", name="Go on").click()
    assert page.locator("span.live").inner_text() == "Not connected"


def test_a_person_who_is_described_again_during_a_pause_counts_once(page: Any, shop: Shop, walk: Walk) -> None:
    opened(page, shop)
    page.get_by_role("button", name="Pause").click()
    first = somebody(walk[0][1], 6003, "roof")
    request = first.request
    later = [first.model_copy(update={"request": type(request).build(
        "roof", 6003, "track_update", request.frame_time + number, request.crop, revision=number,
        first_seen=request.frame_time)})
        for number in range(2, 6)]  # fmt: skip
    shop.add([first, *later, somebody(walk[0][1], 6010, "roof")])
    page.get_by_role("button", name="Go on (2 new)").click()
    until(page, f"document.querySelector('[data-person=\"{request.person}\"]').dataset.revision === '5'")
    assert card(page, first).count() == 1


def test_whoever_comes_back_keeps_the_focus(page: Any, shop: Shop) -> None:
    opened(page, shop)
    link = page.locator("main .card a").nth(2)
    link.focus()
    page.evaluate(TURN, True)
    with page.expect_response("**/v1/people?*"):
        page.evaluate(TURN, False)
    page.locator("span.live", has_text="Live").wait_for()
    page.wait_for_timeout(300)
    assert page.evaluate("document.activeElement.href") == link.evaluate("each => each.href")


def test_nobody_is_still_there_a_day_later(page: Any, shop: Shop, walk: Walk) -> None:
    page.clock.install()
    fresh = somebody(walk[0][1], 6004, "roof")
    shop.add([fresh])
    opened(page, shop)
    meta = card(page, fresh).locator(".meta")
    assert "still there" in meta.inner_text()
    weekday = time.strftime("%a, ")
    assert weekday not in meta.inner_text()
    page.clock.fast_forward("24:00:00")
    until(page, f"!document.querySelector('[data-person=\"{fresh.request.person}\"]').innerText.includes('still')")
    assert weekday in meta.inner_text(), "a clock without a day is today's"


def test_who_was_seen_last_year_has_a_year_and_is_not_there(page: Any, shop: Shop, walk: Walk) -> None:
    long_ago = time.time() - 400 * 86_400
    old = somebody(walk[0][1], 6005, "attic", at=long_ago)
    shop.add([old])
    page.goto(shop.view(f"person/{old.request.person}"))
    meta = page.locator(".portrait .meta")
    meta.wait_for()
    assert time.strftime("%Y", time.localtime(long_ago)) in meta.inner_text()
    assert "still be there" not in meta.inner_text()


def alarming(shop: Shop, walk: Walk, track: int) -> Described:
    """Somebody like a person of whom there is an alert."""
    known = shop.get("/v1/alerts")["alerts"][0]["person"]
    like = next(event for _, event in walk if event.request.person == known and event.request.others)
    return somebody(like, track, "roof", others=like.request.others)


def test_an_alert_appears_where_people_come_all_the_time(page: Any, shop: Shop, walk: Walk) -> None:
    page.goto(shop.view("alerts"))
    page.locator(".alert").first.wait_for()
    shop.add([alarming(shop, walk, 6006)], judged=True)
    for number in range(14):  # never a second without somebody
        shop.add([somebody(walk[0][1], 6100 + number, "yard")])
        page.wait_for_timeout(500)
        if page.locator(".alert", has_text="roof").count():
            break
    assert page.locator(".alert", has_text="roof").count() == 1


def test_whoever_is_at_an_alert_is_told_of_a_new_one(page: Any, shop: Shop, walk: Walk) -> None:
    page.goto(shop.view("alerts"))
    last = page.locator(".alert").last
    last.wait_for()
    last.get_by_role("button", name="Acknowledge").click()
    page.locator("#said", has_text="Acknowledged").wait_for()
    shop.add([somebody(walk[0][1], 6007, "yard")])
    page.wait_for_timeout(3000)
    assert page.get_by_text("There is something new.").count() == 0, "what one did oneself is not new"
    here = page.evaluate_handle("document.activeElement")
    shop.add([alarming(shop, walk, 6008)], judged=True)
    page.get_by_text("There is something new.").wait_for()
    assert page.evaluate("each => each === document.activeElement", here), "and is not disturbed"
    page.get_by_role("button", name="Show it").click()
    page.locator(".alert", has_text="roof").wait_for()
    assert page.get_by_text("There is something new.").count() == 0
    until(page, "document.querySelector('.alert a') === document.activeElement")


def test_cameras_are_looked_at_again(page: Any, shop: Shop, walk: Walk) -> None:
    page.clock.install()
    page.goto(shop.view("cameras"))
    page.get_by_role("heading", name="gate", exact=True).wait_for()
    shop.add([somebody(walk[0][1], 6009, "attic")])
    page.clock.run_for(31_000)
    page.get_by_role("heading", name="attic", exact=True).wait_for()


def test_who_is_erased_elsewhere_disappears(page: Any, shop: Shop, walk: Walk) -> None:
    opened(page, shop)
    one, another = somebody(walk[0][1], 6006, "roof"), somebody(walk[0][1], 6007, "roof")
    shop.add([one, another])
    card(page, another).wait_for()
    card(page, one).get_by_role("link").first.focus()
    shop.erase([one.request.person])
    card(page, one).wait_for(state="detached")
    assert page.evaluate("document.activeElement.textContent") == "Pause", "whoever read it is not left nowhere"
    page.get_by_role("button", name="Pause").click()
    held = somebody(walk[0][1], 6008, "roof")
    shop.add([held])
    page.get_by_role("button", name="Go on (1 new)").wait_for()
    shop.erase([another.request.person, held.request.person])
    card(page, another).wait_for(state="detached")
    page.get_by_role("button", name="Go on", exact=True).click()
    page.wait_for_timeout(300)
    assert card(page, held).count() == 0


def test_who_is_erased_while_the_list_is_read_is_not_shown(page: Any, shop: Shop, walk: Walk) -> None:
    opened(page, shop)
    one = somebody(walk[0][1], 6009, "roof")
    shop.add([one])
    card(page, one).wait_for()

    def late(route: Any) -> None:
        answer = route.fetch()
        assert one.request.person in answer.text()
        shop.erase([one.request.person])
        card(page, one).wait_for(state="detached")
        route.fulfill(response=answer)

    page.route("**/v1/people?*", late, times=1)
    page.evaluate(TURN, True)
    with page.expect_response("**/v1/people?*"):
        page.evaluate(TURN, False)
    page.wait_for_timeout(300)
    assert card(page, one).count() == 0
