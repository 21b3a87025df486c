"""Events between cameras and workers: the queue port, its adapters, the worker, dead letters, replay."""

from __future__ import annotations

from personvlm.events.opening import open_queue
from personvlm.events.port import (
    Capabilities,
    DeadLetter,
    Lease,
    PutResult,
    Queue,
    QueueDownError,
    QueueFullError,
    QueueSettings,
    QueueStats,
)

__all__ = ["Capabilities", "DeadLetter", "Lease", "PutResult", "Queue", "QueueDownError", "QueueFullError",
           "QueueSettings", "QueueStats", "open_queue"]  # fmt: skip
