"""The run itself: tracking, launching, and the page of a sweep."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from pipelines.config.cluster import RayConfig


@dataclass
class TrackingConfig:
    name: str = MISSING
    wandb_mode: str = "offline"
    """``offline``, ``online`` or ``disabled``."""
    project: str = "judge-lightning"
    """Of W&B, likewise the next two."""
    entity: str | None = None
    tags: list[str] = field(default_factory=list)
    wait_seconds: float = 60.0
    """*(free)* How long a run's end waits for W&B to have received or recorded everything. What is
    missing then is on the disk, and ``wandb sync`` sends it."""


@dataclass
class LaunchConfig:
    name: str = MISSING
    threads: int = 0
    """*(free)* Torch threads of the main process; 0: all cores."""
    machine: str | None = None
    """*(free)* The machine that the pair has to fit, such as ``8 x 80 GiB``; None: this one."""
    prompt_tokens: int = 512
    """*(free)* The longest prompt that the memory is reckoned for. A longer one is not refused."""
    ray: RayConfig | None = None
    """*(free)* The Ray cluster that does the shards; None: this machine's processes do."""


@dataclass
class SweepConfig:
    """*(free)* How the jobs of a multirun are shown on one page (docs/sweeps.md)."""

    title: str = ""
    """The page's heading; empty: the experiment's name."""
    question: str = ""
    """What the sweep is to answer, in one or two sentences."""
    axes: dict[str, str] = field(default_factory=dict)
    """What tells the jobs apart: a label, and the field that it is read from (``judge.layer``), or
    a number of the job's summary (``summary.court.dataset.tuples``). Empty: the fields that
    differ."""
    families: list[str] = field(default_factory=list)
    """Families of prompts that have columns; empty: the headline's."""
    decoders: list[str] = field(default_factory=list)
    """Whose answers the page is about; empty: the judge's, or else the standard rule's."""
    beside: str | None = None
    """Published numbers that are printed beside: ``paper``, the paper's."""
