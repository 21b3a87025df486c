"""A result of ``personvlm bench`` made by hand, for what is shown of it."""

from __future__ import annotations

from typing import Any


def times(*values: float) -> dict[str, float]:
    return dict(zip(("p50", "p90", "p99", "max"), values, strict=True))


def canned() -> dict[str, Any]:
    """Nothing here was measured."""
    race = {"published loop": 12_000.0, "stage 4, int8": 200.0, "edge": 16.0}
    return {
        "format": "personvlm.bench", "version": 1, "began": "2026-11-24 10:00:00", "effort": 1.0,
        "line": "a processor, 2 cores", "model": {"name": "edge-7", "backend": "OnnxEngine"}, "busy_elsewhere": 0.01,
        "hardware": {"cpu": "a processor", "cores": 2, "cores_of_the_machine": 4, "flags": ["avx2"], "l3_mb": 32.0,
                     "memory_gb": 25.3, "cgroup": {"cpu.max": "200000 100000", "memory.max": None}, "system": "Linux"},
        "versions": {"python": "3.12.0", "personvlm": "0.1.0"},
        "pictures": {"source": "rendered people", "count": 96, "mean_bytes": 6000},
        "latency_ms": {"n": 400, "mean": 17.0, **times(16.25, 18.0, 31.0, 44.0)},
        "tokens": {"mean": 33.4, "min": 20, "max": 41},
        "stages_ms": {"decode": times(0.2, 0.3, 0.4, 0.5), "words": times(11.0, 12.0, 13.0, 14.0)},
        "start_up_s": {"runs": [0.9, 0.8], **times(0.8, 0.9, 0.9, 0.9)},
        "memory": {"pictures": 104, "loaded_mb": 120.0, "rss_mb": 180.0, "peak_mb": 190.6, "heavy": []},
        "energy": {"readable": False, "why": "no counters"},
        "batches": [{"batch": 1, "per_s": 60.0, "ms_per_batch": 16.7},
                    {"batch": 16, "per_s": 123.4, "ms_per_batch": 129.7}],
        "capacity": {"workers": 2, "threads": 1, "per_s": 130.0, "batch_ms": 120.0, "batch": 16, "window_ms": 50.0,
                     "tried": [{"workers": 2, "threads": 1, "batch": 16, "per_s": 130.0, "batch_ms": 120.0}],
                     "lone_wait_ms": times(0.1, 0.2, 0.3, 0.4)},
        "load": [{"share": 0.8, "offered": 104.0, "per_s": 103.0, "wait_ms": times(40.0, 90.0, 141.5, 150.0),
                  "total_ms": times(100.0, 150.0, 200.0, 210.0), "mean_batch": 6.5}],
        "cameras": {"cameras": 97, "limit_ms": 500.0, "workers": 2, "tried": [
            {"cameras": 97, "seconds": 60.0, "fits": True, "p99_ms": 321.0, "per_s": 96.5, "mean_batch": 7.0}]},
        "compare": {"tokens": 97, "ratios": {name: 12_000.0 / ms for name, ms in race.items()}, "contestants": [
            {"name": name, "about": "", "n": 5, "ms": times(ms, ms, ms, ms), "tokens": 97.0}
            for name, ms in race.items()]},
        "targets": [{"what": "one description, p50", "figure": 16.25, "bound": "<= 20 ms", "met": True}],
    }  # fmt: skip
