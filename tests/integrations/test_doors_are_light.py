from __future__ import annotations

import subprocess
import sys


def test_frigate_and_mqtt_need_neither_cameras_nor_a_store() -> None:
    code = """
import sys
for name in ("cv2", "av", "supervision", "trackers", "yaml", "sqlalchemy", "fastapi", "paho", "torch"):
    sys.modules[name] = None
import personvlm.cli.frigate, personvlm.integrations.frigate_listen, personvlm.integrations.supervision
import personvlm.integrations.labels, personvlm.integrations.mqtt, personvlm.runtime.tracks
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr
