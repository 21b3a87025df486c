"""The command line: parse, call a room, print."""

from personvlm.cli.app import main

__all__ = ["main"]
