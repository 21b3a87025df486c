"""What Home Assistant must be told once so that a camera's people appear as a sensor of its own accord.

Written from https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and .../integrations/sensor.mqtt/.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from personvlm import __version__

LONGEST_STATE = 255
"""Characters of a state. Home Assistant refuses longer ones, so that the sensor would become unknown."""


def slug(name: str) -> str:
    """``name`` as part of a topic or an id: letters, digits, ``_`` and ``-``; different names stay different."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return safe if safe == name and name else f"{safe}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def discovery(camera: str, *, prefix: str, state_topic: str, availability_topic: str,
              root: str = "homeassistant") -> tuple[str, dict[str, Any]]:  # fmt: skip
    """Topic and payload of the message that makes a sensor of ``camera``. Publish it retained.

    The sensor's state is the last sentence, its attributes are the whole event.

    Args:
        prefix: first part of our own topics; part of the ids, so that two installations can share a broker.
        state_topic: where the camera's events are published.
        availability_topic: where ``online`` and ``offline`` are.
        root: Home Assistant's discovery prefix.
    """
    node, here = slug(prefix), slug(camera)
    said = "value_json.text | default(value_json.error, true) | default('not described', true)"
    return f"{root}/sensor/{node}/{here}/config", {
        "name": "Person",
        "unique_id": f"{node}_{here}_person",
        "state_topic": state_topic,
        "value_template": f"{{{{ ({said})[:{LONGEST_STATE}] }}}}",
        "json_attributes_topic": state_topic,
        "availability_topic": availability_topic,
        "force_update": True,  # the next person may look the same; automations must hear of both
        "icon": "mdi:account-eye",
        "qos": 1,
        "device": {"identifiers": [f"{node}_{here}"], "name": f"PersonVLM {camera}", "manufacturer": "PersonVLM",
                   "model": "person describer", "sw_version": __version__},
        "origin": {"name": "PersonVLM", "sw_version": __version__},
    }  # fmt: skip
