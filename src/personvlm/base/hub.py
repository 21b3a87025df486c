"""Files of the Hugging Face hub: at a commit, which cannot change, and checked by their sum where it is known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from personvlm.base.assets import OFFLINE, sha256
from personvlm.base.errors import InputError

HUB = "hub"
"""The name of a source that stands for "where it is published"."""


@dataclass(frozen=True)
class Pin:
    """A commit of a repository that is known to hold safetensors, and SHA-256 sums of its files by name."""

    commit: str
    sums: Mapping[str, str] = field(default_factory=dict)


def _weights(sum_: str) -> Mapping[str, str]:
    return MappingProxyType({"model.safetensors": sum_})


PINS: Mapping[str, Pin] = MappingProxyType({
    "distilbert/distilgpt2": Pin("2290a62682d06624634c1f46a6ad5be0f47f38aa",
                                 _weights("e1ff18884359fe8beb795a5f414feb85a6ce3d929ad019c0d958c039d2b94a1b")),
    "openai-community/gpt2": Pin("607a30d783dfa663caf39e06633721c8d4cfcd7e",
                                 _weights("248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707")),
    "facebook/dinov2-small": Pin("ed25f3a31f01632728cabb09d1542f84ab7b0056",
                                 _weights("ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1")),
    "timm/mobilenetv3_small_100.lamb_in1k": Pin("1824797e7887cbec1990e4adbd6675960a36c589",
                                 _weights("46d2c063b18125884c48937afa4c49e18128869e52e8db96df48bf0a4d7ff697")),
})  # fmt: skip
"""Commits and sums that several public projects name alike. Of other repositories none could be confirmed; their main
branch is used if it holds the file as safetensors, and the commit that it stood at is told and recorded."""


@dataclass(frozen=True)
class Published:
    """A file of the hub on this machine, and the commit that it is of."""

    path: Path
    repository: str
    commit: str

    @property
    def name(self) -> str:
        """``repository@commit``, which asks for the same file again."""
        return f"{self.repository}@{self.commit}"


def fetch_published(repository: str, file: str, commit: str = "") -> Published:
    """A file of a repository, from the hub's cache on this machine or else from the hub.

    Args:
        repository: as in ``distilbert/distilgpt2``.
        file: its name there.
        commit: which version; by default the pinned one, and where none is pinned the one that the main branch
            stands at.

    Raises:
        InputError: no network, no such repository, commit or file, or a wrong sum. Names them, and the mend.
    """
    pin = PINS.get(repository)
    commit = commit or (pin.commit if pin else "")
    path = _cached(repository, file, commit) if commit else None
    if path is None:
        commit, path = _downloaded(repository, file, commit)
    if pin is not None and commit == pin.commit and file in pin.sums and sha256(path) != pin.sums[file]:
        raise InputError(f"{repository}@{commit}: {path} has the wrong sum {sha256(path)}, expected {pin.sums[file]}; "
                         "remove it, so that it is fetched again")  # fmt: skip
    return Published(path, repository, commit)


def _cached(repository: str, file: str, commit: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file, revision=commit)
    return Path(found) if isinstance(found, str) else None


def _downloaded(repository: str, file: str, commit: str) -> tuple[str, Path]:
    from huggingface_hub import HfApi, hf_hub_download

    asked = f"{repository}@{commit}" if commit else repository
    mend = f"fetch {file} where there is a network and give the folder that holds it"
    if os.environ.get(OFFLINE, "0") not in ("", "0"):
        raise InputError(f"{asked}: not fetched, {OFFLINE} is set; {mend}")
    try:  # asks first: without a network this fails at once, where a download tries again for half a minute
        info = HfApi().model_info(repository, revision=commit or None, timeout=20)
        held = [each.rfilename for each in info.siblings or ()]
    except Exception as error:  # network, HTTP and validation errors have no common base
        raise InputError(f"{asked}: cannot be had from the hub ({_first_line(error)}); {mend}") from error
    if file not in held:
        raise InputError(f"{asked}: holds no {file} (it has {', '.join(held) or 'nothing'}); give "
                         f"{repository}@COMMIT of a commit that does, or {mend}")  # fmt: skip
    revision = info.sha or commit
    if not revision:
        raise InputError(f"{asked}: the hub does not say which commit this is; give {repository}@COMMIT")
    try:
        return revision, Path(hf_hub_download(repository, file, revision=revision))
    except Exception as error:
        raise InputError(f"{asked}: {file} cannot be had from the hub ({_first_line(error)}); {mend}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
