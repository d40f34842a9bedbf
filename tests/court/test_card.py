"""The card says what the numbers say, whatever stands in the texts."""

from __future__ import annotations

import re
from dataclasses import replace

import yaml

from judge_lightning.court.dataset.card import CardFacts, DrafterFacts, SourceFacts, write_card
from judge_lightning.court.dataset.statistics import DatasetStatistics
from judge_lightning.court.records import LabelledTuple

TUPLE = LabelledTuple(
    prompt_id="p",
    family="sums",
    split="train",
    drafter="weak",
    prompt_ids=[1],
    correct_text="2 + 2 = 4",
    correct_ids=[1, 2, 3],
    correct_labels=[1, 1, 1],
    wrong_text="2 + 2 = 5, so 5",
    wrong_ids=list(range(10)),
    wrong_labels=[1] * 4 + [0] + [-100] * 5,
    mistake_characters=(8, 9),
    mistake_tokens=(4, 5),
    confidence=0.5,
    evidence="it is 4",
    prompt="What is 2 + 2?",
    source="sums",
    correct_author="reference",
)


def card(*tuples: LabelledTuple) -> str:
    counted = DatasetStatistics()
    for one in tuples:
        counted.add(one)
    return write_card(
        CardFacts(
            name="sums",
            statistics=counted.as_json(),
            sources=[SourceFacts("sums", 7, "https://example.org/sums", "MIT")],
            drafters=[DrafterFacts("weak", "a weak model", answers=9, right=0.25)],
            annotator="calculator",
            after_mistake="ignored",
            tokenizer="`tok`",
            examples=tuples[:1],
            left_out={"mistake not found": 3},
            rejected={"not JSON": 2},
            removed={"near duplicate": 4},
            made_with="python -m pipelines.run +exp=sums",
        )
    )


def test_the_metadata_names_splits_licence_and_size() -> None:
    text = card(TUPLE, replace(TUPLE, split="validation"))

    metadata = yaml.safe_load(text.split("---")[1])
    assert metadata["license"] == ["mit"]
    assert metadata["size_categories"] == ["n<1K"]
    assert [one["split"] for one in metadata["configs"][0]["data_files"]] == ["train", "validation"]


def test_the_numbers_are_those_of_the_tuples() -> None:
    text = card(TUPLE)

    assert "8 labelled tokens, 1 of them part of a mistake (12.50 %); 5 behind" in text
    assert "| weak | a weak model | 9 | 25.0 % | 1 |" in text
    assert "| mistake not found | 3 |" in text
    assert "| not JSON | 2 |" in text
    assert "4 × near duplicate" in text
    assert re.search(r"\| 5 \| 1 \| █+ \|", text)


def test_an_example_shows_its_mistake() -> None:
    assert "2 + 2 =⟦ 5⟧" in card(replace(TUPLE, mistake_characters=(7, 9)))


def test_nothing_in_a_text_closes_its_block() -> None:
    text = card(replace(TUPLE, wrong_text="```\n# A heading\n```"))

    assert "````text" in text


def test_evidence_is_no_mark_up() -> None:
    text = card(replace(TUPLE, evidence="$2 + `2` = $5\nis *wrong*"))

    assert "Because: `` $2 + `2` = $5 is *wrong* `` (confidence 0.50)" in text
