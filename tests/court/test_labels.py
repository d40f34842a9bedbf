"""Every generated token gets its characters and its label."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.labels import mark_mistake, token_spans
from judge_lightning.court.records import IGNORED

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=30)
settings.register_profile("labels", deadline=None, max_examples=60)
settings.load_profile("labels")


@given(text=TEXTS)
def test_spans_cover_the_text_without_gaps(
    byte_tokenizer: PreTrainedTokenizerFast, text: str
) -> None:
    ids = byte_tokenizer(text, add_special_tokens=False)["input_ids"]

    spans = token_spans(byte_tokenizer, ids)

    covered = {place for start, end in spans for place in range(start, end)}
    assert covered == set(range(len(text)))
    assert spans == sorted(spans)


def test_all_bytes_of_a_character_share_its_place(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    ids = byte_tokenizer("a€b", add_special_tokens=False)["input_ids"]

    assert token_spans(byte_tokenizer, ids) == [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]


def test_the_end_token_has_no_characters(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    ids = [*byte_tokenizer("ab", add_special_tokens=False)["input_ids"]]

    assert token_spans(byte_tokenizer, [*ids, byte_tokenizer.eos_token_id])[-1] == (2, 2)


@given(text=TEXTS.filter(bool), data=st.data())
def test_tokens_are_correct_up_to_the_mistake_and_ignored_after_it(
    byte_tokenizer: PreTrainedTokenizerFast, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    spans = token_spans(byte_tokenizer, byte_tokenizer(text, add_special_tokens=False)["input_ids"])

    marked = mark_mistake(spans, (start, end), finished=False)

    assert marked is not None
    first, past = marked.mistake
    assert marked.labels == [1] * first + [0] * (past - first) + [IGNORED] * (len(spans) - past)
    assert all(stop <= start for _, stop in spans[:first])
    assert all(begin >= end for begin, _ in spans[past:])


def test_what_follows_can_be_labelled_wrong() -> None:
    marked = mark_mistake([(0, 1), (1, 2), (2, 3)], (1, 2), finished=False, after_mistake="wrong")

    assert marked is not None
    assert marked.labels == [1, 0, 0]


def test_an_answer_that_stops_too_early_has_its_end_token_blamed() -> None:
    marked = mark_mistake([(0, 1), (1, 2), (2, 2)], (2, 2), finished=True)

    assert marked is not None
    assert marked.labels == [1, 1, 0]


def test_an_answer_that_was_cut_off_blames_nobody() -> None:
    assert mark_mistake([(0, 1), (1, 2)], (2, 2), finished=False) is None
