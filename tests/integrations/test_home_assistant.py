from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from discovery_rules import problems, state

from personvlm.integrations.home_assistant import discovery, slug

TOPIC, SENSOR = discovery("gate", prefix="personvlm", state_topic="personvlm/gate/person",
                          availability_topic="personvlm/available")  # fmt: skip


@pytest.mark.parametrize("camera", ["gate", "Haupttor Süd", "a/b", "a_b", "#1", "x" * 300, "", "日本"])
@pytest.mark.parametrize("prefix", ["personvlm", "house/personvlm"])
def test_every_camera_gives_a_message_that_home_assistant_takes(camera: str, prefix: str) -> None:
    topic, payload = discovery(camera, prefix=prefix, state_topic="p/c/person", availability_topic="p/available")
    assert problems(topic, payload) == []


def test_different_cameras_never_share_an_entity() -> None:
    names = ["a/b", "a_b", "a b", "a+b", "", "_", "A_b"]
    assert len({slug(name) for name in names}) == len(names)


def test_the_state_is_the_sentence_cut_where_home_assistant_would_refuse_it() -> None:
    assert state(SENSOR, {"text": "A man."}) == "A man."
    assert state(SENSOR, {"text": "A man. " * 100}) == ("A man. " * 100)[:255]
    assert state(SENSOR, {"error": "too dark"}) == "too dark"
    assert state(SENSOR, {"text": ""}) == "not described"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"state_topic": "a/+/b"}, "state_topic"),
        ({"state_topic": None}, "no state_topic"),
        ({"device": {"name": "x"}}, "identifiers"),
        ({"unique_id": None}, "unique_id"),
        ({"availability": [{"topic": "a"}]}, "exclude"),
        ({"jason_attributes_topic": "a"}, "unknown key"),
        ({"qos": 3}, "qos"),
        ({"icon": "account"}, "icon"),
        ({"origin": {}}, "origin"),
        ({"force_update": "yes"}, "force_update"),
    ],
)
def test_the_rules_see_what_is_wrong(change: dict[str, Any], complaint: str) -> None:
    broken = {key: value for key, value in (copy.deepcopy(SENSOR) | change).items() if value is not None}
    assert any(complaint in problem for problem in problems(TOPIC, broken))
    assert problems(TOPIC.replace("gate", "the gate"), SENSOR) != []


def test_abbreviations_are_understood() -> None:
    short = {"~": "personvlm", "stat_t": "~/gate/person", "avty_t": "~/available", "uniq_id": "x",
             "dev": {"ids": ["x"]}, "o": {"name": "y", "sw": "1"}}  # fmt: skip
    assert problems(TOPIC, short) == []


def test_the_automation_in_the_docs_fires_for_the_right_people() -> None:
    yaml = pytest.importorskip("yaml")
    page = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text("utf-8")
    automation = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    slugged = "_".join(f"{SENSOR['device']['name']} {SENSOR['name']}".lower().split())
    assert automation["triggers"][0]["entity_id"] == f"sensor.{slugged}"
    carrying = {"carrying": {"value": ["backpack"], "confidence": 0.9}}

    def fires(event: str, attributes: dict[str, Any]) -> bool:
        attributes_of_the_state = {"event": event, "attributes": attributes}
        trigger = {"to_state": {"state": "A man.", "attributes": attributes_of_the_state}}
        return all(jinja2.Environment().from_string(one).render(trigger=trigger) == "True"
                   for one in automation["conditions"])  # fmt: skip

    import jinja2

    assert fires("new", carrying)
    assert not fires("end", carrying)
    assert not fires("new", {})
