"""The page can be used by everybody: axe in every view, by keyboard alone, on a phone, in the dark, without motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_shop import Shop, serious, until

from personvlm.schema import Described

VIEWS = ("live", "search?q=man+with+a+backpack", "person", "alerts", "rules", "cameras", "queue", "audit", "nowhere")
PHONE = {"width": 360, "height": 740}


def visit(page: Any, shop: Shop, view: str) -> None:
    """Open a view and wait until what it loads is there."""
    if view == "person":
        people = shop.get("/v1/people?limit=200")["people"]
        view = f"person/{next(each['person'] for each in people if len(each['crops']) > 1)}"
    page.goto(shop.view(view))
    page.locator("main h1").wait_for()
    until(page, "!document.querySelector('main [aria-busy]')")
    if view == "rules" and shop.get("/v1/people?limit=1")["people"]:  # the whole form, with what it found
        page.get_by_label("Tell me when there is").fill("man with a backpack")
        page.get_by_role("button", name="Read it").click()
        page.locator(".outcome").wait_for()


@pytest.mark.parametrize("view", VIEWS)
def test_everybody_can_use_it_in_the_light_in_the_dark_and_on_a_phone(page: Any, shop: Shop, axe: str,
                                                                      view: str) -> None:  # fmt: skip
    visit(page, shop, view)
    assert serious(page, axe) == []
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) != light
    page.set_viewport_size(PHONE)
    assert serious(page, axe, "color-contrast") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    past = page.evaluate("""[...document.querySelectorAll("main *")].filter(each => {
        const box = each.getBoundingClientRect();
        const out = box.right > innerWidth + 1 || box.left < -1;
        return box.width > 1 && out && !each.closest(".unseen, .hidden, thead");
    }).map(each => each.outerHTML.slice(0, 100))""")
    assert past == []


def test_axe_finds_nothing_in_a_question_and_in_what_follows(page: Any, shop: Shop, axe: str) -> None:
    visit(page, shop, "person")
    page.get_by_role("button", name="Erase …").click()
    page.get_by_role("dialog").wait_for()
    assert serious(page, axe) == []
    page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    page.get_by_role("heading", name="Erased").wait_for()
    assert serious(page, axe) == []
    visit(page, shop, "cameras")
    page.get_by_text("Change what is kept").first.click()
    assert serious(page, axe) == []


def test_axe_finds_nothing_where_something_is_put_right(page: Any, shop: Shop, axe: str) -> None:
    visit(page, shop, "person")
    page.get_by_role("button", name="Put Top color right").click()
    page.get_by_role("dialog").wait_for()
    assert serious(page, axe) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Put Gender right").click()
    page.get_by_role("dialog").wait_for()
    assert serious(page, axe) == []
    page.get_by_role("button", name="Cannot be told").click()
    page.locator(".attributes .right").wait_for()
    assert serious(page, axe) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    assert serious(page, axe, "color-contrast") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_something_is_put_right_by_keyboard_alone(page: Any, shop: Shop) -> None:
    visit(page, shop, "person")
    id = page.url.rpartition("/")[2]
    group, name = "upper.garment", "Put Top right"
    was = shop.get(f"/v1/people/{id}")["person"]["attributes"][group]["value"]
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel") == name:
            break
    assert focused(page)["outline"]
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page)["text"] == "vest":
            break
    assert focused(page)["outline"]
    page.keyboard.press("Enter")
    page.locator(f'[data-group="{group}"] .right').wait_for()
    until(page, f"document.activeElement.ariaLabel === '{name}'")
    person = shop.get(f"/v1/people/{id}")
    assert (person["person"]["attributes"][group]["value"], person["corrections"][-1]["said"]["value"]) == ("vest", was)


def test_axe_would_find_something(page: Any, shop: Shop, axe: str) -> None:
    """A check that cannot fail is none."""
    visit(page, shop, "cameras")
    page.evaluate("""() => { const bad = document.createElement("button"); bad.style.color = "#ccc";
                     bad.style.background = "#fff"; document.querySelector("main h1").after(bad, "x");
                     const pale = document.createElement("p"); pale.textContent = "pale"; pale.style.color = "#ddd";
                     document.querySelector("main h1").after(pale); }""")
    assert {line.split(":")[0] for line in serious(page, axe)} >= {"critical button-name", "serious color-contrast"}


def test_everything_has_a_place_in_the_outline_and_a_name(page: Any, shop: Shop) -> None:
    for view in VIEWS:
        visit(page, shop, view)
        outline = page.evaluate("""() => ({
            ones: document.querySelectorAll("h1").length, title: document.title,
            language: document.documentElement.lang,
            landmarks: ["header", "nav", "main"].map(name => document.querySelectorAll(name).length),
            unnamed: [...document.querySelectorAll("input, select, textarea")].filter(
                each => !each.labels?.length && !each.ariaLabel).map(each => each.outerHTML),
            pictures: [...document.querySelectorAll("img")].filter(each => !each.hasAttribute("alt")).length })""")
        assert outline["title"].endswith("· PersonVLM")
        assert (outline["ones"], outline["landmarks"], outline["language"]) == (1, [1, 1, 1], "en"), view
        assert (outline["unnamed"], outline["pictures"]) == ([], 0), view


def test_by_keyboard_alone(page: Any, shop: Shop) -> None:
    visit(page, shop, "live")
    page.keyboard.press("Tab")
    assert focused(page)["text"] == "Skip to content"
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'main'")
    seen = []
    for _ in range(5):
        page.keyboard.press("Tab")
        seen.append(focused(page))
    assert [each["outline"] for each in seen] == [True] * 5, seen
    assert seen[0]["tag"] == "SELECT"
    assert seen[1]["text"] == "Pause"
    assert "/person/" in seen[2]["href"]

    page.keyboard.press("/")
    page.get_by_label("Whom do you look for?").wait_for()
    until(page, "document.activeElement.id === 'field-q'")
    page.keyboard.type("man with a backpack")
    page.keyboard.press("Enter")
    page.get_by_role("list", name="Understood as").wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if "/person/" in focused(page)["href"]:
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Person on").wait_for()
    assert focused(page)["tag"] == "H1"


def focused(page: Any) -> dict[str, Any]:
    """The element that has the focus, and whether that can be seen: by an outline of it or of what is drawn over it."""
    found: dict[str, Any] = page.evaluate("""() => { const each = document.activeElement;
        const drawn = [null, "::after"].some(part => { const style = getComputedStyle(each, part);
            return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2; });
        return {tag: each.tagName, id: each.id, text: each.textContent, href: each.href ?? "", outline: drawn}; }""")
    return found


def test_who_does_not_want_motion_sees_none(page: Any, shop: Shop, walk: list[tuple[int, Described]]) -> None:
    page.emulate_media(reduced_motion="reduce")
    visit(page, shop, "live")
    moving = """[...document.querySelectorAll("*")].filter(each => getComputedStyle(each).animationName !== "none" &&
        parseFloat(getComputedStyle(each).animationDuration) > 0).length"""
    assert page.evaluate(moving) == 0
    page.evaluate("document.querySelector('.card').classList.add('new')")
    assert page.evaluate(moving) == 0


def test_empty_views_say_what_to_do(page: Any, open_shop: Callable[..., Shop], axe: str) -> None:
    nobody = open_shop([], queue=None)
    for view, heading, mend in (
        ("live", "Nobody was seen yet", "personvlm run"), ("search", "Nobody was found", "Nobody is stored yet"),
        ("alerts", "No alert is open", "Make a rule"), ("rules", "No rule is in force", "in your own words"),
        ("cameras", "No camera yet", "personvlm run"), ("audit", "", ""),
        ("queue", "This could not be shown", "personvlm serve --store people.db --queue"),
    ):  # fmt: skip
        page.expected.append("404")  # there is no queue
        visit(page, nobody, view)
        if heading:
            page.get_by_role("heading", name=heading).wait_for()
            assert mend in page.locator("main").inner_text(), view
        assert serious(page, axe) == [], view


def test_what_fails_says_so_and_can_be_tried_again(page: Any, shop: Shop) -> None:
    page.expected += ["ERR_FAILED", "503", "500"]
    page.route("**/v1/alerts*", lambda route: route.abort())
    page.goto(shop.view("alerts"))
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "The server does not answer" in alert.inner_text()
    page.unroute("**/v1/alerts*")
    page.get_by_role("button", name="Try again").click()
    page.locator(".alert").first.wait_for()
    assert page.get_by_role("alert").count() == 0
    down = '{"detail": "the database does not answer; try again", "code": "database_down"}'
    page.route("**/v1/people?*", lambda route: route.fulfill(status=503, body=down))
    page.goto(shop.view("live"))
    page.get_by_text("the database does not answer; try again").wait_for()


def test_a_value_on_a_phone_is_not_broken_inside_a_word(page: Any, shop: Shop) -> None:
    page.set_viewport_size(PHONE)
    page.goto(shop.view("search"))
    page.locator("main .card a").first.click()
    page.locator(".attributes button").first.wait_for()  # the narrowest it gets: what is wrong can be put right
    lines = page.evaluate("""[...document.querySelectorAll(".attributes dd:nth-of-type(1)")].map((each) => {
      const range = document.createRange();
      range.selectNodeContents(each.firstChild);
      return [each.firstChild.textContent, new Set([...range.getClientRects()].map((box) => box.top)).size];
    })""")
    assert len(lines) > 3
    assert [text for text, count in lines if count > len(text.split())] == []
