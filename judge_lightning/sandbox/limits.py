"""How a program is confined, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass

NAMESPACES, ALONE = "namespaces", "filter"
"""How: by namespaces and a filter of system calls, or by the filter alone."""


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    A program with children has at most ``processes`` times ``memory_bytes``; threads count as
    processes. Its temporary folder holds ``file_bytes``, and so does a single file.
    """

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * 2**20
    processes: int = 4
    file_bytes: int = 16 * 2**20


LIMITS = Limits()
"""Plenty for a function and its tests."""
