"""Prompts that are nearly the same: MinHash signatures in a locality-sensitive index.

Two prompts are alike when the sets of their word triples overlap (Jaccard similarity), as
estimated from 128 hash values each: its standard error is at most 0.045. About 5 KB of memory a
prompt.
"""

from __future__ import annotations

import hashlib

import numpy as np
from datasketch import MinHash, MinHashLSH

from judge_lightning.court.overlap import words

_VALUES = 128
_SHINGLE = 3
"""Words in a row. One changed word of forty leaves a similarity of 0.85."""
_MISSED_WEIGHS = 0.9
"""How much worse a missed pair is than a needless comparison when bands are chosen: every
candidate is compared by its signature afterwards."""


class NearDuplicates:
    """The prompts that were let through, by signature."""

    def __init__(self, similarity: float) -> None:
        self.similarity = similarity
        self._index = MinHashLSH(
            threshold=similarity,
            num_perm=_VALUES,
            weights=(1.0 - _MISSED_WEIGHS, _MISSED_WEIGHS),
            hashfunc=lambda band: hashlib.blake2b(band, digest_size=8).digest(),
        )
        self._names: list[str] = []
        self._signatures: list[np.ndarray] = []
        # Copied for every prompt: drawing its permutations is what takes time.
        self._blank = MinHash(_VALUES, seed=1, scheme="affine32")

    def find_or_add(self, name: str, text: str, *, always_add: bool = False) -> str | None:
        """The prompt that this one resembles most, with the similarity; else it is added.

        Args:
            always_add: Add it in either case.
        """
        signature = self._blank.copy()
        signature.update_batch([shingle.encode() for shingle in _shingles(text)])
        best, like = 0.0, None
        for number in sorted(self._index.query(signature)):
            similarity = float(np.mean(self._signatures[number] == signature.hashvalues))
            if similarity >= self.similarity and similarity > best:
                best, like = similarity, f"{self._names[number]} ({similarity:.2f})"
        if like is None or always_add:
            self._index.insert(len(self._names), signature, check_duplication=False)
            self._names.append(name)
            self._signatures.append(signature.hashvalues)
        return like


def _shingles(text: str) -> set[str]:
    found = words(text)
    if len(found) <= _SHINGLE:
        return {" ".join(found) or text}
    return {" ".join(found[i : i + _SHINGLE]) for i in range(len(found) - _SHINGLE + 1)}
