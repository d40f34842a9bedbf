"""Speed and acceptance follow DESIGN's definitions."""

from __future__ import annotations

from evals.generations import Generation, Timing
from evals.speed import (
    accepted_counts,
    accepted_histogram,
    decoder_statistics,
    differing_answers,
    spread_evenly,
)


def generation(decoder: str, prompt_id: str, accepted: list[int] | None, tokens: int) -> Generation:
    cycles = [{"accepted": count} for count in accepted or []]
    trace = {"cycles": cycles} if accepted is not None else None
    family = prompt_id.split("-", maxsplit=1)[0]
    return Generation(prompt_id, family, decoder, "", [0] * tokens, True, True, trace)


GENERATIONS = {
    "target": [generation("target", "word-0", None, 10), generation("target", "code-0", None, 4)],
    "judge": [
        generation("judge", "word-0", [4, 2, 1], 10),
        generation("judge", "code-0", [2], 3),
    ],
}
TIMINGS = [
    Timing("word-0", "target", 2.0, 10, []),
    Timing("code-0", "target", 1.0, 4, []),
    Timing("word-0", "judge", 1.0, 10, []),
    Timing("code-0", "judge", 1.0, 3, []),
]


def test_accepted_and_tokens_per_cycle_are_means_over_all_cycles() -> None:
    judge = decoder_statistics(GENERATIONS, TIMINGS)["judge"]
    assert judge.cycles == 4
    assert judge.accepted_per_cycle == (4 + 2 + 1 + 2) / 4
    assert judge.tokens_per_cycle == 13 / 4


def test_speed_up_is_tokens_per_second_over_the_targets() -> None:
    judge = decoder_statistics(GENERATIONS, TIMINGS, family="word")["judge"]
    assert judge.tokens_per_second == 10.0
    assert judge.speedup == 2.0


def test_a_family_is_summarised_alone() -> None:
    statistics = decoder_statistics(GENERATIONS, TIMINGS, family="code")
    assert {name: row.prompts for name, row in statistics.items()} == {"target": 1, "judge": 1}
    assert statistics["judge"].speedup == 3.0 / 4.0


def test_without_speculation_every_token_is_a_cycle_that_accepts_nothing() -> None:
    target = decoder_statistics(GENERATIONS, TIMINGS, family="word")["target"]
    assert accepted_counts(GENERATIONS["target"][0]) == [0] * 10
    assert (target.cycles, target.accepted_per_cycle, target.tokens_per_cycle) == (10, 0.0, 1.0)


def test_the_histogram_counts_cycles_by_accepted_tokens() -> None:
    assert accepted_histogram(GENERATIONS["judge"], 4) == [0, 1, 2, 0, 1]


def test_a_subset_is_spread_over_all_rows_and_keeps_their_order() -> None:
    assert spread_evenly(range(10), 4) == [0, 2, 5, 7]
    assert spread_evenly(range(3), 10) == [0, 1, 2]


def test_an_answer_differs_when_its_tokens_do() -> None:
    other = {"judge": [generation("judge", "word-0", [4, 2, 1], 9)]}
    assert differing_answers(other, GENERATIONS) == [("judge", "word-0")]
    assert differing_answers({"judge": GENERATIONS["judge"][1:]}, GENERATIONS) == []
