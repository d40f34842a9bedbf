"""Files of flagged continuations: what a line may say, and what is said of one that says less."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.flagged import (
    NO_CATEGORY,
    FlaggedText,
    FlaggedTokens,
    flagged_file,
    read_flagged,
    require_flagged,
)
from judge_lightning.court.guarded import read_guarded
from judge_lightning.court.records import IGNORED
from judge_lightning.court.rejects import Rejected
from judge_lightning.errors import UserError

SHARES = {"train": 1.0}
LINE = {"prompt": "Who?", "continuation": "You fool", "category": "rude", "spans": [[4, 8]]}


def write(path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def flagged(continuation: str, *spans: tuple[int, int]) -> FlaggedText:
    return FlaggedText("1", "file:1", "Who?", continuation, "rude", spans)


def test_a_line_says_what_is_flagged_and_in_which_category(tmp_path: Path) -> None:
    (found,) = require_flagged(write(tmp_path / "own.jsonl", {**LINE, "id": 7}), "safety.path")
    assert (found.id, found.category, found.harmless) == ("7", "rude", False)
    assert found.spans == ((4, 8),)
    assert found.place.endswith("own.jsonl:1")


def test_without_spans_all_of_the_continuation_is_flagged(tmp_path: Path) -> None:
    line = {"prompt": "Who?", "continuation": "You fool"}
    (found,) = require_flagged(write(tmp_path / "own.jsonl", line), "safety.path")
    assert found.spans == ((0, 8),)
    assert found.category == NO_CATEGORY


def test_a_start_and_an_end_are_one_span(tmp_path: Path) -> None:
    line = {"prompt": "Who?", "continuation": "You fool", "start": 4}
    (found,) = require_flagged(write(tmp_path / "own.jsonl", line), "safety.path")
    assert found.spans == ((4, 8),)


def test_no_spans_at_all_flag_nothing(tmp_path: Path) -> None:
    (found,) = require_flagged(write(tmp_path / "own.jsonl", {**LINE, "spans": []}), "safety.path")
    assert found.spans == ()


def test_files_are_read_as_files_of_prompts_are(tmp_path: Path) -> None:
    packed = tmp_path / "own.jsonl.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(LINE).encode() + b"\n\n"))
    assert len(require_flagged(packed, "safety.path")) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{no json", r"own\.jsonl:2: not JSON \(.*; write one JSON object a line"),
        ("[1]", r"own\.jsonl:2: no JSON object"),
        ({"prompt": "Who?"}, r"own\.jsonl:2: field missing \(no text in 'continuation'\); give"),
        ({**LINE, "continuation": ""}, r"own\.jsonl:2: empty continuation"),
        ({**LINE, "spans": [[4, 9]]}, r"own\.jsonl:2: no such range \(\[4, 9\] in 8 characters\)"),
        ({**LINE, "spans": [[4, 4]]}, "no such range"),
        ({**LINE, "spans": [[4, 8], [2, 3]]}, r"no such range \(\[2, 3\].*in order"),
        ({**LINE, "spans": [[True, 8]]}, "no such range"),
        ({**LINE, "spans": "all"}, r"no such range \(spans is 'all'\)"),
        ({**LINE, "category": ["rude"]}, r"no name \(category is \['rude'\]\)"),
        ({**LINE, "harmless": "no"}, r"harmless is 'no'\); give harmless as true or false"),
        ({**LINE, "id": "first"}, r"own\.jsonl:2: has the id 'first' of .*own\.jsonl:1"),
        (
            {**LINE, "harmless": True},
            r"own\.jsonl:2: is harmless, unlike .*:1 of the same category",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_its_remedy(
    tmp_path: Path, line: dict[str, Any] | str, says: str
) -> None:
    path = write(tmp_path / "own.jsonl", {**LINE, "id": "first"}, line)
    with pytest.raises(UserError, match=says):
        require_flagged(path, "safety.path")


def test_a_file_that_is_not_there_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read.*point safety\.path at"):
        require_flagged(tmp_path / "nowhere.jsonl", "safety.path")
    with pytest.raises(UserError, match="holds no continuation"):
        require_flagged(write(tmp_path / "own.jsonl", ""), "safety.path")
    with pytest.raises(UserError, match="is no kind of file that is known"):
        require_flagged(write(tmp_path / "own.doc", LINE), "safety.path")


def test_an_embedded_file_has_a_name() -> None:
    assert len(require_flagged(flagged_file("micro:flagged_train", "f"), "f")) == 96
    with pytest.raises(UserError, match=r"f: no embedded file is called 'micro:none'; one of"):
        flagged_file("micro:none", "f")


def test_tokens_that_touch_a_span_are_flagged_and_what_is_behind_is_unknown(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    tokens = FlaggedTokens(byte_tokenizer)
    ids, labels = tokens(flagged("ab cd ef", (1, 2), (5, 6)))
    assert len(ids) == 8
    assert labels == [1, 0, IGNORED, IGNORED, IGNORED, 0, IGNORED, IGNORED]
    assert tokens(flagged("ab"))[1] == [1, 1]


def test_a_tokenizer_that_writes_the_text_otherwise_is_asked_where_its_tokens_are() -> None:
    words = {"you": 0, "fool": 1, "?": 2}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    ids, labels = FlaggedTokens(fast)(flagged("you   fool", (6, 10)))
    assert (ids, labels) == ([0, 1], [1, 0])


def test_the_court_takes_every_flagged_token_for_a_mistake(
    byte_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    path = write(tmp_path / "own.jsonl", {**LINE, "spans": [[4, 6], [7, 8]]})
    (found,) = read_guarded(path, byte_tokenizer, SHARES, 0, [])
    assert found.wrong_labels == [1, 1, 1, 1, 0, 0, IGNORED, 0]
    assert (found.mistake_characters, found.mistake_tokens) == ((4, 6), (4, 6))
    assert (found.family, found.split) == ("guarded:rude", "train")


def test_the_court_leaves_out_what_is_harmless_and_counts_it(
    byte_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    path = write(tmp_path / "own.jsonl", {**LINE, "harmless": True}, {**LINE, "spans": []}, "{")
    rejected: list[Rejected] = []
    assert not list(read_guarded(path, byte_tokenizer, SHARES, 0, rejected))
    assert [one.reason for one in rejected] == ["nothing to guard against"] * 2 + ["not JSON"]


def test_reading_goes_on_behind_a_line_that_cannot_be_used(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", "{no json", LINE)
    found = list(read_flagged(path, "dataset.guarded"))
    assert [type(one) for one in found] == [Rejected, FlaggedText]


def test_the_example_of_the_docs_is_such_a_file() -> None:
    path = Path(__file__).parents[2] / "docs" / "examples" / "flagged.jsonl"
    found = require_flagged(path, "safety.path")
    ((start, end),) = found[0].spans
    assert found[0].continuation[start:end] == "keeps the number 71 in hand"
    assert found[2].harmless
