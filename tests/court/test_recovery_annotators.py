"""Rollout and swap on the micro target, held against the oracle, which knows the truth."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from judge_lightning.court.annotators import Case, Finding, Tools, load_annotator
from judge_lightning.court.checkers import check
from judge_lightning.court.prompting import answer_text
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.micro.grammar import render, split_words
from judge_lightning.micro.world import problem
from judge_lightning.models.pair import Pair, load_pair


@cache
def pair() -> Pair:
    return load_pair("micro", device="cpu")


@cache
def prompt(index: int) -> Prompt:
    drawn = problem("word", index)
    meta = {"checker": "micro", "index": index, "pool": "court"}
    return Prompt(f"word-{index}", drawn.text, drawn.reference, "word", "train", meta)


def answer(index: int, *, wrong: bool = True, finished: bool = True, keep: float = 1.0) -> Case:
    """A right answer, or one whose first result is off by one and goes on from there."""
    words = render(problem("word", index).answers, lambda choice: 0)
    if wrong:
        first = words.index(" =") + 1
        true, said = words[first], f" {int(words[first]) + 1}"
        words[first:] = [said if word == true else word for word in words[first:]]
        words[-2] = f" {int(words[-2]) + 1}"
    words = words[: int(len(words) * keep)]
    tokenizer = pair().tokenizer
    ids = [i for word in words for i in tokenizer(word, add_special_tokens=False)["input_ids"]]
    if finished:
        ids.append(tokenizer.eos_token_id)
    text = answer_text(tokenizer, ids)
    assert text == "".join(words)
    assert split_words(text) == words
    right = check(prompt(index), text)
    return Case(prompt(index), Answer(prompt(index).id, "draft", 0, text, ids, finished, right))


def annotate(name: str, cases: list[Case], batch_size: int = 16, **options: Any) -> list[Finding]:
    def no_chat() -> Any:
        raise AssertionError("not needed")

    tools = Tools(
        tokenizer=pair().tokenizer,
        check=check,
        load_target=lambda: pair().target,
        load_chat=no_chat,
        options=options,
        batch_size=batch_size,
    )
    return load_annotator(name, tools)(cases)


@cache
def cases() -> dict[str, Case]:
    unsolved = Prompt("x", prompt(0).text, "0", "word", "train", {"checker": "exact"})
    return {
        "wrong": answer(0),
        "wrong too": answer(2),
        "right": answer(4, wrong=False),
        "cut off": answer(4, wrong=False, finished=False, keep=0.5),
        "too short": answer(4, wrong=False, keep=0.5),
        "unsolved": Case(unsolved, answer(0).answer),
    }


@cache
def findings(name: str) -> dict[str, Finding]:
    """What is found in all of them, in one batch."""
    return dict(zip(cases(), annotate(name, list(cases().values())), strict=True))


def place(found: Finding) -> tuple[int, int] | None:
    return found.mistake and (found.mistake.start, found.mistake.end)


both = pytest.mark.parametrize("name", ["rollout", "swap"])


@both
@pytest.mark.parametrize("which", ["wrong", "wrong too"])
def test_the_marked_token_is_the_oracles(name: str, which: str) -> None:
    (truth,) = load_annotator("oracle")([cases()[which]])

    assert place(findings(name)[which]) == place(truth)


@both
def test_a_mistake_that_the_target_takes_back_counts_unless_it_may(name: str) -> None:
    (lenient,) = annotate(name, [cases()["wrong"]], retractions=[])
    strict = findings(name)["wrong"]

    assert strict.mistake is not None
    assert lenient.mistake is not None
    assert lenient.mistake.start > strict.mistake.start


@both
def test_a_finding_does_not_depend_on_its_batch(name: str) -> None:
    (alone,) = annotate(name, [cases()["wrong too"]], batch_size=1)

    assert alone == findings(name)["wrong too"]


@both
def test_a_right_answer_holds_no_mistake(name: str) -> None:
    found = findings(name)["right"]

    assert found.mistake is None
    assert found.decided
    assert found.generations > 0


@both
def test_an_answer_cut_off_before_a_mistake_is_undecided(name: str) -> None:
    found = findings(name)["cut off"]

    assert found.mistake is None
    assert (found.decided, found.note) == (False, "cut off before a mistake")


@both
def test_an_answer_that_ends_too_early_is_wrong_at_its_end(name: str) -> None:
    length = len(cases()["too short"].answer.text)

    assert place(findings(name)["too short"]) == (length, length)


@both
def test_what_the_target_does_not_solve_is_undecided(name: str) -> None:
    found = findings(name)["unsolved"]

    assert found.mistake is None
    assert (found.decided, found.note) == (False, "the target does not solve it")


def test_rollout_by_steps_marks_the_sentence_in_fewer_generations() -> None:
    fine, case = findings("rollout")["wrong"], cases()["wrong"]
    (coarse,) = annotate("rollout", [case], granularity="steps")

    assert fine.mistake is not None
    assert coarse.mistake is not None
    assert coarse.mistake.start <= fine.mistake.start < coarse.mistake.end
    assert case.answer.text[coarse.mistake.start : coarse.mistake.end].endswith(".")
    assert coarse.generations < fine.generations


def test_rollout_with_several_tries_says_how_many_were_right() -> None:
    (found,) = annotate("rollout", [cases()["wrong"]], k=3, temperature=0.7)

    assert found.mistake is not None
    assert found.generations % 3 == 0
    assert "/3" in found.mistake.evidence


def test_another_seed_draws_other_tries() -> None:
    from judge_lightning.court.recovery import Beginning, Recovery, Tries

    def endings(seed: int) -> list[list[int]]:
        tries = Tries(rollouts=2, temperature=1.5, seed=seed)
        recovery = Recovery(pair().target, pair().tokenizer, check, tries)
        (written,) = recovery.endings([Beginning(prompt(0), ())])
        return [ending.token_ids for ending in written]

    assert endings(0) == endings(0)
    assert endings(0) != endings(1)
    assert endings(0)[0] != endings(0)[1]


def test_swap_names_the_tokens_that_may_stand_for_the_targets() -> None:
    found = findings("swap")["wrong"]

    assert found.mistake is not None
    assert "makes the result wrong" in found.mistake.evidence
    unimportant = found.mistake.evidence.partition("unimportant: ")[2]
    assert found.generations == 2 + unimportant.count(", ") + bool(unimportant)


def test_swap_of_the_targets_own_answer_swaps_nothing() -> None:
    from judge_lightning.court.drafters import Drafter, generate_answers

    (own,) = generate_answers(
        pair().target, pair().tokenizer, [prompt(0)], Drafter("target"),
        max_new_tokens=200, batch_size=1,
    )  # fmt: skip
    (found,) = annotate("swap", [Case(prompt(0), own)])

    assert found == Finding(None, generations=1)
