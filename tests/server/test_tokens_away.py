"""Tokens that cannot be looked up for a while: nobody is let in, and nobody is told that a token is bad."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from personvlm.server.tokens import StoredTokens, TokenFile, create
from personvlm.store import Store

Serve = Callable[..., Any]


def test_a_file_of_tokens_that_breaks_later(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    secret, kept = create("somebody", ["ingest"])
    TokenFile(file).save(kept)
    url = f"{serve(token_file=file).url}/v1/models"
    whole = file.read_text()
    file.write_text("[{")
    answer = httpx.get(url, headers={"authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "tokens_down")
    assert "retry-after" in answer.headers
    assert "tokens.json" not in answer.text, "where it lies is for the log"
    file.write_text(whole)
    assert httpx.get(url, headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_tokens_of_a_database_that_is_away(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, kept = create("somebody", ["read"])
    with Store.open(tmp_path / "people.db") as store:
        StoredTokens(store).save(kept)
    url = f"{serve(store=str(tmp_path / 'people.db'), deliver_s=None, sweep_s=None).url}/v1/cameras"

    def away(*_: object) -> Any:
        raise OperationalError("connect", {}, OSError("it is away"))

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "connect", away)
        answer = httpx.get(url, headers={"authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_down")
    assert httpx.get(url, headers={"authorization": f"Bearer {secret}"}).status_code == 200
