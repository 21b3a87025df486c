"""What the page makes of a bad network, another browser, odd answers and impatient hands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from page_shop import Shop, somebody, until

from personvlm.schema import Described
from personvlm.store import Store

Walk = list[tuple[int, Described]]


@pytest.fixture(scope="module")
def crowd(open_shop: Callable[..., Shop], walk: Walk) -> Shop:
    """More people than a search shows at once."""
    shop = open_shop(walk, blur=("gate",))
    shop.add([somebody(walk[0][1], 7000 + number, "yard", at=time.time() - 60 - number) for number in range(40)])
    return shop


def people(page: Any) -> list[str]:
    found: list[str] = page.evaluate("[...document.querySelectorAll('main .card')].map(each => each.dataset.person)")
    return found


def test_a_page_that_is_loaded_again_after_the_skip_link_is_the_same(page: Any, shop: Shop) -> None:
    page.goto(shop.view("cameras"))
    page.get_by_role("heading", name="gate").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'main'")
    page.reload()
    page.get_by_role("heading", name="Cameras").wait_for()


@pytest.mark.parametrize("view", ["constructor", "toString"])
def test_a_word_that_every_object_knows_is_no_view(page: Any, shop: Shop, view: str) -> None:
    page.goto(shop.view(view))
    page.get_by_role("heading", name="There is no such view").wait_for()


def test_more_of_the_audit_is_there_at_the_second_try(page: Any, shop: Shop) -> None:
    page.expected.append("ERR_FAILED")
    with Store.open(shop.store_url) as store, store.begin() as connection:
        for _ in range(120):  # more than one part
            store.audit("me", "look", "everybody", connection=connection)
    page.goto(shop.view("audit"))
    rows = page.locator("tbody tr")
    rows.nth(99).wait_for()
    page.route("**/v1/audit?*", lambda route: route.abort())
    more = page.get_by_role("button", name="Show older")
    more.click()
    page.locator("#said", has_text="The server does not answer").wait_for()
    assert rows.count() == 100, "what was shown stays"
    page.unroute("**/v1/audit?*")
    more.click()
    rows.nth(100).wait_for()


def test_more_people_are_there_at_the_second_try_and_nobody_twice(page: Any, crowd: Shop, walk: Walk) -> None:
    page.expected.append("ERR_FAILED")
    page.goto(crowd.view("search"))
    page.locator("main .card").nth(19).wait_for()
    page.route("**/v1/search?*", lambda route: route.abort())
    more = page.get_by_role("button", name="Show more")
    more.click()
    page.locator("#said", has_text="The server does not answer").wait_for()
    page.unroute("**/v1/search?*")
    crowd.add([somebody(walk[0][1], 7100 + number, "roof") for number in range(5)])
    more.click()
    until(page, "document.querySelectorAll('main .card').length > 20")
    assert len(set(people(page))) == len(people(page)) == 35
    more.click()
    until(page, "document.querySelectorAll('main .card').length > 35")
    assert len(set(people(page))) == len(people(page))
    assert page.get_by_role("alert").count() == 0


def test_a_view_that_could_not_be_fetched_says_what_to_do(page: Any, shop: Shop) -> None:
    page.expected.append("ERR_")
    page.goto(shop.view("live"))
    page.locator("main .card").first.wait_for()
    page.context.set_offline(True)
    page.get_by_role("link", name="Cameras").click()
    page.get_by_role("alert").get_by_text("The server does not answer.").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="gate").wait_for()


def test_a_browser_that_does_not_know_the_size_of_a_query_sends_it(page: Any, shop: Shop) -> None:
    page.add_init_script("delete URLSearchParams.prototype.size")  # Safari 16
    with page.expect_request("**/v1/search*") as asked:
        page.goto(shop.view("search?q=man&camera=hall"))
    assert "q=man&camera=hall" in asked.value.url


def test_who_is_quicker_than_the_cameras_keeps_the_one_they_chose(page: Any, shop: Shop) -> None:
    page.route("**/v1/cameras", lambda route: None)  # never answered
    page.goto(shop.view("search?camera=hall"))
    page.get_by_label("Whom do you look for?").fill("man")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('q=man')")
    assert "camera=hall" in page.url


def test_a_reason_says_what_was_said_instead(page: Any, shop: Shop) -> None:
    """A man where a woman was asked for: the one word is a part of the other."""
    reasons = [{"term": "gender: female", "probability": 0.2, "said": ["male"]},
               {"term": "upper.garment: t-shirt or coat", "probability": 0.9, "said": ["coat"]}]  # fmt: skip

    def answer(route: Any) -> None:
        found = route.fetch().json()
        found["hits"][0]["reasons"] = reasons
        route.fulfill(json=found)

    page.route("**/v1/search?*", answer)
    page.goto(shop.view("search?q=woman"))
    terms = page.locator("main .card").first.locator(".reasons .term")
    terms.first.wait_for()
    assert [each.locator(".soft").all_inner_texts() for each in terms.all()] == [["male"], []]


def test_sentences_are_read_out_in_their_language(page: Any, shop: Shop) -> None:
    page.set_extra_http_headers({"Accept-Language": "de"})
    page.goto(shop.view("live"))
    sentence = page.locator("main .card .sentence").first
    sentence.wait_for()
    assert (sentence.inner_text()[:8], sentence.get_attribute("lang")) == ("Das Bild", "de")
    assert page.evaluate("document.documentElement.lang") == "en"


def test_what_a_camera_keeps_is_said_right_and_the_focus_stays(page: Any, crowd: Shop) -> None:
    page.goto(crowd.view("cameras"))
    panel = page.locator(".grid li", has=page.get_by_role("heading", name="gate", exact=True))
    panel.get_by_text("Change what is kept").click()
    panel.get_by_label("People, days").fill("1")
    panel.get_by_label("People, days").press("Enter")
    panel.get_by_text("People and pictures are kept 1 day", exact=True).wait_for()
    assert "coarse where a head usually is" in panel.inner_text(), "nobody looks for faces"
    until(page, "document.activeElement.tagName === 'SUMMARY'")
    assert panel.locator("summary").evaluate("each => each === document.activeElement")


def test_rules_by_keyboard_keep_the_focus(page: Any, shop: Shop) -> None:
    page.goto(shop.view("rules"))
    for name, then in (("Let blue-top rest", "Wake blue-top"), ("Wake blue-top", "Let blue-top rest")):
        page.get_by_role("button", name=name).press("Enter")
        page.get_by_role("button", name=then).wait_for()
        until(page, f"document.activeElement.ariaLabel === '{then}'")


def test_a_rule_is_not_replaced_unasked_and_is_named_after_its_own_words(page: Any, shop: Shop) -> None:
    rare = {"rule": 'headwear == "hat"', "count": 1, "people": 9, "per_day": 0.03, "expected_precision": None,
            "interval": None, "missed": 0, "fitting": 1, "alerts": []}  # fmt: skip
    page.route("**/v1/rules/dry-run", lambda route: route.fulfill(json=rare))
    page.goto(shop.view("rules"))
    words, name = page.get_by_label("Tell me when there is"), page.get_by_label("Name")
    for text, short_name in (("man in red", "man-in-red"), ("woman with a hat", "woman-hat")):
        words.fill(text)
        with page.expect_response("**/v1/rules/dry-run"):
            page.get_by_role("button", name="Read it").click()
        until(page, f"document.getElementById('field-name').value === '{short_name}'")
    page.locator(".outcome", has_text="That is less than 0.1 a day.").wait_for()
    name.fill("blue-top")
    words.press("Enter")
    page.get_by_role("button", name="Save rule").click()
    page.get_by_role("dialog", name="Replace the rule blue-top?").get_by_role("button", name="Keep").click()
    kept = {each["name"]: each["rule"] for each in shop.get("/v1/rules")["rules"]}
    assert kept["blue-top"] == 'upper.color == "blue"'
    assert name.input_value() == "blue-top", "what somebody wrote stays"
    page.get_by_role("button", name="Save rule").click()
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    page.locator("#said", has_text="The rule blue-top is in force.").wait_for()
    assert page.evaluate("document.activeElement.id") == "field-words"
