"""Ask for known vulnerabilities of the releases in constraints.txt, with pip-audit.

Exit status: 0 when none is known, 1 when one is, 2 when it could not be asked. The advisories are the index's, on the
network; mirrors have none. One release is asked for first: where that is in vain, the others are not, and with
--allow-offline that is said and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "constraints.txt"
TIMEOUT_S = 180.0


def ask(file: Path, report: Path, program: Sequence[str] = (sys.executable, "-m", "pip_audit")) -> str:
    """Have pip-audit write ``report``; returns why there is none, or nothing."""
    command = [*program, "--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "-r", str(file),
               "-f", "json", "-o", str(report)]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {TIMEOUT_S:.0f} s"
    except OSError as error:
        return str(error)
    if report.is_file() and report.stat().st_size:
        return ""
    return (done.stderr.strip().splitlines() or [f"pip-audit ended with status {done.returncode}"])[-1]


def nothing(report: dict[str, Any]) -> str:
    """Why nothing in ``report`` was audited; empty where something was."""
    reasons = [each.get("skip_reason") for each in report["dependencies"]]
    return "" if None in reasons else str(reasons[0] if reasons else "the report is empty")


def problems(report: dict[str, Any]) -> list[str]:
    """A line for each advisory, and one for each release that could not be looked up."""
    lines = []
    for each in report["dependencies"]:
        if "skip_reason" in each:
            lines.append(f"{each['name']}: not audited: {each['skip_reason']}")
        for found in each.get("vulns", ()):
            mended = ", ".join(found["fix_versions"]) or "no release yet"
            lines.append(f"{each['name']} {each['version']}: {found['id']}, mended by {mended}")
    return lines


def main(arguments: Sequence[str], program: Sequence[str] = (sys.executable, "-m", "pip_audit")) -> int:
    """Audit; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        first, report = Path(folder) / "first.txt", Path(folder) / "report.json"
        first.write_text(next(each for each in FILE.read_text("utf-8").splitlines() if "==" in each) + "\n", "utf-8")
        why = ""
        for file in (first, FILE):
            report.unlink(missing_ok=True)
            why = why or ask(file, report, program) or nothing(json.loads(report.read_text("utf-8")))
        if why:
            print(f"audit: NOT AUDITED, the advisories could not be asked: {why}")
            return 0 if "--allow-offline" in arguments else 2
        found = json.loads(report.read_text("utf-8"))
    lines = problems(found)
    print("\n".join(["audit: " + each for each in lines]), end="\n" if lines else "")
    bad = sum(bool(each.get("vulns")) for each in found["dependencies"])
    asked = sum("skip_reason" not in each for each in found["dependencies"])
    print(f"audit: {asked} of {len(found['dependencies'])} releases audited, {bad} with known vulnerabilities")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
