"""What a figure was measured on: processor, limits, versions, memory, energy, and who else was computing."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from personvlm.runtime.engine import available_cores

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16", "asimddp", "i8mm", "bf16")
"""Processor features that decide how fast small matrices are multiplied; the others are left out."""

_PACKAGES = ("personvlm", "onnxruntime", "numpy", "pillow", "torch", "transformers", "openvino")
_GPU = {f"{name}ExecutionProvider" for name in ("CUDA", "Tensorrt", "ROCM", "MIGraphX", "Dml", "CoreML")}
_PROC, _CGROUP, _POWERCAP = Path("/proc"), Path("/sys/fs/cgroup"), Path("/sys/class/powercap")


def hardware() -> dict[str, Any]:
    """Facts about this machine, fit for JSON; what the system does not tell is None."""
    cpu = _cpuinfo()
    flags = set((cpu.get("flags") or cpu.get("Features") or "").split())
    return {
        "cpu": cpu.get("model name") or platform.processor() or platform.machine(),
        "cores": available_cores(), "cores_of_the_machine": os.cpu_count(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "l3_mb": _l3_mb(), "memory_gb": _memory_gb(),
        "cgroup": {name: _read(_CGROUP / name) for name in ("cpu.max", "memory.max")},
        "gpu": [name.removesuffix("ExecutionProvider") for name in _providers() if name in _GPU] or None,
        "system": f"{platform.system()} {platform.release()}",
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Python's version and those of the packages that matter, where they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware_line() -> str:
    """Processor, cores that this process may use, and what runs on them, in one line."""
    facts = hardware()
    cores = facts["cores"]
    features = [flag.upper().replace("_", "-") for flag in facts["flags"] if flag not in ("avx2", "avx512f")]
    parts = [facts["cpu"], f"{cores} core{'s' * (cores != 1)}"]
    if features:
        parts.append(" ".join(features))
    if facts["memory_gb"]:
        parts.append(f"{facts['memory_gb']:.0f} GB")
    parts += [platform.system(), f"Python {platform.python_version()}", f"onnxruntime {version('onnxruntime')}"]
    return ", ".join([*parts, " ".join(facts["gpu"] or ["no GPU"])])


def memory_mb() -> dict[str, float]:
    """``rss`` and ``peak`` of this process in MB (10^6 bytes)."""
    status = _read(_PROC / "self" / "status")
    if status is not None:
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return {name: int(lines[key].split()[0]) * 1024 / 1e6 for name, key in (("rss", "VmRSS"), ("peak", "VmHWM"))}
    import resource  # not Linux: the peak alone is known, in bytes on macOS

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {"rss": peak, "peak": peak}


class Elsewhere:
    """How much of the machine other processes used since this was made: a benchmark wants nearly nothing."""

    def __init__(self) -> None:
        self._start = self._read()

    def share(self) -> float | None:
        """Of the time of all cores, 0..1; None where the system does not tell."""
        now = self._read()
        if self._start is None or now is None or now[0] <= self._start[0]:
            return None
        total, busy, own = (after - before for after, before in zip(now, self._start, strict=True))
        return round(max(0.0, busy - own) / total, 4)

    @staticmethod
    def _read() -> tuple[float, float, float] | None:
        stat = _read(_PROC / "stat")
        if stat is None:
            return None
        ticks = [int(field) for field in stat.split("\n", 1)[0].split()[1:9]]  # user nice system idle iowait … steal
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return sum(ticks) / _TICKS, (sum(ticks) - ticks[3] - ticks[4]) / _TICKS, own


class Energy:
    """Joules of all processor packages since this was made, from RAPL's counters."""

    def __init__(self) -> None:
        self.why = ""
        zones = sorted(zone for zone in _POWERCAP.glob("*-rapl:*") if zone.name.count(":") == 1)
        if not zones:
            self.why = f"no RAPL counters in {_POWERCAP}: virtual machines seldom have them"
        self._zones = {zone: _number(zone / "energy_uj") for zone in zones}
        if any(count is None for count in self._zones.values()):
            self.why = f"the counters in {_POWERCAP} may be read by root only"

    def joules(self) -> float | None:
        """None where the counters cannot be read; ``why`` says why."""
        if self.why:
            return None
        total = 0
        for zone, start in self._zones.items():
            now, largest = _number(zone / "energy_uj"), _number(zone / "max_energy_range_uj")
            if now is None or start is None:
                return None
            total += now - start if now >= start else now - start + (largest or 0)  # the counter began anew
        return total / 1e6


def load_average() -> float | None:
    """Of the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def now() -> str:
    """Date and time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _providers() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _cpuinfo() -> dict[str, str]:
    """The first processor of /proc/cpuinfo."""
    text = _read(_PROC / "cpuinfo") or ""
    pairs = (line.split(":", 1) for line in text.split("\n\n", 1)[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _l3_mb() -> float | None:
    size = _read(Path("/sys/devices/system/cpu/cpu0/cache/index3/size"))
    return int(size.rstrip("K")) / 1024 if size and size.endswith("K") else None


def _memory_gb() -> float | None:
    """10^9 bytes."""
    for line in (_read(_PROC / "meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) * 1024 / 1e9, 1)
    return None


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text and text.isdigit() else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
