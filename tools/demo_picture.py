"""Make ``docs/images/demo.png``: run the demo, and take a picture of the top of its report.

Wants Chromium or Chrome; ``BROWSER`` names another program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from personvlm.pipeline.demo_cameras import DRAWN, demo_cameras, rendered

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "demo.png"
SIZE = (1180, 1060)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--blink-settings=preferredColorScheme=1")  # fmt: skip


def browser() -> str:
    """A program that takes Chromium's options.

    Raises:
        SystemExit: there is none.
    """
    names = [os.environ.get("BROWSER", ""), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        sys.exit("no Chromium or Chrome here; install one (Debian: apt-get install chromium) or name it in BROWSER")
    return found


def main() -> None:
    """Write the picture and print where it is."""
    program = browser()
    with tempfile.TemporaryDirectory() as folder:
        report = demo_cameras([rendered(6, 7)], Path(folder), script=DRAWN, kind="scene").report
        shot = Path(folder, "shot.png")
        command = [program, *FLAGS, f"--user-data-dir={folder}/profile", f"--window-size={SIZE[0]},{SIZE[1]}",
                   f"--screenshot={shot}", report.resolve().as_uri()]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if not shot.is_file():
            sys.exit(f"{program} made no picture:\n{done.stderr}")
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(shot) as image:
            image.convert("RGB").save(PICTURE, optimize=True)
    print(PICTURE)


if __name__ == "__main__":
    main()
