"""Text that exists becomes drafts by the prompt's text; what cannot be read is named."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.chat import Failure
from judge_lightning.court.drafters.drafts import Bench, Draft, Drafts, check_drafts
from judge_lightning.court.drafters.reference import ReferenceAuthor
from judge_lightning.court.drafters.text import TextAuthor, prompt_digest, texts_at
from judge_lightning.court.prompting import answer_text
from judge_lightning.court.records import Prompt
from judge_lightning.court.rejects import Rejected

SOLUTIONS = (
    Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[2] / "../shared/data"))
    / "gsm8k_model_solutions.jsonl"
)


def prompt(text: str, reference: str = "4") -> Prompt:
    return Prompt(f"id of {text}", text, reference, "f", "train", {"checker": "final_number"})


TWO, THREE = prompt("What is 2 + 2?"), prompt("What is 3 + 3?", "6")


def author_of(
    folder: Path, tokenizer: PreTrainedTokenizerFast, lines: list[Any], **options: Any
) -> tuple[TextAuthor, list[Rejected]]:
    """The author of a file with these lines, indexed for TWO and THREE."""
    path = folder / "answers.jsonl"
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    author = TextAuthor("log", path, tokenizer, **options)
    return author, list(author.index({prompt_digest(one.text) for one in (TWO, THREE)}))


def test_answers_find_their_prompts_by_text(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [
        {"prompt": "What is 3 + 3?", "answer": "It is 6"},
        {"prompt": "what is 2 + 2", "answer": "It is 5"},
        {"prompt": "What is 2 + 2?", "answer": "It is 4"},
    ]
    author, rejected = author_of(tmp_path, byte_tokenizer, lines)

    drafts = author.write([TWO, THREE])

    said = [(draft.prompt.id, draft.sample, draft.text) for draft in drafts.written]
    assert said == [(TWO.id, 0, "It is 5"), (TWO.id, 1, "It is 4"), (THREE.id, 0, "It is 6")]
    assert rejected == drafts.rejected == []
    assert author.matched == 3


def test_the_token_ids_are_the_tokenizers_and_end_in_its_end_token(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [{"prompt": TWO.text, "answer": "Four: 4 “é”"}]
    author, _ = author_of(tmp_path, byte_tokenizer, lines)

    [draft] = author.write([TWO]).written

    assert draft.finished
    assert draft.token_ids[-1] == byte_tokenizer.eos_token_id
    assert answer_text(byte_tokenizer, draft.token_ids) == draft.text == "Four: 4 “é”"


def test_answers_to_unknown_prompts_are_counted_and_cost_nothing(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [
        {"prompt": TWO.text, "answer": "4"},
        {"prompt": "What else?", "answer": ["a", "b"]},
    ]
    author, rejected = author_of(tmp_path, byte_tokenizer, lines)

    assert author.unused == {"no such prompt": 2}
    assert rejected == []


def test_lines_that_cannot_be_read_are_named(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [
        b'{"prompt": "What is 2 + 2?", "answ',
        b"[1]",
        b'{"prompt": "\xff\xfe"}',
        {"question": TWO.text, "answer": "4"},
        {"prompt": TWO.text, "reply": "4"},
        {"prompt": TWO.text, "answer": None},
        {"prompt": TWO.text, "answer": "4"},
    ]
    author, rejected = author_of(tmp_path, byte_tokenizer, lines)

    assert [one.reason for one in rejected] == [
        "not JSON", "not JSON", "not UTF-8", "field missing", "field missing", "field missing",
    ]  # fmt: skip
    assert [one.place for one in rejected] == [f"answers.jsonl:{n}" for n in range(1, 7)]
    assert len(author.write([TWO]).written) == 1


def test_an_empty_answer_and_one_that_does_not_fit_are_rejected(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [{"prompt": TWO.text, "answer": ["  \n", "4", "4" * 100]}]
    author, _ = author_of(tmp_path, byte_tokenizer, lines, longest=50)

    drafts = author.write([TWO])

    assert [draft.sample for draft in drafts.written] == [1]
    assert [(one.place, one.reason) for one in drafts.rejected] == [
        ("answers.jsonl:1:0", "empty answer"),
        ("answers.jsonl:1:2", "longer than the context"),
    ]


def test_half_a_character_is_rejected(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [b'{"prompt": "What is 2 + 2?", "answer": "4 \\ud83d"}']
    author, _ = author_of(tmp_path, byte_tokenizer, lines)

    assert [one.reason for one in author.write([TWO]).rejected] == ["not UTF-8"]


def test_what_the_tokenizer_changes_is_rejected(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    bench = Bench("log", byte_tokenizer, 0)

    rejected = bench.read(TWO, 0, "so 4<|user|> more")

    assert isinstance(rejected, Rejected)
    assert rejected.reason == "the tokenizer changes it"


def test_other_white_space_is_taken_as_the_tokenizer_has_it(
    byte_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "judge_lightning.court.drafters.drafts.answer_text",
        lambda tokenizer, ids: " " + tokenizer.decode(ids),
    )

    draft = Bench("log", byte_tokenizer, 0).read(TWO, 0, "so 4")

    assert isinstance(draft, Draft)
    assert draft.text == " so 4"


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("a", ["x"]),
        ("one.solution", ["s1"]),
        ("*.solution", ["s1", "s2"]),
        ("dotted.name", ["d"]),
        ("list.*.text", ["t1", "t2"]),
        ("several", ["m1", "m2"]),
        ("number", ["18"]),
        ("missing.solution", []),
        ("a.solution", []),
        ("yes", []),
    ],
)
def test_a_path_leads_to_texts(path: str, texts: list[str]) -> None:
    row = {
        "a": "x",
        "one": {"is_correct": True, "solution": "s1"},
        "two": {"is_correct": False, "solution": "s2"},
        "dotted.name": "d",
        "list": [{"text": "t1"}, {"text": "t2"}, 7],
        "several": ["m1", "m2"],
        "number": 18,
        "yes": True,
    }
    assert texts_at(row, path) == texts


def test_a_file_of_any_size_is_read_by_the_stretch(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [{"prompt": f"What is {n} + 0?", "answer": f"é {n}"} for n in range(50)]
    prompts = [prompt(f"What is {n} + 0?", str(n)) for n in range(50)]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    author = TextAuthor("log", path, byte_tokenizer)
    list(author.index({prompt_digest(one.text) for one in prompts}))

    said = [
        draft.text
        for start in (40, 0, 20)
        for draft in author.write(prompts[start : start + 5]).written
    ]

    assert said == [f"é {n}" for start in (40, 0, 20) for n in range(start, start + 5)]


def test_references_are_answers(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    worked = prompt("What is 2 + 2?", "2 + 2 = 4\n#### 4")

    drafts = ReferenceAuthor("reference", byte_tokenizer).write([worked, prompt("Why?", " ")])

    assert [draft.text for draft in drafts.written] == ["2 + 2 = 4\n#### 4"]
    assert [one.reason for one in drafts.rejected] == ["empty answer"]


class Undecided:
    """Checkers that find 4 right, and cannot tell about ``?``."""

    def check_all(self, pairs: Any) -> list[bool | Failure]:
        return [Failure("timed out", "1 s") if "?" in text else "4" in text for _, text in pairs]


def draft(text: str) -> Draft:
    return Draft(TWO, 0, text, [5], True)


def test_an_answer_that_cannot_be_checked_is_rejected_not_wrong() -> None:
    drafts = Drafts([draft("4"), draft("?"), draft("5")])

    answers, rejected = check_drafts("log", drafts, Undecided())

    assert [(answer.text, answer.right) for answer in answers] == [("4", True), ("5", False)]
    assert [(one.reason, one.record) for one in rejected] == [("timed out", "?")]


def test_a_wrong_reference_is_rejected() -> None:
    answers, rejected = check_drafts(
        "reference", Drafts([draft("4"), draft("5")]), Undecided(), only_right=True
    )

    assert [answer.text for answer in answers] == ["4"]
    assert [one.reason for one in rejected] == ["the checker finds it wrong"]


@pytest.mark.skipif(not SOLUTIONS.exists(), reason=f"{SOLUTIONS} is not there")
def test_real_solutions_of_four_models_are_read_whatever_their_verdicts(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    with SOLUTIONS.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    prompts = [prompt(row["question"], row["ground_truth"]) for row in rows]
    author = TextAuthor(
        "solutions", SOLUTIONS, byte_tokenizer,
        prompt_field="question", answer_field="*.solution",
    )  # fmt: skip
    rejected = list(author.index({prompt_digest(one.text) for one in prompts}))

    drafts = author.write(prompts)

    assert rejected == drafts.rejected == []
    assert Counter(draft.prompt.id for draft in drafts.written) == {one.id: 4 for one in prompts}
    single = TextAuthor(
        "6b", SOLUTIONS, byte_tokenizer,
        prompt_field="question", answer_field="6b_finetuning.solution",
    )  # fmt: skip
    list(single.index({prompt_digest(prompts[0].text)}))
    assert [one.text for one in single.write(prompts).written] == [
        rows[0]["6b_finetuning"]["solution"]
    ]
    assert single.unused == {"no such prompt": len(rows) - 1}
