"""What the allocator is told, seen from outside: how much of a process stays resident."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")

PROGRAM = """
import re, sys
from personvlm.base import memory

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

told = getattr(memory, sys.argv[1])() if sys.argv[1] else True
before = resident()
first = bytearray(b"x") * (8 << 20)   # when this is freed, glibc takes blocks of its size into the heap from then on
del first
blocks = [bytearray(b"x") * (4 << 20) if row % 2 else bytearray(b"x") * 70_000 for row in range(40)]
kept = blocks[::2]                    # small ones between the large ones hold the heap's end up
del blocks
print(told, resident() - before)
"""


def left_over(function: str) -> float:
    """MB that stay resident after large blocks were freed."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, function], capture_output=True, text=True, timeout=60,
                          check=True)  # fmt: skip
    told, mb = done.stdout.split()
    assert told == "True"
    return float(mb)


def test_a_server_hands_back_what_large_pictures_took_and_training_keeps_it() -> None:
    assert left_over("return_memory") < 15
    assert left_over("keep_memory") > 60
    assert left_over("") > 60, "glibc keeps it by itself: the function has nothing to do"
