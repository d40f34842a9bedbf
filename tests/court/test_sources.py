"""Prompts come from sources, once each, in a split that their text decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from judge_lightning.court.sources import Source, collect_prompts
from judge_lightning.errors import UserError

SHARES = {"train": 0.6, "validation": 0.2, "calibration": 0.2}


def jsonl(path: Path, *lines: str, **fields: object) -> Source:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return Source(name="own", kind="jsonl", family="own", path=str(path), **fields)  # type: ignore[arg-type]


def micro(name: str, count: int, split: str | None = None) -> Source:
    return Source(name, "micro", "word", "micro", split, count)


def test_a_prompt_keeps_its_split_when_others_are_added() -> None:
    few = collect_prompts([micro("word", 20)], SHARES, seed=0).prompts
    many = collect_prompts([micro("word", 60)], SHARES, seed=0).prompts

    splits = {prompt.id: prompt.split for prompt in many}
    assert all(splits[prompt.id] == prompt.split for prompt in few)
    assert {prompt.split for prompt in many} == set(SHARES)


def test_another_seed_splits_otherwise() -> None:
    first = collect_prompts([micro("word", 40)], SHARES, seed=0).prompts
    second = collect_prompts([micro("word", 40)], SHARES, seed=1).prompts

    assert [prompt.split for prompt in first] != [prompt.split for prompt in second]


def test_what_is_held_out_for_evaluation_never_enters_the_court() -> None:
    collection = collect_prompts([micro("word", 30), micro("held_out", 10, "eval")], SHARES, 0)

    held_out = {prompt.text for prompt in collection.prompts if prompt.split == "eval"}
    court = {prompt.text for prompt in collection.prompts if prompt.split != "eval"}
    assert (len(held_out), len(court)) == (10, 30)
    assert not held_out & court


def test_prompts_that_differ_in_spacing_and_punctuation_are_taken_once(tmp_path: Path) -> None:
    source = jsonl(
        tmp_path / "own.jsonl",
        '{"prompt": "How many?", "reference": "3"}',
        '{"prompt": "how  many", "reference": "3"}',
    )

    collection = collect_prompts([source], SHARES, seed=0)

    assert len(collection.prompts) == 1
    assert collection.duplicates == {"own": 1}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{broken", "is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"prompt": "Q"}', "field 'reference' is missing"),
        ('{"prompt": "", "reference": "1"}', "field 'prompt' is no text"),
        ('{"prompt": "Q", "reference": "none"}', "cannot read a result"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "own.jsonl"
    source = jsonl(path, '{"prompt": "How many?", "reference": "3"}', line)

    with pytest.raises(UserError, match=problem) as error:
        source.validate()

    assert error.value.field == f"{path}:2"


def test_a_missing_and_an_empty_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Source("own", "jsonl", "own", path=str(tmp_path / "none.jsonl")).validate()
    with pytest.raises(UserError, match="is empty"):
        jsonl(tmp_path / "empty.jsonl").validate()


def test_shares_must_add_up_to_one() -> None:
    with pytest.raises(UserError, match="add up to"):
        collect_prompts([micro("word", 1)], {"train": 0.5}, seed=0)
