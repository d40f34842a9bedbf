"""The run itself: tracking and launching."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class TrackingConfig:
    name: str = MISSING
    wandb_mode: str = "offline"
    """``offline``, ``online`` or ``disabled``."""
    project: str = "judge-lightning"
    entity: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class LaunchConfig:
    name: str = MISSING
    threads: int = 0
    """*(free)* Torch threads of the main process; 0: all cores."""
    machine: str | None = None
    """*(free)* The machine that the pair has to fit, such as ``8 x 80 GiB``; None: this one."""
    prompt_tokens: int = 512
    """*(free)* The longest prompt that the memory is reckoned for. A longer one is not refused."""
