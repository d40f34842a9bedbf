"""A judged answer, token by token, as it can be shown to a reader: who kept what, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evals.token_chances import Chance, TraceChances, chance_at, other_chance_at

if TYPE_CHECKING:
    from judge_lightning.decoding.trace import Trace

Decode = Callable[[list[int]], str]
Spell = Callable[[int], str]
"""A token as its vocabulary spells it: special tokens and single bytes too."""

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
        target: What the target thinks of it; None where nobody looked.
        draft: The same of the draft.
        instead_target: What the target thinks of the replaced token.
        instead_draft: The same of the draft.
        spelt: The vocabulary's name of a token without characters of its own: the end of an
            answer, or some bytes of a character that a later token completes.
    """

    text: str
    fate: str
    probability: float | None = None
    instead_of: str | None = None
    instead_probability: float | None = None
    target: Chance | None = None
    draft: Chance | None = None
    instead_target: Chance | None = None
    instead_draft: Chance | None = None
    spelt: str | None = None

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> ShownToken:
        """Reads what ``dataclasses.asdict`` gave, also where it knew fewer fields."""
        chances = {
            name: Chance(**row[name])
            for name in ("target", "draft", "instead_target", "instead_draft")
            if row.get(name)
        }
        return cls(**{**row, **chances})


def show_tokens(
    trace: Trace,
    decode: Decode,
    chances: TraceChances | None = None,
    spell: Spell | None = None,
) -> list[ShownToken]:
    """Joins an answer's tokens with the verdicts of the cycles that wrote them.

    Args:
        trace: Of the decoding.
        decode: Tokens to text, special tokens left out.
        chances: What both models think of the tokens.
        spell: Names a token that has no text.
    """
    texts = token_texts(trace.tokens, decode)
    fates = iter(trace.fates)
    shown: list[ShownToken] = []
    for cycle in trace.cycles:
        judged: Sequence[float | None] = cycle.judge or [None] * len(cycle.proposed)
        for index, token in enumerate(cycle.tokens):
            place = len(shown)
            drafted = index < cycle.accepted
            own = ShownToken(
                text=texts[place],
                fate=next(fates),
                probability=judged[index] if drafted else None,
                target=chance_at(chances.target, place) if chances else None,
                draft=chance_at(chances.draft, place) if chances else None,
                spelt=spell(token) if spell and not texts[place] else None,
            )
            if drafted or not cycle.corrected:
                shown.append(own)
                continue
            instead = cycle.proposed[index]
            shown.append(
                replace(
                    own,
                    instead_of=decode([instead]) or (spell(instead) if spell else ""),
                    instead_probability=judged[index],
                    instead_target=other_chance_at(chances.target, place) if chances else None,
                    instead_draft=other_chance_at(chances.draft, place) if chances else None,
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
