"""The embedded models, trained from nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class MicroModelConfig:
    """Shape and schedule of one embedded model (``LlamaForCausalLM``)."""

    dialect: str = MISSING
    hidden_size: int = MISSING
    layers: int = MISSING
    intermediate_size: int = MISSING
    head_dim: int = 32
    steps: int = MISSING
    batch_size: int = 32
    lr: float = 3e-3
    seed: int = 0
    corrections: float = 0.0
    """Share of training texts with one to five mistakes, each corrected at once."""
    drills: float = 0.0
    """Share of training texts that are bare calculations."""
    number_weight: float = 1.0
    """Loss weight of numbers and of the word that begins a correction."""
    right_at_least: float = 0.0
    """The stage fails when the model gets a smaller share of held-out word problems right."""
    right_at_most: float = 1.0
    """Likewise for a larger share: a draft has to leave something to judge."""


@dataclass
class PretrainConfig:
    models: dict[str, MicroModelConfig] = field(default_factory=dict)
    checkpoint_every: int = 500
    """*(free)*"""
    check_prompts: int = 300
