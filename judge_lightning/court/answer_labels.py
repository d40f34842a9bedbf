"""What an annotator's finding says of every token of an answer, right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judge_lightning.court.annotators import Annotator, Case
from judge_lightning.court.labels import CORRECT, mark_mistake
from judge_lightning.court.records import IGNORED

if TYPE_CHECKING:
    from judge_lightning.court.annotators import Finding
    from judge_lightning.court.labels import TokenSpans


def label_answers(cases: Sequence[Case], annotate: Annotator, spans: TokenSpans) -> list[list[int]]:
    """A label per token of each answer: 1 correct, 0 mistake, ``IGNORED`` unknown.

    Tokens before the first mistake are correct, those of the mistake are mistakes, what follows is
    unknown. In an answer without a mistake all are correct; where the annotator cannot tell, all
    are unknown. An answer that is cut off stops too early, but its tokens are correct.
    """
    findings = annotate(cases)
    return [_labels(case, finding, spans) for case, finding in zip(cases, findings, strict=True)]


def _labels(case: Case, finding: Finding, spans: TokenSpans) -> list[int]:
    answer, mistake = case.answer, finding.mistake
    count = len(answer.token_ids)
    if mistake is None:
        return [CORRECT if finding.decided else IGNORED] * count
    marked = mark_mistake(
        spans(answer.token_ids), (mistake.start, mistake.end), finished=answer.finished
    )
    if marked is not None:
        return marked.labels
    cut_off = mistake.start == mistake.end == len(answer.text)
    return [CORRECT if cut_off else IGNORED] * count
