"""Rows are read from files of every kind and from the Hub; what is unreadable costs itself."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from judge_lightning.court.rejects import Rejected
from judge_lightning.court.sources import Source, SourcedPrompt, places
from judge_lightning.errors import UserError

ROWS = [{"question": f"How many are {n} and {n}?", "answer": f"#### {2 * n}"} for n in range(3)]


def gsm8k(path: Path | str, **settings: Any) -> Source:
    return Source("own", "gsm8k", "maths", path=str(path), **settings)


def own(path: Path, *lines: bytes, **settings: Any) -> Source:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return Source("own", "jsonl", "own", path=str(path), **settings)


def rejections(source: Source) -> list[tuple[str, str]]:
    found = [each for each in source.read() if isinstance(each, Rejected)]
    return [(each.reason, Path(each.place).name) for each in found]


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)))


def write_json(path: Path) -> None:
    path.write_text(json.dumps(ROWS))


def write_csv(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, ["question", "answer"])
        writer.writeheader()
        writer.writerows(ROWS)


def write_parquet(path: Path) -> None:
    Dataset.from_list(ROWS).to_parquet(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.jsonl", write_jsonl),
        ("a.jsonl.gz", write_gzip),
        ("a.json", write_json),
        ("a.csv", write_csv),
        ("a.parquet", write_parquet),
    ],
)
def test_a_format_is_read_from_any_kind_of_file(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    source = gsm8k(tmp_path / name)

    source.validate()

    assert [prompt.text for prompt in source.prompts()] == [row["question"] for row in ROWS]


@pytest.mark.parametrize("count", [0, 2], ids=["fetched whole", "streamed"])
def test_a_format_is_read_from_a_data_set_by_name(tmp_path: Path, count: int) -> None:
    (tmp_path / "data").mkdir()
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet")
    source = Source(
        "hub", "gsm8k", "maths", hub=str(tmp_path / "data"), hub_split="test", count=count
    )

    source.validate()

    assert [prompt.text for prompt in source.prompts()] == [row["question"] for row in ROWS]


def test_a_split_that_a_data_set_does_not_have_is_named(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl")
    source = Source("hub", "gsm8k", "maths", hub=str(tmp_path), hub_split="dev")

    with pytest.raises(UserError, match="dev") as error:
        list(source.read())

    assert error.value.field == "data.sources.hub.hub"


def test_several_files_are_named_by_a_pattern(tmp_path: Path) -> None:
    for subject in ("algebra", "law"):
        (tmp_path / f"{subject}_test.csv").write_text(f'"What is {subject}, then?",1,2,3,4,C\n')
    source = Source("mmlu", "mmlu", "mmlu", path=str(tmp_path / "*_test.csv"))

    prompts = list(source.prompts())

    assert [prompt.reference for prompt in prompts] == ["C", "C"]
    assert "algebra" in prompts[0].text


def test_paragraphs_of_a_text_file_are_rows(tmp_path: Path) -> None:
    first = "A long enough beginning of a sentence about oaks.\nIt goes on."
    (tmp_path / "a.txt").write_text(f"{first}\n\n\n{first} Further.\n")

    prompts = list(Source("t", "text", "text", path=str(tmp_path / "a.txt")).prompts())

    assert [prompt.reference for prompt in prompts] == ["It goes on.", "It goes on. Further."]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    source = own(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"prompt": "Q", "reference": "1"}')

    assert [prompt.text for prompt in source.prompts()] == ["Q"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{broken", "not JSON"),
        (b'{"prompt": "Q", "refer', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "no JSON object"),
        (b'{"prompt": "Q"}', "field missing"),
        (b'{"prompt": "", "reference": "1"}', "empty text"),
        (b'{"prompt": ["Q"], "reference": "1"}', "no text"),
        (b'{"prompt": "Q", "reference": "none"}', "reference unreadable"),
        ('{"prompt": "Größe?", "reference": "1"}'.encode("latin-1"), "not UTF-8"),
        (b'{"prompt": "half \\ud83d", "reference": "1"}', "not Unicode"),
    ],
)
def test_a_line_that_cannot_be_used_costs_itself_alone(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    good = b'{"prompt": "How many?", "reference": "3"}'
    source = own(tmp_path / "a.jsonl", good, line, b"", good)

    source.validate()

    assert rejections(source) == [(reason, "a.jsonl:2")]
    assert len(list(source.prompts())) == 2


def test_a_line_longer_than_memory_may_hold_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_LONGEST_LINE", 64)
    good = b'{"prompt": "How many?", "reference": "3"}'
    source = own(tmp_path / "a.jsonl", good, b"x" * 1000, good)

    assert rejections(source) == [("line too long", "a.jsonl:2")]
    assert len(list(source.prompts())) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"only one field", "not CSV"), ("gr\xf6\xdfer,#### 1".encode("latin-1"), "not UTF-8")],
)
def test_a_csv_record_that_cannot_be_used_costs_itself_alone(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'question,answer\n"one\nand two",#### 3\n' + line + b"\nmore,#### 4\n")

    assert rejections(gsm8k(path)) == [(reason, "a.csv:4")]
    assert [prompt.text for prompt in gsm8k(path).prompts()] == ["one\nand two", "more"]


def test_what_a_rejected_row_said_is_kept(tmp_path: Path) -> None:
    source = own(tmp_path / "a.jsonl", b'{"prompt": "Q", "reference": "none"}')

    (found,) = source.read()

    assert isinstance(found, Rejected)
    assert json.loads(found.record) == {"prompt": "Q", "reference": "none"}


@pytest.mark.parametrize("checker", ["unit_tests", "prompted", "none"])
def test_a_reference_is_not_tried_where_no_rule_reads_it(tmp_path: Path, checker: str) -> None:
    line = b'{"prompt": "Q", "reference": "def f(): ...", "test": "f()"}'
    source = own(tmp_path / "a.jsonl", line, checker=checker)

    (prompt,) = source.prompts()

    assert prompt.meta["checker"] == checker


def test_files_that_cannot_be_read_are_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "a.docx").write_text("x")
    (tmp_path / "a.jsonl.gz").write_text("no gzip")
    problems = {
        "none.jsonl": "No such file",
        "*.json": "no file is called",
        "empty.jsonl": "is empty",
        "a.docx": "no kind of file",
        "a.jsonl.gz": "gzip",
        ".": "is a folder",
    }
    for name, problem in problems.items():
        with pytest.raises(UserError, match=problem):
            gsm8k(f"{tmp_path}/{name}").validate()


def test_a_file_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    write_gzip(tmp_path / "a.jsonl.gz")
    whole = (tmp_path / "a.jsonl.gz").read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(UserError, match="cannot be read"):
        list(gsm8k(tmp_path / "a.jsonl.gz").read())


@pytest.mark.parametrize("name", ["a.json", "a.parquet"])
def test_a_file_that_is_not_what_its_name_says_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{broken")

    with pytest.raises(UserError, match=name):
        list(gsm8k(tmp_path / name).read())


def test_a_file_of_blank_lines_is_empty(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty"):
        list(own(tmp_path / "a.jsonl", b"", b" ").read())


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"format": "docx"}, "format"),
        ({"split": "dev"}, "split"),
        ({"checker": "micro"}, "checker"),
        ({"checker": "none"}, "checker"),
        ({"count": -1}, "count"),
        ({"path": None}, "path"),
        ({"hub": "openai/gsm8k"}, "path"),
        ({"format": "micro", "count": 1}, "family"),
        ({"format": "micro", "family": "word"}, "count"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, settings: dict[str, Any], field: str) -> None:
    write_jsonl(tmp_path / "a.jsonl")
    given: dict[str, Any] = {"format": "gsm8k", "path": str(tmp_path / "a.jsonl"), "family": "f"}

    with pytest.raises(UserError) as error:
        Source("own", **(given | settings)).validate()

    assert error.value.field == f"data.sources.own.{field}"


def test_the_micro_world_goes_on_without_end() -> None:
    source = Source("word", "micro", "word", count=5)
    source.validate()

    found = list(islice(source.read(), 7))

    assert all(isinstance(each, SourcedPrompt) for each in found)
    assert [each.prompt.meta["index"] for each in found if isinstance(each, SourcedPrompt)] == [
        *range(7)
    ]


def test_the_origin_is_known_for_the_dataset_card(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl")

    about = gsm8k(tmp_path / "a.jsonl").about()
    mine = Source("own", "jsonl", "own", path="p/b.jsonl", licence="CC0").about()

    assert (about["name"], about["licence"], about["place"]) == ("GSM8K", "MIT", "a.jsonl")
    assert (mine["name"], mine["licence"], mine["place"]) == ("own", "CC0", "b.jsonl")
    hub = Source("h", "arc", "arc", hub="allenai/ai2_arc", subset="ARC-Easy").about()
    assert hub["place"] == "allenai/ai2_arc/ARC-Easy/train"
