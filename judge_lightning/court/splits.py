"""Which split a prompt belongs to: decided by its own text, whatever else is read with it."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

from judge_lightning.court.records import SPLITS
from judge_lightning.errors import UserError


def identity(text: str) -> str:
    """What makes two prompts the same: case, spacing and punctuation do not count.

    Digits and operators stay: two problems may differ in one sign only.
    """
    return re.sub(r"[\s.,;:!?\"'’“”]+", " ", text.casefold()).strip()


def split_of(text_identity: str, shares: Mapping[str, float], seed: int) -> str:
    """The split of a text: a point in [0, 1) from its hash, placed among the shares."""
    digest = hashlib.sha256(f"split:{seed}:{text_identity}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    reached = 0.0
    for split in SPLITS:
        reached += shares.get(split, 0.0)
        if point < reached:
            return split
    return next(split for split in reversed(SPLITS) if shares.get(split))


def validate_shares(shares: Mapping[str, float]) -> None:
    """Raises UserError when the splits' shares are no shares of one whole."""
    for split, share in shares.items():
        if split not in SPLITS:
            raise UserError(f"data.shares.{split}", "is no split", f"the splits are {list(SPLITS)}")
        if not 0.0 <= share <= 1.0:
            raise UserError(f"data.shares.{split}", f"{share} is no share", "give 0 to 1")
    total = sum(shares.values())
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise UserError("data.shares", f"add up to {total:g}", "they must add up to 1")
