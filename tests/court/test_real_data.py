"""The public files of JUDGE_DATA_DIR, unchanged, read by the formats that are made for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from judge_lightning.court.collection import Collection
from judge_lightning.court.filters import FilterChain, Filters
from judge_lightning.court.records import Prompt
from judge_lightning.court.sources import Source

DATA = Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[2] / "../shared/data"))
SHARES = {"train": 1.0}
FILES = {
    "gsm8k_train.jsonl": ("gsm8k", 1500),
    "gsm8k_test.jsonl": ("gsm8k", 660),
    "gsm8k_model_solutions.jsonl": ("gsm8k", 660),
    "HumanEval.jsonl.gz": ("humaneval", 164),
    "mt_bench_questions.jsonl": ("mt_bench", 80),
    "spec_bench_sample.jsonl": ("mt_bench", 80),
}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no public files in {DATA}")


def source(name: str, split: str | None = None) -> Source:
    return Source(name.partition(".")[0], FILES[name][0], "f", path=str(DATA / name), split=split)


@pytest.mark.parametrize("name", FILES)
def test_every_row_of_a_public_file_is_a_prompt(name: str) -> None:
    collection = Collection([source(name)], SHARES, seed=0)

    assert all(isinstance(each, Prompt) for each in collection)
    assert collection.statistics()["prompts"] == FILES[name][1]


def test_model_solutions_ask_the_test_questions() -> None:
    collection = Collection(
        [source("gsm8k_model_solutions.jsonl"), source("gsm8k_test.jsonl", "eval")], SHARES, seed=0
    )
    list(collection)

    assert collection.sources["gsm8k_model_solutions"].filtered == {"duplicate": 660}


def test_three_training_questions_overlap_with_the_test_questions() -> None:
    filters = Filters(near_duplicates=0.8, decontaminate=["gsm8k_test"])
    collection = Collection(
        [source("gsm8k_train.jsonl"), source("gsm8k_test.jsonl", "eval")], SHARES, 0, filters
    )
    list(collection)

    assert collection.sources["gsm8k_train"].filtered == {"overlaps with evaluation": 3}
    assert collection.sources["gsm8k_test"].filtered == {}


@pytest.mark.parametrize("name", FILES)
def test_no_english_prompt_is_taken_for_another_language(name: str) -> None:
    chain = FilterChain(Filters(languages=["en"]))
    collection = Collection([source(name)], SHARES, 0, chain.filters)
    list(collection)

    assert collection.statistics()["filtered"] == {}
