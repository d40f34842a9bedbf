"""Tuples go to Parquet and back unchanged, and `datasets` reads what we wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judge_lightning.court.dataset import tables
from judge_lightning.court.dataset.assembly import assemble, draw
from judge_lightning.court.dataset.tables import (
    DatasetWriter,
    dataset_files,
    read_dataset,
    read_table,
    write_table,
)
from judge_lightning.court.records import LabelledTuple
from judge_lightning.errors import UserError

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def labelled(number: int = 0, split: str = "train", text: str = "2 + 2 = 5") -> LabelledTuple:
    return LabelledTuple(
        prompt_id=f"p{number}",
        family="sums",
        split=split,
        drafter="draft",
        prompt_ids=[1, 2],
        correct_text="4",
        correct_ids=[4, 0],
        correct_labels=[1, 1],
        wrong_text=f"{text} ({number})",
        wrong_ids=[5, 6, 7],
        wrong_labels=[1, 0, -100],
        mistake_characters=(8, 9),
        mistake_tokens=(1, 2),
        confidence=0.7,
        evidence="it is 4",
        prompt="What is 2 + 2?",
        source="sums",
        correct_author="target",
    )


@given(text=TEXT, ids=st.lists(st.integers(0, 2**31 - 1), max_size=5))
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_tuple_comes_back_as_it_was(tmp_path: Path, text: str, ids: list[int]) -> None:
    one = LabelledTuple(**{**vars(labelled()), "prompt": text, "evidence": text, "wrong_ids": ids})

    write_table(tmp_path / "one.parquet", [one])

    assert list(read_table(tmp_path / "one.parquet")) == [one]


def test_a_table_without_rows_is_a_table(tmp_path: Path) -> None:
    assert write_table(tmp_path / "none.parquet", []) == 0
    assert list(read_table(tmp_path / "none.parquet")) == []


def test_the_same_tuples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_table(tmp_path / name, (labelled(number) for number in range(700)))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing behind it")

    with pytest.raises(UserError, match=r"broken\.parquet"):
        list(read_table(tmp_path / "broken.parquet"))


def test_a_write_that_is_cut_short_leaves_no_table(tmp_path: Path) -> None:
    def tuples():  # type: ignore[no-untyped-def]
        yield labelled()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(tmp_path / "one.parquet", tuples())

    assert not (tmp_path / "one.parquet").exists()


def test_a_data_set_is_read_split_by_split_in_order(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, rows_per_file=2)
    for number, split in enumerate(("calibration", "train", "train", "validation", "train")):
        writer.write(labelled(number, split))
    writer.close()

    assert [(one.split, one.prompt_id) for one in read_dataset(tmp_path)] == [
        ("train", "p1"),
        ("train", "p2"),
        ("train", "p4"),
        ("validation", "p3"),
        ("calibration", "p0"),
    ]
    assert [path.name for path in dataset_files(tmp_path)["train"]] == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]


def test_datasets_loads_the_folder_with_its_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    writer = DatasetWriter(tmp_path / "court")
    for number, split in enumerate(("train", "train", "validation", "calibration")):
        writer.write(labelled(number, split))
    writer.close()

    court = datasets.load_dataset(str(tmp_path / "court"))

    assert {split: len(rows) for split, rows in court.items()} == {
        "train": 2,
        "validation": 1,
        "calibration": 1,
    }
    row = court["train"][0]
    assert row["mistake_characters"] == [8, 9]
    assert row["wrong_labels"] == [1, 0, -100]


def test_a_maximum_draws_tuples_that_stay_when_others_are_added(tmp_path: Path) -> None:
    few, many = tmp_path / "few.parquet", tmp_path / "many.parquet"
    write_table(few, (labelled(number) for number in range(30)))
    write_table(many, (labelled(number) for number in range(30, 60)))

    alone = assemble([few], [], tmp_path / "alone", maximum=10)
    both = assemble([few, many], [], tmp_path / "both", maximum=10)

    first = {draw(one) for one in read_dataset(tmp_path / "alone")}
    second = {draw(one) for one in read_dataset(tmp_path / "both")}
    added = {draw(one) for one in read_table(many)}
    assert len(first) == len(second) == 10
    assert second - added <= first
    assert alone.left_out == Counter({"over dataset.maximum_tuples": 20})
    assert both.statistics.tuples == 10


def test_guarded_tuples_are_taken_beyond_the_maximum(tmp_path: Path) -> None:
    write_table(tmp_path / "one.parquet", (labelled(number) for number in range(5)))

    assembled = assemble([tmp_path / "one.parquet"], [labelled(99)], tmp_path / "court", maximum=2)

    assert assembled.statistics.tuples == 3
    assert "p99" in {one.prompt_id for one in read_dataset(tmp_path / "court")}


def test_reviewed_tuples_replace_or_leave(tmp_path: Path) -> None:
    write_table(tmp_path / "one.parquet", (labelled(number) for number in range(4)))

    def review(tuples: Iterable[LabelledTuple], decisions: Counter[str]) -> Iterator[LabelledTuple]:
        for one in tuples:
            if one.prompt_id == "p1":
                decisions["rejected"] += 1
            else:
                decisions["accepted"] += 1
                yield LabelledTuple(**{**vars(one), "confidence": 1.0})

    assembled = assemble([tmp_path / "one.parquet"], [], tmp_path / "court", review=review)

    assert [one.prompt_id for one in read_dataset(tmp_path / "court")] == ["p0", "p2", "p3"]
    assert assembled.left_out == {"rejected by reviewers": 1}
    assert assembled.reviewed == {"accepted": 3, "rejected": 1}
    assert assembled.statistics.as_json()["confidence_mean"] == 1.0


def test_many_tuples_are_held_a_row_group_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 10)
    waiting: list[int] = []
    with tables.TableWriter(tmp_path / "one.parquet") as writer:
        for number in range(95):
            writer.write(labelled(number))
            waiting.append(len(writer._waiting))

    assert max(waiting) < 10
    assert len(list(read_table(tmp_path / "one.parquet"))) == 95
