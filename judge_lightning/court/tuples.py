"""Joining right and wrong answers to one prompt into labelled tuples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from judge_lightning.court.annotators import Annotator, Case, Finding, Mistake
from judge_lightning.court.labels import CORRECT, TokenSpans, mark_mistake
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import Answer, LabelledTuple, Prompt
from judge_lightning.court.rejects import Rejected
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TARGET_AUTHOR = "target"
REFERENCE_AUTHOR = "reference"
_LAST_CHOICES = (TARGET_AUTHOR, REFERENCE_AUTHOR)


@dataclass
class Court:
    """The labelled tuples of some prompts, and why other wrong answers did not become one.

    ``answers`` counts what the annotator looked at, ``generations`` what it wrote to find out.
    """

    tuples: list[LabelledTuple] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejected] = field(default_factory=list)
    answers: int = 0
    generations: int = 0


def distinct_answers(answers: Iterable[Answer], *, right: bool) -> list[Answer]:
    """The right (or wrong) answers without repetitions of a text, drafters' before others'.

    A drafter's right answer says what the judge has to let pass although the target would
    have phrased it otherwise, so it makes the better example.
    """
    found: dict[str, Answer] = {}
    for answer in answers:
        if answer.right == right and answer.token_ids:
            found.setdefault(answer.text, answer)
    return sorted(found.values(), key=lambda answer: answer.author in _LAST_CHOICES)


def count_tuples(answers_of: Mapping[str, Sequence[Answer]]) -> int:
    """How many (prompt, correct, wrong) tuples the answers hold: one per distinct wrong one."""
    return sum(
        len(distinct_answers(answers, right=False))
        for answers in answers_of.values()
        if distinct_answers(answers, right=True)
    )


def require_tuples(count: int, minimum: int) -> None:
    """Raises UserError when the mined answers hold fewer tuples than asked for."""
    if count < minimum:
        raise UserError(
            "mine.minimum_tuples",
            f"{minimum} are asked for, {count} were found among the answers",
            "take more prompts, more samples per drafter, or a weaker drafter",
        )


def label_court(
    prompts: Sequence[Prompt],
    answers_of: Mapping[str, Sequence[Answer]],
    annotate: Annotator,
    tokenizer: PreTrainedTokenizerBase,
    *,
    after_mistake: str = "ignored",
    check_right: bool = True,
    spans: TokenSpans | None = None,
) -> Court:
    """Makes one tuple of every distinct wrong answer whose first mistake is found.

    A right answer in which the annotator finds a mistake (a lucky result) is no example of
    correct tokens and is not used. An answer that the annotator fails at is rejected.

    Args:
        prompts: One stretch of them: the annotator gets all answers to them at once.
        answers_of: The answers to each prompt, by the prompt's id.
        check_right: Whether the annotator looks at right answers too, which costs as much again.
        spans: The tokenizer's spans, where a caller keeps them for many stretches.
    """
    court = Court()
    spans = spans or TokenSpans(tokenizer)
    chosen = [
        (prompt, distinct_answers(answers, right=True), distinct_answers(answers, right=False))
        for prompt in prompts
        for answers in [answers_of.get(prompt.id, ())]
    ]
    chosen = [(prompt, right, wrong) for prompt, right, wrong in chosen if wrong]
    court.left_out["no right answer"] += sum(len(wrong) for _, right, wrong in chosen if not right)
    tried = [(prompt, right, wrong) for prompt, right, wrong in chosen if right]
    looked_at = {
        id(answer): finding
        for case, finding in _find(
            annotate,
            [
                Case(prompt, answer)
                for prompt, right, wrong in tried
                for answer in (*(right if check_right else ()), *wrong)
            ],
            court,
        )
        for answer in [case.answer]
    }
    for prompt, right, wrong in tried:
        clean = [answer for answer in right if _is_clean(looked_at.get(id(answer)), check_right)]
        if not clean:
            court.left_out["right answers all hold a mistake"] += len(wrong)
            continue
        prompt_ids = render_prompt(tokenizer, prompt.text)
        for number, answer in enumerate(wrong):
            finding = looked_at.get(id(answer))
            if finding is None:
                continue
            if finding.mistake is None:
                court.left_out[finding.note or "mistake not found"] += 1
                continue
            labelled = label_tuple(
                prompt,
                prompt_ids,
                clean[number % len(clean)],
                answer,
                finding.mistake,
                spans=spans,
                after_mistake=after_mistake,
            )
            if labelled is None:
                court.left_out["cut off before a mistake"] += 1
            else:
                court.tuples.append(labelled)
    court.left_out = +court.left_out
    return court


def label_tuple(
    prompt: Prompt,
    prompt_ids: list[int],
    correct: Answer,
    wrong: Answer,
    mistake: Mistake,
    *,
    spans: TokenSpans,
    after_mistake: str = "ignored",
) -> LabelledTuple | None:
    """Labels one right and one wrong answer; None when no token of the wrong one is to blame."""
    marked = mark_mistake(
        spans(wrong.token_ids),
        (mistake.start, mistake.end),
        finished=wrong.finished,
        after_mistake=after_mistake,
    )
    if marked is None:
        return None
    return LabelledTuple(
        prompt_id=prompt.id,
        family=prompt.family,
        split=prompt.split,
        drafter=wrong.author,
        prompt_ids=prompt_ids,
        correct_text=correct.text,
        correct_ids=correct.token_ids,
        correct_labels=[CORRECT] * len(correct.token_ids),
        wrong_text=wrong.text,
        wrong_ids=wrong.token_ids,
        wrong_labels=marked.labels,
        mistake_characters=(mistake.start, mistake.end),
        mistake_tokens=marked.mistake,
        confidence=mistake.confidence,
        evidence=mistake.evidence,
        prompt=prompt.text,
        source=str(prompt.meta.get("source", "")),
        correct_author=correct.author,
    )


def _is_clean(finding: Finding | None, check_right: bool) -> bool:
    return not check_right or (finding is not None and finding.mistake is None)


def _find(
    annotate: Annotator, cases: Sequence[Case], court: Court
) -> Iterator[tuple[Case, Finding]]:
    """The findings; where the annotator fails at some case, all are tried one by one."""
    court.answers += len(cases)
    try:
        findings = annotate(cases)
    except UserError:
        raise
    except Exception as error:
        if len(cases) > 1:
            court.answers -= len(cases)
            for case in cases:
                yield from _find(annotate, [case], court)
            return
        (case,) = cases
        court.rejected.append(
            Rejected(
                place=f"{case.prompt.id}, {case.answer.author}, sample {case.answer.sample}",
                reason="annotator failed",
                detail=f"{type(error).__name__}: {error}",
                record=case.answer.text,
            )
        )
        return
    for case, finding in zip(cases, findings, strict=True):
        court.generations += finding.generations
        yield case, finding
