"""What the judge says of texts that it should not accept: which file, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class SafetyConfig:
    name: str = MISSING
    path: str | None = None
    """A JSON Lines file of flagged continuations (docs/safety.md); ``micro:flagged_held_out`` is
    the embedded one. None: the run has no such stage."""
    shard_size: int = 256
    """Continuations per shard, the unit of resuming."""
    batch_size: int = 32
    """*(free)* Continuations per forward pass."""
