"""From sources to prompts in splits: each once, stable under adding data, counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge_lightning.court.collection import Collection, Filtered
from judge_lightning.court.filters import Filters
from judge_lightning.court.records import Prompt
from judge_lightning.court.rejects import Rejected
from judge_lightning.court.sources import Source
from judge_lightning.errors import UserError

SHARES = {"train": 0.6, "validation": 0.2, "calibration": 0.2}
NEAR = Filters(near_duplicates=0.6)


def own(path: Path, texts: Sequence[str], name: str = "own", split: str | None = None) -> Source:
    rows = [json.dumps({"prompt": text, "reference": "1"}) for text in texts]
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return Source(name, "jsonl", name, path=str(path), split=split)


def micro(name: str, count: int, split: str | None = None) -> Source:
    return Source(name, "micro", "word", split=split, count=count)


def prompts(sources: list[Source], seed: int = 0, filters: Filters | None = None) -> list[Prompt]:
    found = Collection(sources, SHARES, seed, filters)
    return [each for each in found if isinstance(each, Prompt)]


def test_a_prompt_keeps_its_split_when_others_are_added() -> None:
    splits = {prompt.id: prompt.split for prompt in prompts([micro("word", 60)])}

    assert all(splits[prompt.id] == prompt.split for prompt in prompts([micro("word", 20)]))
    assert set(splits.values()) == set(SHARES)


def test_another_seed_splits_otherwise() -> None:
    first, second = (prompts([micro("word", 40)], seed) for seed in (0, 1))

    assert [prompt.split for prompt in first] != [prompt.split for prompt in second]


TEXTS = st.lists(
    # Few words, so that many of the texts are alike.
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), min_size=2, max_size=9).map(" ".join),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(old=TEXTS, new=TEXTS)
def test_data_added_behind_changes_nothing_about_what_was_there(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("data")
    before = prompts([own(folder / "a.jsonl", old)], filters=NEAR)
    same_file = prompts([own(folder / "b.jsonl", old + new)], filters=NEAR)
    other_source = prompts(
        [own(folder / "c.jsonl", old), own(folder / "d.jsonl", new, "more")], filters=NEAR
    )

    assert same_file[: len(before)] == before
    assert other_source[: len(before)] == before


@settings(max_examples=60, deadline=None)
@given(data=st.data(), old=TEXTS, new=TEXTS, held_out=st.booleans())
def test_data_added_anywhere_moves_no_prompt_to_another_split(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    old: list[str],
    new: list[str],
    held_out: bool,
) -> None:
    folder = tmp_path_factory.mktemp("data")
    mixed = data.draw(st.permutations(old + new))
    sources = [own(folder / "a.jsonl", mixed)]
    if held_out:
        sources.append(own(folder / "c.jsonl", new, "held_out", "eval"))
    splits = {prompt.text: prompt.split for prompt in prompts(sources, filters=NEAR)}

    for prompt in prompts([own(folder / "b.jsonl", old)], filters=NEAR):
        kept = {prompt.split} | ({"eval"} if held_out and prompt.text in new else set())
        assert splits.get(prompt.text, prompt.split) in kept


def test_what_is_held_out_for_evaluation_never_enters_the_court() -> None:
    found = prompts([micro("word", 30), micro("held_out", 10, "eval")])

    held_out = {prompt.text for prompt in found if prompt.split == "eval"}
    court = {prompt.text for prompt in found if prompt.split != "eval"}
    assert (len(held_out), len(court)) == (10, 30)
    assert not held_out & court


def test_prompts_that_differ_in_spacing_and_punctuation_are_taken_once(tmp_path: Path) -> None:
    source = own(tmp_path / "own.jsonl", ["How many?", "how  many", "How many - 1?"])
    collection = Collection([source], SHARES, seed=0)

    taken = [each.text for each in collection if isinstance(each, Prompt)]

    assert taken == ["How many?", "How many - 1?"]
    assert collection.sources["own"].filtered == {"duplicate": 1}


def test_a_prompt_like_a_held_out_one_stays_out_of_the_court(tmp_path: Path) -> None:
    asked = "Anna has twelve red apples and eats three of them. How many apples are left for Tom?"
    court = own(tmp_path / "a.jsonl", [asked.replace("Anna", "Berta"), "What is love?"])
    held_out = own(tmp_path / "b.jsonl", [asked], "held_out", "eval")

    found = prompts([court, held_out], filters=NEAR)

    assert [(prompt.text, prompt.split == "eval") for prompt in found] == [
        (asked, True),
        ("What is love?", False),
    ]


def test_an_evaluation_set_stays_whole(tmp_path: Path) -> None:
    asked = "Anna has twelve red apples and eats three of them. How many apples are left for Tom?"
    held_out = own(
        tmp_path / "b.jsonl", [asked, asked.replace("Anna", "Berta")], "held_out", "eval"
    )

    found = prompts([held_out], filters=Filters(near_duplicates=0.6, decontaminate=["held_out"]))

    assert len(found) == 2


def test_every_row_is_counted_once_with_what_became_of_it(tmp_path: Path) -> None:
    task = " ".join(f"word{n}" for n in range(15))
    court = own(tmp_path / "a.jsonl", ["Hi", "How many?", "How many", f"Now {task}.", "x" * 50])
    path = tmp_path / "a.jsonl"
    path.write_text(path.read_text() + "{broken\n")
    held_out = own(tmp_path / "b.jsonl", [f"Say {task}!"], "held_out", "eval")
    filters = Filters(minimum_characters=3, maximum_characters=150, decontaminate=["held_out"])
    collection = Collection([court, held_out], SHARES, 0, filters, max_rejected=0.5)

    found = list(collection)
    statistics = collection.statistics()

    assert statistics["sources"]["own"]["filtered"] == {
        "too short": 1,
        "duplicate": 1,
        "overlaps with evaluation": 1,
    }
    assert statistics["sources"]["own"]["rejected"] == statistics["rejected"] == {"not JSON": 1}
    assert statistics["sources"]["own"]["read"] == 6
    assert statistics["sources"]["own"]["taken"] == 2
    assert statistics["prompts"] == 3
    assert statistics["splits"]["eval"] == 1
    assert sum(isinstance(each, Filtered) for each in found) == 3
    assert sum(type(each) is Rejected for each in found) == 1
    overlap = next(each for each in found if isinstance(each, Filtered) and "word0" in each.detail)
    assert overlap.detail == " ".join(f"word{n}" for n in range(13))
    assert overlap.place == f"{path}:4"


def test_too_many_unusable_rows_end_the_run(tmp_path: Path) -> None:
    source = own(tmp_path / "a.jsonl", [f"Number {n}?" for n in range(18)])
    path = tmp_path / "a.jsonl"
    path.write_text(path.read_text() + "{broken\n[1]\n")

    with pytest.raises(UserError, match="2 of 20 records cannot be used") as error:
        list(Collection([source], SHARES, 0, max_rejected=0.09))

    assert error.value.field == "data.sources.own"
    assert len(list(Collection([source], SHARES, 0, max_rejected=0.1))) == 20


def test_a_source_gives_as_many_prompts_as_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    own(path, ["One?", "one", "Two?", "Three?", "Four?"])

    found = prompts([Source("own", "jsonl", "own", path=str(path), count=3)])

    assert [prompt.text for prompt in found] == ["One?", "Two?", "Three?"]


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    collection = Collection([own(tmp_path / "a.jsonl", ["One?", "one", "Two?"])], SHARES, 0)

    assert list(collection) == list(collection)
    assert collection.statistics()["prompts"] == 2


def test_the_micro_world_runs_dry_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from judge_lightning.micro import world

    only = world.problem("word", 0)
    monkeypatch.setattr(world, "problem", lambda family, index, pool="court": only)

    with pytest.raises(UserError, match="ask for 1 at most"):
        prompts([micro("word", 3)])


def test_shares_must_add_up_to_one() -> None:
    with pytest.raises(UserError, match="add up to"):
        Collection([micro("word", 1)], {"train": 0.5}, seed=0)
