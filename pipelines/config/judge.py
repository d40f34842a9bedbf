"""The judge: embeddings, the head and its threshold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class EmbedConfig:
    dtype: str = "float16"
    """How embeddings are stored: ``float16``, ``bfloat16`` or ``float32``."""
    shard_tokens: int = 16384
    """Tokens per shard, the unit of resuming."""
    batch_size: int = 32
    """*(free)*"""


@dataclass
class JudgeConfig:
    name: str = MISSING
    head: str = "linear"
    """A kind of head: a file of ``judge_lightning/heads/`` (docs/heads.md)."""
    options: dict[str, Any] = field(default_factory=dict)
    """The kind's own, with defaults where none is given."""
    layer: int | None = None
    """None: the best on validation. A Python index into the target's blocks (-1: the last).
    A head over several layers takes its layers from ``options``."""
    lr: float = 1e-4
    """Of AdamW."""
    weight_decay: float = 0.1
    batch_size: int = 128
    """Tokens."""
    max_epochs: int = 50
    patience: int = 5
    """Epochs without a better validation score before training ends."""
    positive_weight: float | None = None
    """None: negatives / positives, so that both classes weigh the same."""
    threshold: float = 0.5
    """A token passes where its probability is above, where ``calibrate`` chooses no other."""
    processes: int = 1
    """*(free)* CPU processes that share every training batch (docs/training.md)."""
    seed: int = 0


@dataclass
class CalibrateConfig:
    rule: str | None = None
    """``fixed``: ``judge.threshold``. ``recall``: the largest threshold's acceptance that
    keeps ``recall`` of the held-out mistakes out. ``risk``: the lowest threshold that promises
    ``alpha`` (docs/guarantee.md). None: ``risk`` where ``alpha`` is given, else ``fixed``."""
    recall: float = 0.95
    """For the rule ``recall``: the share of held-out mistakes to keep out."""
    points: int = 101
    """Of the operating curve."""
    alpha: float | None = None
    """What the risk is at most, with probability 1 - ``epsilon`` over the calibration prompts."""
    epsilon: float = 0.05
    """The chance that the bound does not hold."""
    risk: str = "mistakes"
    """Whose share is bounded: ``mistakes`` that the judge keeps, or ``answers`` that turn from
    right to wrong, for which the calibration prompts are decoded (the stage trials)."""
    thresholds: list[float] = field(default_factory=lambda: [0.99, 0.95, 0.9, 0.8, 0.65, 0.5])
    """What is decoded for ``answers``; tested from the strictest on, up to one that fails."""
