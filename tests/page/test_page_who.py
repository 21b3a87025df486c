"""A wrong link is undone on the person page, people are searched by a picture, and long lists go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_shop import Shop, serious, until
from serving import SAID, StandIn, jpeg

from personvlm.schema import Described, PersonDescription

PHONE = {"width": 360, "height": 740}
Walk = list[tuple[int, Described]]


class Alike(StandIn):
    """Sees in every picture somebody who looks like the first of the walk."""

    vector: tuple[float, ...] = ()

    def describe_images(self, images: list[Any], **options: Any) -> list[PersonDescription]:
        """See :class:`StandIn`."""
        return [SAID.model_copy(update={"embedding": self.vector, "model": "drawn 1"})] * len(images)


@pytest.fixture(scope="module")
def shop(open_shop: Callable[..., Shop], walk: Walk) -> Shop:
    """As the usual one, with a describer that sees appearances."""
    alike = Alike()
    alike.vector = walk[0][1].description.embedding or ()
    return open_shop(walk, dead=5, describers=[alike])


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "witness.jpg"
    path.write_bytes(jpeg())
    return path


def test_a_wrong_link_is_undone(page: Any, shop: Shop, axe: str) -> None:
    people = shop.get("/v1/people?limit=200")["people"]
    stories = [shop.get(f"/v1/people/{each['person']}") for each in people]
    thrice = [each for each in stories if len(each["same_as"]) == 2]
    story = next(each for each in thrice if any(one["probability"] is None for one in each["same_as"]))
    id = story["person"]["person"]
    direct = next(each for each in story["same_as"] if each["probability"] is not None)
    page.goto(shop.view(f"person/{id}"))
    section = page.locator("section", has=page.get_by_role("heading", name="The same person elsewhere"))
    section.locator(".card").first.wait_for()
    assert section.locator(".card").count() == 2
    assert section.locator(f'[data-person="{direct["person"]}"]').get_by_text("94 %").count() == 1
    assert section.get_by_text("Linked by way of others").count() == 1
    button = section.get_by_role("button", name="Not the same person")
    assert button.count() == 1
    assert serious(page, axe) == []
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Not the same person?")
    dialog.wait_for()
    assert serious(page, axe) == []
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert len(shop.get(f"/v1/people/{id}")["same_as"]) == 2
    button.click()
    dialog.get_by_role("button", name="Two people").click()
    page.get_by_text("is somebody else now").wait_for()
    assert shop.get(f"/v1/people/{id}")["same_as"] == []
    assert page.get_by_role("heading", name="The same person elsewhere").count() == 0
    until(page, "document.activeElement.tagName === 'H1'")
    entries = shop.get("/v1/audit?before=4611686018427387904")["entries"]
    assert [each["subject"] for each in entries if each["action"] == "unlink"] == [id]


def test_people_are_searched_by_a_picture(page: Any, shop: Shop, walk: Walk, picture: Path, axe: str) -> None:
    page.goto(shop.view("search"))
    page.locator(".card").first.wait_for()
    box = page.get_by_label("Search by picture")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "field-picture":
            break
    assert page.evaluate("document.activeElement.id") == "field-picture", "reached by keyboard"
    with page.expect_response("**/v1/search?*") as answered:
        box.set_input_files(picture)
    hits = answered.value.json()["hits"]
    assert answered.value.request.method == "POST"
    page.get_by_text("the most alike first").wait_for()
    first = page.locator(".card").first
    assert first.get_attribute("data-person") == hits[0]["person"]["person"]
    assert walk[0][1].request.person in {hit["person"]["person"] for hit in hits[:3]}
    assert first.get_by_text("Looks like the picture").count() == 1
    assert serious(page, axe) == []
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    past = page.evaluate("""[...document.querySelectorAll("main form *")].filter(each =>
        each.getBoundingClientRect().right > innerWidth + 1).length""")
    assert past == 0

    page.get_by_label("Whom do you look for?").fill("man")
    with page.expect_response("**/v1/search?*") as both:
        page.get_by_role("button", name="Search", exact=True).click()
    assert both.value.request.method == "POST", "the picture stays, with the words"
    assert "q=man" in both.value.url
    page.get_by_role("link", name="Take away the picture witness.jpg").click()
    page.get_by_role("list", name="Understood as").get_by_text("Gender").wait_for()
    assert page.get_by_role("link", name="Take away the picture").count() == 0
    page.go_back()
    page.get_by_role("link", name="Take away the picture").wait_for()
    page.reload()
    page.get_by_role("heading", name="The picture is gone").wait_for()
    assert serious(page, axe) == []
    entries = shop.get("/v1/audit?before=4611686018427387904")["entries"]
    assert any(len(each["detail"].get("picture", "")) == 64 for each in entries)


def test_what_is_no_picture_is_told(page: Any, shop: Shop, tmp_path: Path) -> None:
    bad = tmp_path / "letter.jpg"
    bad.write_bytes(b"Dear Sir")
    page.expected.append("422")
    page.goto(shop.view("search"))
    page.locator(".card").first.wait_for()
    page.get_by_label("Search by picture").set_input_files(bad)
    page.get_by_role("alert").get_by_text("letter.jpg: not a picture").wait_for()


def short(page: Any, path: str) -> None:
    """Have parts of two in place of a hundred."""
    page.route(f"**{path}?*", lambda route: route.continue_(url=route.request.url.replace("limit=100", "limit=2")))


def test_alerts_go_on(page: Any, shop: Shop, axe: str) -> None:
    every = [each["id"] for each in shop.get("/v1/alerts?limit=200")["alerts"]]
    assert len(every) > 3
    short(page, "/v1/alerts")
    page.goto(shop.view("alerts"))
    page.locator(".alert").nth(1).wait_for()
    assert "The first 2 alerts, there are more" in page.locator(".results").inner_text()
    assert serious(page, axe) == []
    while True:
        shown = page.locator(".alert").count()
        if shown >= len(every):
            break
        page.get_by_role("button", name="Show more").click()
        page.locator(".alert").nth(shown).wait_for()
        assert page.evaluate("document.activeElement.closest('.alert')?.dataset.alert") == every[shown]
    assert [each.get_attribute("data-alert") for each in page.locator(".alert").all()] == every
    page.get_by_role("button", name="Show more").wait_for(state="detached")
    assert f"{len(every)} alerts, the latest first" in page.locator(".results").inner_text()


def test_dead_letters_go_on(page: Any, shop: Shop, axe: str) -> None:
    every = [each["event_id"] for each in shop.get("/v1/queue/dead?limit=200")["dead"]]
    assert len(every) == 5
    short(page, "/v1/queue/dead")
    page.goto(shop.view("queue"))
    letters = page.locator(".letters > li")
    letters.nth(1).wait_for()
    assert letters.count() == 2
    assert "The first 2 events, there are more" in page.locator("main").inner_text()
    letters.first.get_by_role("checkbox").check()
    for shown in (2, 4):
        page.get_by_role("button", name="Show more").click()
        letters.nth(shown).wait_for()
    assert [each.get_attribute("value") for each in page.locator(".letters input").all()] == every
    assert letters.first.get_by_role("checkbox").is_checked(), "what was chosen stays so"
    assert not page.get_by_role("button", name="Show more").is_visible()
    assert serious(page, axe) == []
    letters.last.get_by_role("checkbox").check()
    page.get_by_role("button", name="Replay chosen").click()
    page.get_by_text("2 events wait again.").wait_for()
    assert [each["event_id"] for each in shop.get("/v1/queue/dead")["dead"]] == every[1:4]
