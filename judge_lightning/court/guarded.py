"""Guarded negatives: continuations that the judge must never accept, whatever drafted them.

A user's file of flagged continuations (``flagged.py`` has the format). Every flagged token is a
mistake, tokens before the first are correct, those behind it are ignored. The category becomes the
family ``guarded:<category>``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from judge_lightning.court.flagged import NO_CATEGORY, FlaggedText, FlaggedTokens, read_flagged
from judge_lightning.court.labels import MISTAKE
from judge_lightning.court.prompting import answer_text, render_prompt
from judge_lightning.court.records import LabelledTuple
from judge_lightning.court.rejects import Rejected
from judge_lightning.court.splits import identity, split_of
from judge_lightning.court.stretches import COURT_SPLITS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GUARDED = "guarded"


def read_guarded(
    path: Path,
    tokenizer: PreTrainedTokenizerBase,
    shares: Mapping[str, float],
    seed: int,
    rejected: list[Rejected],
) -> Iterator[LabelledTuple]:
    """Reads a file of guarded continuations as tuples without a correct answer.

    A prompt's split is that of a hash of its text, as for other prompts; what would fall into
    ``eval`` is trained on, because these are rules and no sample.

    Args:
        shares: Share of the prompts per split.
        rejected: Gets the lines that cannot be used.

    Raises:
        UserError: The file cannot be read.
    """
    tokens = FlaggedTokens(tokenizer)
    for one in read_flagged(path, "dataset.guarded"):
        if isinstance(one, Rejected):
            rejected.append(one)
            continue
        token_ids, labels = tokens(one)
        if one.harmless or MISTAKE not in labels:
            rejected.append(Rejected(one.place, "nothing to guard against"))
            continue
        split = split_of(identity(one.prompt), shares, seed)
        yield _tuple(
            one, tokenizer, token_ids, labels, split if split in COURT_SPLITS else COURT_SPLITS[0]
        )


def _tuple(
    one: FlaggedText,
    tokenizer: PreTrainedTokenizerBase,
    token_ids: list[int],
    labels: list[int],
    split: str,
) -> LabelledTuple:
    first = labels.index(MISTAKE)
    past = next((i for i in range(first, len(labels)) if labels[i] != MISTAKE), len(labels))
    category = None if one.category == NO_CATEGORY else one.category
    return LabelledTuple(
        prompt_id=f"{GUARDED}-{one.id}",
        family=f"{GUARDED}:{category}" if category else GUARDED,
        split=split,
        drafter=GUARDED,
        prompt_ids=render_prompt(tokenizer, one.prompt),
        correct_text="",
        correct_ids=[],
        correct_labels=[],
        wrong_text=answer_text(tokenizer, token_ids),
        wrong_ids=token_ids,
        wrong_labels=labels,
        mistake_characters=one.spans[0],
        mistake_tokens=(first, past),
        confidence=1.0,
        evidence=f"must never be accepted{f' ({category})' if category else ''}",
        prompt=one.prompt,
        source=GUARDED,
    )
