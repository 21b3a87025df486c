"""Files of the hub: at a commit, safetensors only, checked by sum; what cannot be had is said with its mend."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

import personvlm.base.hub as hub
from personvlm.base.errors import InputError
from personvlm.base.hub import PINS, Pin, fetch_published

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Sibling:
    rfilename: str


class FakeHub:
    """Stands for ``huggingface_hub``: one repository, a main branch, files by commit."""

    def __init__(self, root: Path, files: tuple[str, ...], reachable: bool = True) -> None:
        self.root, self.files, self.reachable = root, files, reachable
        self.downloaded: list[tuple[str, str]] = []

    def model_info(self, repository: str, revision: str | None, timeout: float) -> object:
        if not self.reachable:
            raise OSError("[Errno -2] Name or service not known\nand a page of advice")
        info = type("Info", (), {})()
        info.sha, info.siblings = revision or COMMIT, [Sibling(name) for name in self.files]
        return info

    def download(self, repository: str, file: str, revision: str) -> str:
        self.downloaded.append((file, revision))
        path = self.root / file
        path.write_bytes(b"weights")
        return str(path)


def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *files: str, reachable: bool = True) -> FakeHub:
    made = FakeHub(tmp_path, files, reachable)
    monkeypatch.delenv("PERSONVLM_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: made)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", made.download)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *args, **kwargs: None)
    return made


def test_pins_are_whole_commits_and_sums() -> None:
    for pin in PINS.values():
        assert re.fullmatch(r"[0-9a-f]{40}", pin.commit)
        assert all(re.fullmatch(r"[0-9a-f]{64}", total) for total in pin.sums.values())
        assert "model.safetensors" in pin.sums


def test_a_pinned_repository_is_fetched_at_its_commit_and_its_sum_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = fake(monkeypatch, tmp_path, "model.safetensors")
    with pytest.raises(InputError, match=r"distilgpt2@2290a62.*wrong sum"):
        fetch_published("distilbert/distilgpt2", "model.safetensors")
    assert made.downloaded == [("model.safetensors", PINS["distilbert/distilgpt2"].commit)]
    right = Pin(COMMIT, {"model.safetensors": hashlib.sha256(b"weights").hexdigest()})
    monkeypatch.setattr(hub, "PINS", MappingProxyType({"a/b": right}))
    found = fetch_published("a/b", "model.safetensors")
    assert (found.name, found.path) == (f"a/b@{COMMIT}", tmp_path / "model.safetensors")


def test_the_main_branch_of_an_unpinned_repository_must_hold_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = fake(monkeypatch, tmp_path, "config.json", "model.safetensors")
    assert fetch_published("apple/mobilevit-x-small", "model.safetensors").name == f"apple/mobilevit-x-small@{COMMIT}"
    assert made.downloaded == [("model.safetensors", COMMIT)]  # what main stood at, not "main"
    made = fake(monkeypatch, tmp_path, "config.json", "pytorch_model.bin")
    with pytest.raises(InputError, match=r"apple/mobilevit-x-small: holds no model\.safetensors.*pytorch_model\.bin.*"
                                         "@COMMIT"):  # fmt: skip
        fetch_published("apple/mobilevit-x-small", "model.safetensors")
    assert made.downloaded == []


def test_without_a_network_the_mend_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, reachable=False)
    with pytest.raises(InputError, match=r"from the hub \(.*not known\); fetch model\.safetensors") as told:
        fetch_published("facebook/dinov2-small", "model.safetensors")
    assert "\n" not in str(told.value)
    made = fake(monkeypatch, tmp_path, "model.safetensors")
    monkeypatch.setenv("PERSONVLM_OFFLINE", "1")
    with pytest.raises(InputError, match="PERSONVLM_OFFLINE is set"):
        fetch_published("facebook/dinov2-small", "model.safetensors")
    assert made.downloaded == []


def test_what_is_in_the_cache_needs_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, reachable=False)
    (tmp_path / "cached.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache",
                        lambda repository, file, revision: str(tmp_path / "cached.json"))  # fmt: skip
    assert fetch_published("distilbert/distilgpt2", "tokenizer.json").path == tmp_path / "cached.json"
