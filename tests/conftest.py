"""What tests of several rooms share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from personvlm.base.errors import InputError
from personvlm.schema import Attribute, DescribeResult, PersonDescription

# No test fetches anything: what is published may change, and a wall between is no error of ours.
os.environ.setdefault("PERSONVLM_OFFLINE", "1")


class FakeDescriber:
    """Stands where a ``Describer`` does: decodes for real, says the same of everybody, keeps what it was asked."""

    name = "fake 1"

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.metrics: dict[str, Any] = {}
        self.backend = ""
        self.description = PersonDescription(
            text="The image shows a man. He is wearing a red coat.",
            attributes={
                "gender": Attribute(value="male", confidence=0.91),
                "upper.garment": Attribute(value="coat", confidence=0.75),
                "upper.color": Attribute(value=("red", "black"), confidence=0.8),
            },
            quality=0.5, model="fake 1",
        )  # fmt: skip

    def results(
        self, inputs: Sequence[Any], *, names: Sequence[str] | None = None, **options: Any
    ) -> Iterator[DescribeResult]:
        """Like ``Describer.results``."""
        from personvlm.base.images import decode

        self.asked.append(options)
        for source, name in zip(inputs, names or map(str, inputs), strict=True):
            try:
                decode(source)
            except InputError as error:
                yield DescribeResult(input=name, error=str(error))
            else:
                yield DescribeResult(input=name, description=self.description, latency_ms=12.345)


@pytest.fixture
def fake_describer(monkeypatch: pytest.MonkeyPatch) -> FakeDescriber:
    """Loaded in place of the shipped model."""
    fake = FakeDescriber()

    def load(path: Path | None = None, *, backend: str = "auto") -> FakeDescriber:
        fake.backend = f"{backend} (asked for)"
        return fake

    monkeypatch.setattr("personvlm.runtime.describer.Describer.load", load)
    return fake


@pytest.fixture(scope="session")
def msp60k_rows() -> list[dict[str, Any]]:
    """The first 500 rows of MSP60K's real captions, and two more."""
    path = Path(os.environ.get("PERSONVLM_ASSETS", ""), "data", "msp60k", "captions.jsonl")
    if not path.is_file():
        pytest.skip("PERSONVLM_ASSETS does not hold data/msp60k/captions.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:502]]
