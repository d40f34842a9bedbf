"""A label for every token of any answer, and paraphrases that are right by construction."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from judge_lightning.court.annotators import Case, Finding, Mistake, load_annotator
from judge_lightning.court.answer_labels import label_answers
from judge_lightning.court.drafters.paraphrase import ParaphraseAuthor
from judge_lightning.court.labels import TokenSpans
from judge_lightning.court.records import IGNORED, Answer, Prompt
from judge_lightning.errors import UserError
from judge_lightning.micro.world import problem
from judge_lightning.models.pair import load_tokenizer

TOKENIZER = load_tokenizer("micro:target", None, None)
PROMPTS = [
    Prompt(f"word:{i}", problem("word", i).text, "", "word", "eval",
           {"checker": "micro", "index": i, "pool": "court"})
    for i in range(3)
]  # fmt: skip


def answer(text: str, *, finished: bool = True) -> Answer:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    return Answer("word:0", "me", 0, text, [*ids, 0] if finished else ids, finished, right=False)


def labels(given: Answer, finding: Finding) -> list[int]:
    def says(cases: Sequence[Case]) -> list[Finding]:
        return [finding] * len(cases)

    (found,) = label_answers([Case(PROMPTS[0], given)], says, TokenSpans(TOKENIZER))
    return found


def test_tokens_before_the_mistake_are_correct_and_those_behind_it_unknown() -> None:
    given = answer("He has 3 + 4 = 9 apples.")
    start = given.text.index(" 9")
    found = labels(given, Finding(Mistake(start, start + 2, 1.0, "")))
    assert found.count(0) >= 1
    first = found.index(0)
    assert set(found[:first]) == {1}
    assert set(found[first:]) == {0, IGNORED}


def test_all_tokens_of_an_answer_without_a_mistake_are_correct() -> None:
    given = answer("He has 7 apples.")
    assert labels(given, Finding(None)) == [1] * len(given.token_ids)


def test_what_the_annotator_cannot_tell_is_unknown() -> None:
    given = answer("He has 7 apples.")
    assert labels(given, Finding(None, decided=False)) == [IGNORED] * len(given.token_ids)


def test_an_answer_that_is_cut_off_is_correct_so_far() -> None:
    given = answer("He has", finished=False)
    end = len(given.text)
    assert labels(given, Finding(Mistake(end, end, 1.0, ""))) == [1] * len(given.token_ids)


def test_paraphrases_are_right_in_every_dialect() -> None:
    oracle = load_annotator("oracle")
    for dialect in ("draft", "target"):
        author = ParaphraseAuthor("me", TOKENIZER, dialect=dialect, samples=2)
        drafts = author.write(PROMPTS)
        assert not drafts.rejected
        assert len(drafts.written) == 6
        cases = [
            Case(draft.prompt, Answer(draft.prompt.id, "me", 0, draft.text, draft.token_ids,
                                      draft.finished, right=True))
            for draft in drafts.written
        ]  # fmt: skip
        assert all(finding.mistake is None for finding in oracle(cases))


def test_a_paraphrase_depends_on_its_prompt_alone() -> None:
    author = ParaphraseAuthor("me", TOKENIZER, dialect="draft", seed=1)
    alone = author.write(PROMPTS[2:]).written[0].text
    assert author.write(PROMPTS).written[2].text == alone
    other = ParaphraseAuthor("me", TOKENIZER, dialect="draft", seed=2)
    assert other.write(PROMPTS[2:]).written[0].text != alone


def test_only_the_micro_world_can_be_paraphrased() -> None:
    prompt = Prompt("mine", "Why?", "so", "own", "eval", {"checker": "exact"})
    with pytest.raises(UserError, match="micro world only"):
        ParaphraseAuthor("me", TOKENIZER, dialect="draft").write([prompt])
