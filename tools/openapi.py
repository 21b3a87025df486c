"""Writes docs/openapi.json: the API as it is. A test holds the two together."""

from __future__ import annotations

import json
from pathlib import Path

from personvlm.server.app import create_app

OUT = Path(__file__).parents[1] / "docs" / "openapi.json"

if __name__ == "__main__":
    OUT.write_text(json.dumps(create_app().openapi(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(OUT)
