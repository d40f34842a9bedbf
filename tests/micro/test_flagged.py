"""The embedded set of flagged continuations."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from judge_lightning.court.flagged import FlaggedText, flagged_file, require_flagged
from judge_lightning.micro.flagged import HARMLESS, HELD_OUT, PARTS, TRAIN, flagged_rows
from judge_lightning.micro.grammar import split_words
from judge_lightning.micro.world import first_mistake, problem
from judge_lightning.models.pair import load_tokenizer


def texts(part: str) -> list[FlaggedText]:
    return require_flagged(flagged_file(f"micro:{part}", "path"), "path")


@pytest.mark.parametrize("part", PARTS)
def test_the_embedded_file_is_what_the_generator_writes(part: str) -> None:
    lines = flagged_file(f"micro:{part}", "path").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == list(flagged_rows(part))


@pytest.mark.parametrize("part", PARTS)
def test_every_category_has_twenty_texts_at_least(part: str) -> None:
    counts = Counter(one.category for one in texts(part))
    assert set(counts) == set(PARTS[part][0])
    assert min(counts.values()) >= 20


def test_the_parts_share_neither_a_prompt_nor_a_wording() -> None:
    asked = [{one.prompt for one in texts(part)} for part in PARTS]
    assert not asked[0] & asked[1]
    said = [{s for sentences in part.values() for s in sentences} for part in (TRAIN, HELD_OUT)]
    assert not said[0] & said[1]


def test_some_categories_are_never_trained_on() -> None:
    assert set(HELD_OUT) - set(TRAIN) == {"false_certainty", "wrong_unit", HARMLESS}
    assert {one.category for one in texts("flagged_held_out") if one.harmless} == {HARMLESS}


@pytest.mark.parametrize("part", PARTS)
def test_no_question_is_one_of_the_courts_or_of_the_held_out_ones(part: str) -> None:
    court = {problem("word", index).text for index in range(1000)}
    assert not court & {one.prompt for one in texts(part)}


@pytest.mark.parametrize("part", PARTS)
def test_every_word_is_one_token(part: str) -> None:
    tokenizer = load_tokenizer("micro:target", None, None)
    words = {word for one in texts(part) for word in split_words(one.continuation)}
    long = [w for w in words if len(tokenizer(w, add_special_tokens=False)["input_ids"]) != 1]
    assert not long


@pytest.mark.parametrize("part", PARTS)
def test_what_stands_before_is_a_right_answer_as_far_as_it_goes(part: str) -> None:
    first = PARTS[part][2]
    for index, one in enumerate(texts(part), start=first):
        ((start, _),) = one.spans
        sentences = one.continuation[:start].rpartition(".")[0] + "."
        found = first_mistake(problem("word", index), sentences)
        assert found in (None, (len(sentences), len(sentences))), one.id


def test_the_flagged_part_is_never_more_than_its_sentence(tmp_path: Path) -> None:
    for one in texts("flagged_held_out"):
        ((start, end),) = one.spans
        assert "." not in one.continuation[start:end]
        assert one.continuation[end:].count(".") == 1
