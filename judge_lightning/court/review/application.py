"""The human annotator: people's decisions overrule what another annotator proposed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from judge_lightning.court.labels import mark_mistake, token_spans
from judge_lightning.court.records import LabelledTuple
from judge_lightning.court.review.adjudication import (
    DISPUTED,
    KEEP,
    REJECT,
    Outcome,
    adjudicate,
    by_tuple,
)
from judge_lightning.court.review.decisions import Decision, Span, tuple_id
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REVIEW_CONFIDENCE = 1.0


def apply_decisions(
    tuples: Iterable[LabelledTuple],
    decisions: Sequence[Decision],
    tokenizer: PreTrainedTokenizerBase,
    *,
    after_mistake: str = "ignored",
    counts: Counter[str] | None = None,
) -> Iterator[LabelledTuple]:
    """Gives the tuples as their reviewers left them, one at a time and in order.

    A kept tuple has the settled mistake, labels to match, confidence 1 and the evidence
    ``reviewed by N``. A rejected one, one that the reviewers dispute, and one in which no token
    can be blamed are dropped. One that was skipped or never reviewed is given unchanged.

    Args:
        decisions: The ones that hold, as ``read_reviews`` or ``latest`` give them.
        tokenizer: The one that wrote the answers' token ids.
        after_mistake: As for ``mark_mistake``.
        counts: Filled with how many tuples were accepted, moved, rejected, disputed, skipped,
            not reviewed and left without a token to blame, and, at the end, how many decisions
            name no tuple.

    Raises:
        UserError: A decision marks characters that its answer does not have.
    """
    counts = Counter() if counts is None else counts
    outcomes = {name: adjudicate(about) for name, about in by_tuple(decisions).items()}
    met = set()
    for labelled in tuples:
        name = tuple_id(labelled)
        met.add(name)
        outcome = outcomes.get(name)
        reviewed, note = _apply(labelled, outcome, tokenizer, after_mistake)
        counts[note] += 1
        if reviewed is not None:
            yield reviewed
    if unknown := sum(decision.tuple_id not in met for decision in decisions):
        counts["decisions about no tuple"] = unknown


def _apply(
    labelled: LabelledTuple,
    outcome: Outcome | None,
    tokenizer: PreTrainedTokenizerBase,
    after_mistake: str,
) -> tuple[LabelledTuple | None, str]:
    if outcome is None:
        return labelled, "not reviewed"
    if outcome.kind == REJECT:
        return None, "rejected"
    if outcome.kind == DISPUTED:
        return None, "disputed"
    if outcome.kind != KEEP or outcome.span is None:
        return labelled, "skipped"
    reviewed = replace(
        labelled, confidence=REVIEW_CONFIDENCE, evidence=f"reviewed by {outcome.reviewers}"
    )
    if outcome.span == tuple(labelled.mistake_characters):
        return reviewed, "accepted"
    moved = _move(reviewed, outcome.span, tokenizer, after_mistake)
    return moved, "moved" if moved else "no token to blame"


def _move(
    labelled: LabelledTuple, span: Span, tokenizer: PreTrainedTokenizerBase, after_mistake: str
) -> LabelledTuple | None:
    if span[1] > len(labelled.wrong_text):
        raise UserError(
            f"decision {tuple_id(labelled)}",
            f"marks characters {span[0]} to {span[1]} of an answer that has"
            f" {len(labelled.wrong_text)}",
            "mend or remove it",
        )
    spans = token_spans(tokenizer, labelled.wrong_ids)
    # The end token shows nothing; an answer that was cut off ends in one that does.
    finished = bool(spans) and spans[-1][0] == spans[-1][1]
    marked = mark_mistake(spans, span, finished=finished, after_mistake=after_mistake)
    if marked is None:
        return None
    return replace(
        labelled,
        wrong_labels=marked.labels,
        mistake_characters=span,
        mistake_tokens=marked.mistake,
    )
