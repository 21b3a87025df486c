"""Print the pip arguments that lead to a CPU build of torch; nothing where pip's own index has to do.

Tried in order: a local folder of wheels (``TORCH_WHEELS``, else ``/opt/wheels``) that holds torch for this Python,
then PyTorch's CPU index if it answers within a few seconds. On Linux the default index has the CUDA build of several
gigabytes, which works too; elsewhere it has the CPU build, and there is nothing to do.
"""

from __future__ import annotations

import os
import sys
import threading
import urllib.request
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def arguments(folder: Path, index: str = CPU_INDEX, patience: float = 4.0) -> list[str]:
    """Arguments for pip; ``patience`` is in seconds, name look-up included."""
    tag = f"-cp{sys.version_info.major}{sys.version_info.minor}-"
    if any(tag in wheel.name for wheel in folder.glob("torch-*.whl")):
        return ["--find-links", str(folder)]
    return ["--extra-index-url", index] if _answers(f"{index}/torch/", patience) else []


def _answers(url: str, patience: float) -> bool:
    found = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=patience):
                found.set()
        except (OSError, ValueError):
            pass

    # A look-up of a name has no timeout of its own: a daemon thread may be left behind in it.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    return found.is_set()


if __name__ == "__main__":
    if sys.platform.startswith("linux"):
        print(*arguments(Path(os.environ.get("TORCH_WHEELS", "/opt/wheels"))))
