"""What Home Assistant demands of a discovery message of a sensor, as its documentation and schema state it.

Sources: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, .../integrations/sensor.mqtt/, and the rules
in homeassistant/components/mqtt (schemas.py, entity checks). Only what concerns sensors.
"""

from __future__ import annotations

import re
from typing import Any

SHORT = {
    "avty": "availability", "avty_mode": "availability_mode", "avty_t": "availability_topic",
    "avty_tpl": "availability_template", "dev": "device", "dev_cla": "device_class", "e": "encoding",
    "en": "enabled_by_default", "ent_cat": "entity_category", "ent_pic": "entity_picture", "exp_aft": "expire_after",
    "frc_upd": "force_update", "ic": "icon", "json_attr_t": "json_attributes_topic",
    "json_attr_tpl": "json_attributes_template", "lrst_val_tpl": "last_reset_value_template", "o": "origin",
    "obj_id": "object_id", "def_ent_id": "default_entity_id", "ops": "options", "p": "platform",
    "pl_avail": "payload_available", "pl_not_avail": "payload_not_available", "stat_cla": "state_class",
    "stat_t": "state_topic", "sug_dsp_prc": "suggested_display_precision", "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template",
}  # fmt: skip
KEYS = {*SHORT.values(), "name", "qos"}
DEVICE_SHORT = {"cns": "connections", "cu": "configuration_url", "hw": "hw_version", "ids": "identifiers",
                "mdl": "model", "mdl_id": "model_id", "mf": "manufacturer", "sa": "suggested_area",
                "sn": "serial_number", "sw": "sw_version"}  # fmt: skip
DEVICE = {*DEVICE_SHORT.values(), "name", "via_device"}
ORIGIN_SHORT = {"sw": "sw_version", "url": "support_url"}
ORIGIN = {*ORIGIN_SHORT.values(), "name"}
TOPIC = re.compile(r"([^/+#]+(/[^/+#]+)*)/sensor/([A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+/config")


def long(value: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): item for key, item in value.items()}


def problems(topic: str, payload: dict[str, Any]) -> list[str]:
    """What Home Assistant would refuse or ignore; nothing if all is well."""
    wrong = [] if TOPIC.fullmatch(topic) else [f"topic {topic}"]
    base = payload.get("~")
    config = long({key: value for key, value in payload.items() if key != "~"}, SHORT)
    if base is not None:
        config = {key: value.replace("~", base) if key.endswith("topic") and (value[0] == "~" or value[-1] == "~")
                  else value for key, value in config.items()}  # fmt: skip
    wrong += [f"unknown key {key}" for key in sorted(config.keys() - KEYS)]
    if "state_topic" not in config:
        wrong.append("no state_topic")
    for key in (key for key in config if key.endswith("_topic")):
        value = config[key]
        if not isinstance(value, str) or not 0 < len(value.encode()) <= 65535 or set(value) & set("+#\0"):
            wrong.append(f"{key} {value!r}")
    if {"availability", "availability_topic"} <= config.keys():
        wrong.append("availability and availability_topic exclude each other")
    if "unique_id" in config and (not isinstance(config["unique_id"], str) or not config["unique_id"]):
        wrong.append(f"unique_id {config['unique_id']!r}")
    wrong += [f"{key} is no boolean" for key in ("force_update", "enabled_by_default")
              if not isinstance(config.get(key, True), bool)]  # fmt: skip
    if config.get("qos", 0) not in (0, 1, 2):
        wrong.append(f"qos {config['qos']!r}")
    if not re.fullmatch(r"[a-z0-9_-]+:[a-z0-9_-]+", config.get("icon", "mdi:account")):
        wrong.append(f"icon {config['icon']!r}")
    if "device" in config:
        device = long(config["device"], DEVICE_SHORT)
        wrong += [f"unknown key device.{key}" for key in sorted(device.keys() - DEVICE)]
        if not device.get("identifiers") and not device.get("connections"):
            wrong.append("device without identifiers or connections")
        if "unique_id" not in config:
            wrong.append("a device needs a unique_id")
    if "origin" in config:
        origin = long(config["origin"], ORIGIN_SHORT)
        wrong += [f"unknown key origin.{key}" for key in sorted(origin.keys() - ORIGIN)]
        if not isinstance(origin.get("name"), str):
            wrong.append("origin without a name")
    return wrong


def state(payload: dict[str, Any], message: dict[str, Any]) -> str:
    """What the sensor shows for a message on its state topic. Home Assistant's templates are Jinja's."""
    import jinja2

    template = long(payload, SHORT).get("value_template", "{{ value }}")
    shown = jinja2.Environment().from_string(template).render(value_json=message)
    assert len(shown) <= 255, "Home Assistant refuses such a state"
    return str(shown)
