"""Which decoded answers are shown: by rule, so that nobody picks the pretty ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from evals.generations import Generation
from judge_lightning.court.records import Prompt

AS_IT_COMES = "as it comes"
GUARDED = "the judge at work"
COST = "what it cost"
GAIN = "what it gained"
ELSEWHERE = "outside the training domain"
CHANGED = "put otherwise"

MOST_CHANGED = 40
"""Headline answers that differ from the target's and are shown, at most."""

ByPrompt = Mapping[str, Generation]


@dataclass(frozen=True)
class AnswerCounts:
    """How judge decoding's answers to a family of prompts compare with the target's own.

    ``changed`` are those with another text; of them ``turned_wrong`` and ``turned_right`` count
    by the checker.
    """

    answers: int
    changed: int
    turned_wrong: int
    turned_right: int


def count_answers(target: Sequence[Generation], judge: Sequence[Generation]) -> AnswerCounts:
    """Compares two decoders' answers to the same prompts, in the same order."""
    pairs = list(zip(target, judge, strict=True))
    return AnswerCounts(
        answers=len(pairs),
        changed=sum(alone.text != judged.text for alone, judged in pairs),
        turned_wrong=sum(alone.right and not judged.right for alone, judged in pairs),
        turned_right=sum(judged.right and not alone.right for alone, judged in pairs),
    )


def choose_examples(
    prompts: Sequence[Prompt], target: ByPrompt, judge: ByPrompt, headline: str
) -> dict[str, str]:
    """Maps the ids of the chosen prompts to the rule that chose each.

    The first two of the headline family as they come; up to 40 more of it that changed, those
    that turned wrong or right before others; the one whose refused draft token the judge was
    surest about; and of every other family the first, the first that turned wrong and the first
    that turned right.
    """
    home = [prompt.id for prompt in prompts if prompt.family == headline]
    chosen = dict.fromkeys(home[:2], AS_IT_COMES)
    wrong = [i for i in home[2:] if target[i].right and not judge[i].right]
    right = [i for i in home[2:] if judge[i].right and not target[i].right]
    turned = {**dict.fromkeys(wrong, COST), **dict.fromkeys(right, GAIN)}
    for prompt_id in _alternating(wrong, right)[:MOST_CHANGED]:
        chosen[prompt_id] = turned[prompt_id]
    room = MOST_CHANGED - (len(chosen) - len(home[:2]))
    refusing = [i for i in home if judge[i].right and _surest_refusal(judge[i]) is not None]
    refusing.sort(key=lambda i: _surest_refusal(judge[i]) or 0.0)
    for prompt_id in [i for i in refusing if i not in chosen][:1]:
        chosen[prompt_id] = GUARDED
    chosen |= dict.fromkeys(_elsewhere(prompts, target, judge, headline), ELSEWHERE)
    changed = [i for i in home if i not in chosen and target[i].text != judge[i].text]
    return chosen | dict.fromkeys(changed[:room], CHANGED)


def _elsewhere(
    prompts: Sequence[Prompt], target: ByPrompt, judge: ByPrompt, headline: str
) -> Iterator[str]:
    for family in dict.fromkeys(prompt.family for prompt in prompts if prompt.family != headline):
        ids = [prompt.id for prompt in prompts if prompt.family == family]
        yield ids[0]
        for right in (False, True):
            yield from [i for i in ids if judge[i].right is right is not target[i].right][:1]


def _alternating(one: Sequence[str], other: Sequence[str]) -> list[str]:
    pairs = zip_longest(one, other)
    return [prompt_id for prompt_id in chain.from_iterable(pairs) if prompt_id is not None]


def _surest_refusal(judged: Generation) -> float | None:
    """The lowest probability that the judge gave to a draft token that ended a cycle."""
    refusals = [
        cycle["judge"][cycle["accepted"]]
        for cycle in judged.trace["cycles"]
        if cycle["judge"] and cycle["accepted"] < len(cycle["proposed"])
    ]
    return min(refusals, default=None)
