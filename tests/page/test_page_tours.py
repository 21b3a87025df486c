"""Tours through the page in a real browser, each checked against the API or the store, not against the page alone."""

from __future__ import annotations

import time
from typing import Any

import pytest
from page_shop import Shop, somebody, until

from personvlm.schema import Described


def cards(page: Any) -> Any:
    return page.locator("main .card")


def test_search_says_why_and_leads_to_a_person(page: Any, shop: Shop) -> None:
    page.goto(shop.view("live"))
    cards(page).first.wait_for()
    page.keyboard.press("/")
    box = page.get_by_label("Whom do you look for?")
    box.fill("man with a backpack")
    box.press("Enter")
    page.get_by_role("list", name="Understood as").wait_for()
    found = shop.get("/v1/search?q=man%20with%20a%20backpack")
    assert found["likely"] > 0
    assert cards(page).count() == len(found["hits"])
    first, best = cards(page).first, found["hits"][0]
    assert first.get_attribute("data-person") == best["person"]["person"]
    reasons = first.locator(".reasons li").all_inner_texts()
    assert len(reasons) == len(best["reasons"]) == 2
    assert reasons[0].startswith("Gender: male")
    assert [text.split()[-2] for text in reasons] == [f"{round(100 * each['probability'])}" for each in best["reasons"]]
    until(page, "document.querySelector('.card img')?.naturalWidth > 0")

    first.get_by_role("link").click()
    page.get_by_role("heading", level=1, name="Person on").wait_for()
    person = shop.get(f"/v1/people/{best['person']['person']}")
    assert page.locator(".story > li").count() == len(person["story"]) + len(person["same_as"])
    assert page.locator(".attributes > div").count() == len(person["person"]["attributes"])
    page.get_by_role("heading", name="Who looks similar").wait_for()
    until(page, "document.querySelector('.gallery .big img').naturalWidth > 0")


def test_facets_narrow_the_search(page: Any, shop: Shop) -> None:
    page.goto(shop.view("search"))
    cards(page).first.wait_for()
    facet = page.locator(".facets section", has=page.get_by_role("heading", name="Top color", exact=True))
    facet.get_by_role("link").first.click()
    page.locator(".chip.off").wait_for()
    assert "is=upper.color%3A" in page.url
    value = page.url.split("upper.color%3A")[1].split("&")[0].replace("+", "%20")
    likely = shop.get(f"/v1/search?attribute=upper.color:{value}")["likely"]
    page.get_by_text(f"{likely} {'person likely fits' if likely == 1 else 'people likely fit'}").wait_for()
    page.locator(".chip.off").click()
    page.get_by_text("who was seen last first").wait_for()


def test_a_rule_from_plain_language_is_shown_and_tried_before_it_is_saved(page: Any, shop: Shop) -> None:
    page.goto(shop.view("rules"))
    page.get_by_label("Tell me when there is").fill("man with a backpack at the gate, wibbly")
    page.get_by_role("button", name="Read it").click()
    page.locator(".outcome").wait_for()
    rule = page.get_by_label("Understood as").input_value()
    assert '"backpack" in carrying' in rule
    assert 'camera == "gate"' in rule
    assert "“wibbly”" in page.locator(".note").first.inner_text()
    assert page.get_by_label("Name").input_value() == "man-backpack-gate-wibbly"
    assert "man-backpack-gate-wibbly" not in [each["name"] for each in shop.get("/v1/rules")["rules"]]

    page.get_by_label("Understood as").fill('"backpack" in carrying')
    page.get_by_role("button", name="Try it").click()
    page.get_by_label("Name").fill("backpacks")
    page.get_by_role("button", name="Save rule").click()
    page.get_by_role("link", name="backpacks").wait_for()
    saved = {each["name"]: each for each in shop.get("/v1/rules")["rules"]}["backpacks"]
    assert saved["rule"] == '"backpack" in carrying'
    assert saved["words"] == "man with a backpack at the gate, wibbly"

    page.get_by_role("button", name="Let backpacks rest").click()
    page.get_by_role("button", name="Wake backpacks").wait_for()
    assert [each["enabled"] for each in shop.get("/v1/rules")["rules"] if each["name"] == "backpacks"] == [False]
    page.get_by_role("button", name="Remove backpacks").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.get_by_role("link", name="backpacks").wait_for(state="detached")


def test_the_dry_run_says_what_the_api_says(page: Any, shop: Shop) -> None:
    page.goto(shop.view("rules"))
    page.get_by_label("Tell me when there is").fill("somebody with a backpack")
    with page.expect_response("**/v1/rules/dry-run") as answered:
        page.get_by_role("button", name="Read it").click()
    run = answered.value.json()
    assert run["count"] > 0
    assert page.locator(".outcome strong").inner_text() == f"{run['count']} alert{'' if run['count'] == 1 else 's'}"
    assert page.locator(".dry .card").count() == min(6, run["count"])


def test_an_alert_is_acknowledged_and_closed(page: Any, shop: Shop) -> None:
    page.goto(shop.view("alerts"))
    first = page.locator(".alert").first
    first.wait_for()
    id = first.get_attribute("data-alert")
    before = shop.get(f"/v1/alerts/{id}")
    assert before["state"] in ("raised", "updated")
    first.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("Acknowledged: you look after it.").wait_for()
    after = shop.get(f"/v1/alerts/{id}")
    assert after["acknowledged_by"] == "somebody at this machine"
    assert after["state"] == ("closed" if before["ended"] else "acknowledged")
    if after["state"] == "acknowledged":
        page.locator(f'[data-alert="{id}"]').get_by_role("button", name="Close").click()
        page.get_by_text("Closed.").wait_for()
    assert shop.get(f"/v1/alerts/{id}")["state"] == "closed"


def test_a_wrong_attribute_is_put_right_and_back(page: Any, shop: Shop) -> None:
    people = shop.get("/v1/people?limit=200")["people"]
    one = next(each for each in people if "upper.garment" in each["attributes"] and "gloves" not in each["attributes"])
    id, was = one["person"], one["attributes"]["upper.garment"]
    right = "vest" if was["value"] != "vest" else "dress"
    page.goto(shop.view(f"person/{id}"))
    page.get_by_role("button", name="Put Top right", exact=True).click()
    dialog = page.get_by_role("dialog", name="Top: what is right?")
    pressed = dialog.locator("[aria-pressed=true]")
    assert pressed.inner_text() == was["value"]
    dialog.get_by_role("button", name="Keep").click()
    assert shop.get(f"/v1/people/{id}/corrections")["corrections"] == []

    page.get_by_role("button", name="Put Top right", exact=True).click()
    dialog.get_by_role("button", name=right, exact=True).click()
    page.get_by_text(f"Top is now {right}.").wait_for()
    (kept,) = shop.get(f"/v1/people/{id}/corrections")["corrections"]
    assert (kept["group"], kept["value"], kept["said"]) == ("upper.garment", right, was)
    row = page.locator('.attributes [data-group="upper.garment"]')
    assert row.locator("dd").first.inner_text().startswith(right)
    assert "Put right by somebody at this machine" in row.inner_text()
    assert f"the model said {was['value']}" in row.inner_text()
    assert row.evaluate("each => each.contains(document.activeElement)")
    assert right in page.locator(".sentence.large").inner_text()
    assert page.locator(".story li", has_text="put right: Top").count() == 1
    hit = shop.get(f"/v1/search?q={right}&limit=1")["hits"][0]
    assert (hit["person"]["attributes"]["upper.garment"]["value"], hit["probability"] > 0.9) == (right, True)

    # Several at once, and something that was not said at all.
    page.get_by_role("button", name="Put Top color right").click()
    colors = page.get_by_role("dialog", name="Top color: what is right?")
    for box in colors.get_by_role("checkbox", checked=True).all():
        box.uncheck()
    colors.get_by_role("checkbox", name="Cannot be told").check()
    colors.get_by_role("checkbox", name="pink").check()
    assert not colors.get_by_role("checkbox", name="Cannot be told").is_checked(), "it goes with nothing else"
    colors.get_by_role("checkbox", name="green").check()
    colors.get_by_role("button", name="Put right").click()
    page.get_by_text("Top color is now green, pink.").wait_for()
    page.get_by_label("Something is missing:").select_option("gloves")
    page.get_by_role("button", name="Say it …").click()
    page.get_by_role("dialog", name="Gloves: what is right?").get_by_role("button", name="gloves", exact=True).click()
    page.get_by_text("Gloves is now gloves.").wait_for()
    now = shop.get(f"/v1/people/{id}")["person"]
    assert now["attributes"]["upper.color"] == {"value": ["green", "pink"], "confidence": 1.0}
    assert sorted(now["corrected"]) == ["gloves", "upper.color", "upper.garment"]

    for name in ("Gloves", "Top color", "Top"):
        page.get_by_role("button", name=f"Undo: {name}", exact=True).click()
        page.get_by_text(f"{name} is as it was before.").wait_for()
    back = shop.get(f"/v1/people/{id}")["person"]
    assert (back["attributes"], back["text"], back["corrected"]) == (one["attributes"], one["text"], [])
    assert page.locator(".attributes .right").count() == 0


def test_a_person_is_erased_everywhere_after_a_question(page: Any, shop: Shop) -> None:
    people = shop.get("/v1/people?limit=200")["people"]
    stories = [shop.get(f"/v1/people/{each['person']}") for each in people]
    story = next(each for each in stories if len(each["same_as"]) == 1)
    ids = [story["person"]["person"], story["same_as"][0]["person"]]
    picture = story["person"]["crops"][0]["url"]
    assert shop.status(picture) == 200
    page.goto(shop.view(f"person/{ids[0]}"))
    erase = page.get_by_role("button", name="Erase …")
    erase.click()
    dialog = page.get_by_role("dialog", name="Erase this person?")
    assert dialog.evaluate("each => each.contains(document.activeElement)")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert shop.status(f"/v1/people/{ids[0]}") == 200

    erase.click()
    assert dialog.get_by_role("checkbox").is_checked()
    dialog.get_by_label("Why").fill("asked for it")
    dialog.get_by_role("button", name="Erase").click()
    page.get_by_text("2 tracks of the person are erased.").wait_for()
    newest = shop.get("/v1/audit?before=4611686018427387904")["entries"]
    (entry,) = [each for each in newest if each["action"] == "erase"]
    assert entry["hash"] in page.locator("main").inner_text()
    assert "asked for it" in str(entry["detail"])
    assert [shop.status(f"/v1/people/{id}") for id in ids] == [404, 404]
    assert shop.status(picture) == 404
    page.expected.append("404")
    page.reload()
    page.get_by_role("heading", name="Nobody has this address").wait_for()


def test_dead_letters_are_replayed(page: Any, shop: Shop) -> None:
    page.goto(shop.view("queue"))
    letters = page.locator(".letters > li")
    letters.first.wait_for()
    assert letters.count() == shop.get("/v1/queue")["dead"] == 3
    assert "cut off" in letters.first.inner_text()
    letters.first.get_by_role("button", name="Replay").click()
    page.get_by_text("1 event waits again.").wait_for()
    until(page, "document.querySelectorAll('.letters > li').length === 2")
    assert (shop.get("/v1/queue")["dead"], shop.get("/v1/queue")["queued"]) == (2, 1)
    page.get_by_role("button", name="Replay all").click()
    page.get_by_role("heading", name="No event is dead").wait_for()
    assert (shop.get("/v1/queue")["dead"], shop.get("/v1/queue")["queued"]) == (0, 3)


def test_what_is_described_appears_by_itself(page: Any, shop: Shop, walk: list[tuple[int, Described]]) -> None:
    page.goto(shop.view("live"))
    page.locator("span.live", has_text="Live").wait_for()
    cards(page).first.wait_for()
    known = cards(page).first.get_attribute("data-person")
    fresh = somebody(walk[0][1], 4001, "<img src=x onerror=alert(1)>")
    page.on("dialog", lambda dialog: pytest.fail(f"a camera's name became a script: {dialog.message}"))
    shop.add([fresh])
    card = page.locator(f'[data-person="{fresh.request.person}"]')
    card.wait_for(timeout=10_000)
    assert cards(page).first.get_attribute("data-person") == fresh.request.person != known
    assert card.locator(".camera").inner_text() == "<img src=x onerror=alert(1)>"

    page.get_by_role("button", name="Pause").click()
    later = somebody(walk[0][1], 4002, "roof")
    shop.add([later])
    page.get_by_role("button", name="Go on (1 new)").click(timeout=10_000)
    assert cards(page).first.get_attribute("data-person") == later.request.person


def test_a_page_that_nobody_sees_holds_no_connection_and_catches_up(page: Any, shop: Shop,
                                                                    walk: list[tuple[int, Described]]) -> None:
    page.goto(shop.view("live"))
    page.locator("span.live", has_text="Live").wait_for()
    cards(page).first.wait_for()
    listening = shop.running.app.state.feed._listeners
    turn = """hidden => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
              document.dispatchEvent(new Event("visibilitychange")); }"""
    page.evaluate(turn, True)
    end = time.monotonic() + 10
    while listening and time.monotonic() < end:
        time.sleep(0.05)
    assert not listening
    missed = somebody(walk[0][1], 4004, "yard")
    shop.add([missed])
    page.evaluate(turn, False)
    page.locator(f'[data-person="{missed.request.person}"]').wait_for()
    later = somebody(walk[0][1], 4005, "yard")
    shop.add([later])
    page.locator(f'[data-person="{later.request.person}"]').wait_for(timeout=10_000)


def test_the_audit_shows_what_was_done_and_that_it_is_whole(page: Any, shop: Shop) -> None:
    page.goto(shop.view("search?q=green%20elephant"))
    page.locator(".results p[role=status], .results .state h2").first.wait_for()
    page.goto(shop.view("audit"))
    row = page.locator("tbody tr", has_text="green elephant").first
    row.wait_for()
    assert "search" in row.inner_text()
    page.get_by_role("button", name="Is it whole?").click()
    page.locator("main .good", has_text="is whole").wait_for()


def test_cameras_and_health(page: Any, shop: Shop) -> None:
    page.goto(shop.view("cameras"))
    page.get_by_role("heading", name="hall").wait_for()
    people = {each["name"]: each["people"] for each in shop.get("/v1/cameras")["cameras"]}
    panel = page.locator(".grid li", has=page.get_by_role("heading", name="hall", exact=True))
    assert panel.locator("strong").inner_text() == str(people["hall"])
    page.locator(".facts dt", has_text="Store").wait_for()
    assert page.locator(".facts dd.good").count() >= 3


def test_how_long_a_camera_keeps_people_is_said_there(page: Any, shop: Shop) -> None:
    page.goto(shop.view("cameras"))
    panel = page.locator(".grid li", has=page.get_by_role("heading", name="gate", exact=True))
    panel.get_by_text("Change what is kept").click()
    panel.get_by_label("People, days").fill("30")
    panel.get_by_label("Keep pictures of people to come").uncheck()
    panel.get_by_role("button", name="Save").click()
    panel.get_by_text("People are kept 30 days, pictures are not").wait_for()
    kept = {each["name"]: each for each in shop.get("/v1/cameras")["cameras"]}
    assert (kept["gate"]["keep_days"], kept["gate"]["keep_crops"], kept["hall"]["keep_days"]) == (30, False, None)


def alarming(shop: Shop, walk: list[tuple[int, Described]], track: int, camera: str) -> Described:
    """Somebody whom a rule fits, at any time of day."""
    known = {alert["person"] for alert in shop.get("/v1/alerts?rule=blue-top")["alerts"]}
    like = next(event for _, event in walk if event.request.person in known and event.request.others)
    fresh = somebody(like, track, camera)
    return fresh.model_copy(update={"request": fresh.request.model_copy(update={"others": like.request.others})})


def test_an_alert_appears_by_itself(page: Any, shop: Shop, walk: list[tuple[int, Described]]) -> None:
    page.goto(shop.view("alerts"))
    page.locator(".alert").first.wait_for()
    shop.add([alarming(shop, walk, 4003, "roof")], judged=True)
    page.locator(".alert", has_text="roof").wait_for(timeout=10_000)


@pytest.mark.parametrize(("view", "card"), [("alerts", ".alert"), ("live", ".card")])
def test_who_comes_before_the_feed_begins_is_shown(page: Any, shop: Shop, walk: list[tuple[int, Described]],
                                                   view: str, card: str) -> None:  # fmt: skip
    """The list is read, somebody comes, and only then does the server begin to tell of who comes."""
    camera = f"between-{view}"
    fresh = alarming(shop, walk, 4010 + len(view), camera)

    def late(route: Any) -> None:
        page.locator(card).first.wait_for()
        shop.add([fresh], judged=True)
        route.continue_()

    page.route("**/v1/events/stream*", late, times=1)
    page.goto(shop.view(view))
    page.locator(card, has_text=camera).wait_for(timeout=10_000)
