"""Which answers are shown."""

from __future__ import annotations

from collections import Counter

import pytest

from evals import example_choice
from evals.example_choice import (
    AS_IT_COMES,
    CHANGED,
    COST,
    ELSEWHERE,
    GAIN,
    GUARDED,
    MOST_CHANGED,
    AnswerCounts,
    choose_examples,
    count_answers,
)
from evals.generations import Generation
from judge_lightning.court.records import Prompt

PROMPTS = [
    *(Prompt(f"word-{n}", "?", "1", "word", "eval") for n in range(100)),
    *(Prompt(f"code-{n}", "?", "1", "code", "eval") for n in range(4)),
]


def answers(decoder: str, wrong: set[str], changed: set[str] = frozenset()) -> list[Generation]:  # type: ignore[assignment]
    def trace(number: int) -> dict[str, object]:
        refused = 0.001 if number == 60 else 0.2
        cycle = {"proposed": [1, 2], "accepted": 1, "judge": [0.9, refused]}
        return {"cycles": [cycle]}

    return [
        Generation(
            prompt_id=prompt.id,
            family=prompt.family,
            decoder=decoder,
            text="other" if prompt.id in changed else "same",
            token_ids=[1],
            finished=True,
            right=prompt.id not in wrong,
            trace=trace(int(prompt.id.split("-")[1])),
        )
        for prompt in PROMPTS
    ]


def choose(target: list[Generation], judge: list[Generation]) -> dict[str, str]:
    by_prompt = [{row.prompt_id: row for row in rows} for rows in (target, judge)]
    return choose_examples(PROMPTS, *by_prompt, "word")


def test_answers_that_are_the_same_are_shown_by_the_other_rules_alone() -> None:
    chosen = choose(answers("target", set()), answers("judge", set()))
    assert chosen == {
        "word-0": AS_IT_COMES,
        "word-1": AS_IT_COMES,
        "word-60": GUARDED,
        "code-0": ELSEWHERE,
    }


def test_answers_that_turned_come_before_others_that_changed() -> None:
    every = {prompt.id for prompt in PROMPTS}
    chosen = choose(
        answers("target", {"word-99", "code-3"}), answers("judge", {"word-98", "code-2"}, every)
    )
    reasons = Counter(chosen.values())
    assert chosen["word-98"] == COST
    assert chosen["word-99"] == GAIN
    assert [i for i, reason in chosen.items() if reason == ELSEWHERE] == [
        "code-0", "code-2", "code-3",
    ]  # fmt: skip
    assert reasons[COST] + reasons[GAIN] + reasons[CHANGED] == MOST_CHANGED
    assert [i for i, reason in chosen.items() if reason == CHANGED][:2] == ["word-2", "word-3"]


def test_where_too_many_turned_both_directions_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_choice, "MOST_CHANGED", 5)
    wrong = {f"word-{n}" for n in range(10, 50)}
    right = {f"word-{n}" for n in range(50, 90)}
    chosen = choose(answers("target", right), answers("judge", wrong, wrong | right))
    reasons = Counter(chosen.values())
    assert (reasons[COST], reasons[GAIN], reasons[CHANGED]) == (3, 2, 0)


def test_all_answers_are_counted_not_only_those_shown() -> None:
    target = answers("target", {"word-9", "word-8"})
    judge = answers("judge", {"word-9", "word-1"}, {"word-8", "word-1", "word-2"})
    assert count_answers(target, judge) == AnswerCounts(104, 3, 1, 1)
