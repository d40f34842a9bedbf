"""Joining right and wrong answers to one prompt into labelled tuples."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from judge_lightning.court.annotators import Annotator, Case, Mistake
from judge_lightning.court.labels import CORRECT, MISTAKE, mark_mistake, token_spans
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import IGNORED, Answer, LabelledTuple, Prompt
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TARGET_AUTHOR = "target"


@dataclass
class Court:
    """The labelled tuples, and why other pairs of answers did not become one."""

    tuples: list[LabelledTuple] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def statistics(self) -> dict[str, Any]:
        """Tokens per label, share of mistakes, and where the first mistake stands."""
        labels = Counter(
            label for t in self.tuples for label in (*t.correct_labels, *t.wrong_labels)
        )
        judged = labels[CORRECT] + labels[MISTAKE]
        positions = [t.mistake_tokens[0] for t in self.tuples]
        return {
            "tuples": len(self.tuples),
            "prompts": len({t.prompt_id for t in self.tuples}),
            "splits": dict(sorted(Counter(t.split for t in self.tuples).items())),
            "drafters": dict(sorted(Counter(t.drafter for t in self.tuples).items())),
            "tokens": judged,
            "correct_tokens": labels[CORRECT],
            "mistake_tokens": labels[MISTAKE],
            "ignored_tokens": labels[IGNORED],
            "mistake_share": labels[MISTAKE] / judged if judged else 0.0,
            "first_mistake_median": float(median(positions)) if positions else 0.0,
            "left_out": dict(sorted(self.left_out.items())),
        }


def distinct_answers(answers: Iterable[Answer], *, right: bool) -> list[Answer]:
    """The right (or wrong) answers without repetitions of a text, drafters' before the target's.

    A drafter's right answer says what the judge has to let pass although the target would
    have phrased it otherwise, so it makes the better example.
    """
    found: dict[str, Answer] = {}
    for answer in answers:
        if answer.right == right and answer.token_ids:
            found.setdefault(answer.text, answer)
    return sorted(found.values(), key=lambda answer: answer.author == TARGET_AUTHOR)


def count_tuples(answers_of: Mapping[str, Sequence[Answer]]) -> int:
    """How many (prompt, correct, wrong) tuples the answers hold: one per distinct wrong one."""
    return sum(
        len(distinct_answers(answers, right=False))
        for answers in answers_of.values()
        if distinct_answers(answers, right=True)
    )


def require_tuples(answers_of: Mapping[str, Sequence[Answer]], minimum: int) -> int:
    """Counts the tuples, and raises UserError when they are fewer than asked for."""
    count = count_tuples(answers_of)
    if count < minimum:
        raise UserError(
            "mine.minimum_tuples",
            f"{minimum} are asked for, {count} were found among the answers to"
            f" {len(answers_of)} prompts",
            "take more prompts, more samples per drafter, or a weaker drafter",
        )
    return count


def label_court(
    prompts: Iterable[Prompt],
    answers_of: Mapping[str, Sequence[Answer]],
    annotate: Annotator,
    tokenizer: PreTrainedTokenizerBase,
    *,
    after_mistake: str = "ignored",
    maximum: int = 0,
) -> Court:
    """Makes one tuple of every distinct wrong answer whose first mistake is found.

    A right answer in which the annotator finds a mistake (a lucky result) is no example of
    correct tokens and is not used.

    Args:
        answers_of: The answers to each prompt, by the prompt's id.
        maximum: Keep this many tuples, drawn by a hash of their prompt; 0 keeps all.
    """
    court = Court()
    for prompt in prompts:
        answers = answers_of.get(prompt.id, ())
        wrong = distinct_answers(answers, right=False)
        if not wrong:
            continue
        right = distinct_answers(answers, right=True)
        clean = [
            answer
            for answer, found in zip(right, annotate(_cases(prompt, right)), strict=True)
            if found.mistake is None
        ]
        if not clean:
            reason = "right answers all hold a mistake" if right else "no right answer"
            court.left_out[reason] += len(wrong)
            continue
        prompt_ids = render_prompt(tokenizer, prompt.text)
        findings = annotate(_cases(prompt, wrong))
        for number, (answer, found) in enumerate(zip(wrong, findings, strict=True)):
            if found.mistake is None:
                court.left_out[found.note or "mistake not found"] += 1
                continue
            labelled = label_tuple(
                prompt,
                prompt_ids,
                clean[number % len(clean)],
                answer,
                found.mistake,
                tokenizer=tokenizer,
                after_mistake=after_mistake,
            )
            if labelled is None:
                court.left_out["cut off before a mistake"] += 1
            else:
                court.tuples.append(labelled)
    if maximum and len(court.tuples) > maximum:
        court.left_out["over annotate.maximum_tuples"] = len(court.tuples) - maximum
        chosen = sorted(court.tuples, key=_draw)[:maximum]
        kept = {id(labelled) for labelled in chosen}
        court.tuples = [labelled for labelled in court.tuples if id(labelled) in kept]
    return court


def label_tuple(
    prompt: Prompt,
    prompt_ids: list[int],
    correct: Answer,
    wrong: Answer,
    mistake: Mistake,
    *,
    tokenizer: PreTrainedTokenizerBase,
    after_mistake: str = "ignored",
) -> LabelledTuple | None:
    """Labels one right and one wrong answer; None when no token of the wrong one is to blame."""
    marked = mark_mistake(
        token_spans(tokenizer, wrong.token_ids),
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
    )


def _cases(prompt: Prompt, answers: Sequence[Answer]) -> list[Case]:
    return [Case(prompt, answer) for answer in answers]


def _draw(labelled: LabelledTuple) -> str:
    return hashlib.sha256(f"{labelled.prompt_id}:{labelled.wrong_text}".encode()).hexdigest()
