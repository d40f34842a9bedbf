"""A judged answer, token by token, as it can be shown to a reader: who kept what, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from judge_lightning.decoding.trace import Trace

Decode = Callable[[list[int]], str]

_INCOMPLETE = "\ufffd"
"""What a tokenizer writes for a character whose bytes are not all there yet."""


@dataclass(frozen=True)
class ShownToken:
    """One token of an answer.

    Attributes:
        text: Its characters; all tokens' texts together are the answer.
        fate: ``both`` verdicts kept it, ``standard`` or ``judge`` alone kept it, or the
            ``target`` wrote it.
        probability: The judge's, for a draft token.
        instead_of: The draft token that the target replaced with this one.
        instead_probability: What the judge said of the replaced token.
    """

    text: str
    fate: str
    probability: float | None = None
    instead_of: str | None = None
    instead_probability: float | None = None


def show_tokens(trace: Trace, decode: Decode) -> list[ShownToken]:
    """Joins an answer's tokens with the verdicts of the cycles that wrote them.

    Args:
        trace: Of the decoding.
        decode: Tokens to text, special tokens left out.
    """
    texts = iter(token_texts(trace.tokens, decode))
    fates = iter(trace.fates)
    shown: list[ShownToken] = []
    for cycle in trace.cycles:
        probabilities: Sequence[float | None] = cycle.judge or [None] * len(cycle.proposed)
        shown += [ShownToken(next(texts), next(fates), p) for p in probabilities[: cycle.accepted]]
        if cycle.next_token is not None:
            shown.append(
                ShownToken(
                    text=next(texts),
                    fate=next(fates),
                    instead_of=decode([cycle.proposed[cycle.accepted]])
                    if cycle.corrected
                    else None,
                    instead_probability=probabilities[cycle.accepted] if cycle.corrected else None,
                )
            )
    return shown


def token_texts(token_ids: Sequence[int], decode: Decode) -> list[str]:
    """What each token adds to the text.

    A character that several tokens make up belongs to the last of them. Prefixes are decoded,
    not single tokens: many tokenizers write a token otherwise at the start of a text.
    """
    texts: list[str] = []
    written = ""
    for end in range(1, len(token_ids) + 1):
        prefix = decode(list(token_ids[:end]))
        held_back = prefix.endswith(_INCOMPLETE) and end < len(token_ids)
        if held_back or not prefix.startswith(written):
            texts.append("")
            continue
        texts.append(prefix[len(written) :])
        written = prefix
    return texts
