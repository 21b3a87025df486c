"""The document is what the server does: committed, and held to it by a machine that tries."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pytest
from abuse import everything, hostile, schemathesis_cases
from serving import jpeg

from personvlm.server.app import create_app

pytest.importorskip("schemathesis")

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_the_one_that_is_served() -> None:
    assert json.loads(COMMITTED.read_text("utf-8")) == create_app().openapi(), "run: python tools/openapi.py"


def test_schemathesis(tmp_path: Path) -> None:
    with everything(tmp_path) as server:
        answered = schemathesis_cases(server, 40, seed=1)
    assert sum(answered.values()) >= 35
    assert answered["2xx"] > 10
    assert "5xx" not in answered


def test_hostile_uploads(tmp_path: Path) -> None:
    with everything(tmp_path) as server, httpx.Client(timeout=30) as client:
        for name, sent in hostile(56, seed=int(os.environ.get("SEED", "3"))):
            answer = client.post(f"{server.url}/v1/describe", **sent)
            assert 400 <= answer.status_code < 500, (name, answer.status_code, answer.text[:300])
            assert answer.headers["content-type"] == "application/problem+json"
        good = {"content": jpeg(), "headers": {"content-type": "image/jpeg"}}
        assert client.post(f"{server.url}/v1/describe", **good).status_code == 200
