"""The configured draft length, as decoders take it and as keys hold it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from judge_lightning.decoding.draft_length import AUTO, Adaptive, DraftLength, as_draft_length
from pipelines.config import EngineConfig


def draft_length_of(engine: EngineConfig) -> DraftLength:
    """Raises UserError for what is neither a whole number of at least 1 nor ``auto``."""
    if engine.draft_length == AUTO:
        return Adaptive(engine.longest_draft, engine.draft_cost, engine.look_every)
    return as_draft_length(engine.draft_length)


def draft_length_setting(engine: EngineConfig) -> int | dict[str, Any]:
    """A number as it is; ``auto`` with all that it decides by, and nothing else does."""
    length = draft_length_of(engine)
    return {AUTO: asdict(length)} if isinstance(length, Adaptive) else length.longest
