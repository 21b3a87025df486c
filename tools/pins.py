"""Write constraints.txt: the release of everything that `make dev` installs, as it is installed in this environment."""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FILE = ROOT / "constraints.txt"
HEAD = """\
# The releases that PersonVLM was tested with, of all that `make dev` installs. Written by `make pins`; `make audit`
# asks for known vulnerabilities of them. pyproject.toml has the ranges that are allowed; a release that wants a newer
# Python than 3.10 binds only there. torch is the release that the weights were trained with; its CPU build is taken
# where one can be found (tools/torch_source.py).
"""
OLDEST = Version("3.10")
"""Python that the package is for, at least."""


def plain(name: str) -> str:
    """A name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(root: str = "personvlm") -> dict[str, Distribution]:
    """Name -> what is installed here of all that ``root`` and its extras need, itself left out."""
    found: dict[str, Distribution] = {}
    extras: dict[str, set[str]] = {}
    waiting = [(root, set(distribution(root).metadata.get_all("Provides-Extra") or ()))]
    while waiting:
        name, wanted = waiting.pop()
        if name in extras and wanted <= extras[name]:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:  # of an extra that is not installed, or for another system
            continue
        extras[name] = extras.get(name, set()) | wanted
        found[name] = one
        for line in one.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras[name])):
                waiting.append((plain(requirement.name), set(requirement.extras)))
    del found[root]
    found.pop("pip", None)  # comes with Python
    return found


def line(name: str, version: str, python: str | None) -> str:
    """A pin; ``python`` is what that release asks of Python."""
    needed = [Version(each.version) for each in SpecifierSet(python or "") if each.operator == ">="]
    marker = "".join(f'; python_full_version >= "{each}"' for each in needed if each > OLDEST)
    return f"{name}=={Version(version).public}{marker}"


def pinned(text: str) -> dict[str, str]:
    """Name -> line of ``text``, which is that of constraints.txt."""
    lines = [each for each in text.splitlines() if each and not each.startswith("#")]
    return {plain(each.partition("==")[0]): each for each in lines}


def main() -> None:
    """Write the file."""
    lines = {name: line(name, one.version, one.metadata.get("Requires-Python")) for name, one in installed().items()}
    FILE.write_text(HEAD + "\n".join(lines[name] for name in sorted(lines)) + "\n", "utf-8")
    print(f"{FILE.name}: {len(lines)} releases", file=sys.stderr)


if __name__ == "__main__":
    main()
