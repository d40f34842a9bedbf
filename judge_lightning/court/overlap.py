"""Word n-grams: what a prompt shares with the evaluation tasks.

A prompt that has n words in a row in common with an evaluation prompt is *contaminated*, as in
the GPT-3 paper (arXiv 2005.14165, appendix C; there n = 13, too).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

_UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts that put no spaces between words: every character counts as one."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+|[+*/=<>^%−]|-(?=[\s\d(])")


def words(text: str) -> list[str]:
    """The words, numbers and operators of a text, without case and punctuation."""
    return _WORD.findall(text.casefold())


class OverlapIndex:
    """The n-grams of the prompts that were added, as hashes.

    An added text of fewer than ``n`` words counts as one n-gram of its own, if it has at least
    half as many: "What is it?" says nothing about where a prompt comes from.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._hashes: set[bytes] = set()
        self._lengths: set[int] = set()

    def add(self, text: str) -> None:
        """Remembers the text's n-grams."""
        found = words(text)
        length = min(self.n, len(found))
        if 2 * length < self.n:
            return
        self._lengths.add(length)
        self._hashes.update(_hash(gram) for gram in _ngrams(found, length))

    def find(self, text: str) -> str | None:
        """The first n-gram that the text shares with one that was added, or None."""
        if not self._hashes:
            return None
        found = words(text)
        for length in sorted(self._lengths):
            for gram in _ngrams(found, length):
                if _hash(gram) in self._hashes:
                    return " ".join(gram)
        return None


def _ngrams(found: Sequence[str], length: int) -> Iterator[Sequence[str]]:
    for start in range(len(found) - length + 1):
        yield found[start : start + length]


def _hash(gram: Sequence[str]) -> bytes:
    return hashlib.blake2b(" ".join(gram).encode(), digest_size=8).digest()
