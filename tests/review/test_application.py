"""People's decisions become labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.records import IGNORED, LabelledTuple
from judge_lightning.court.review import Decision, apply_decisions, tuple_id
from judge_lightning.errors import UserError
from tests.review.conftest import Decide, MakeTuple


def _applied(
    tokenizer: PreTrainedTokenizerFast, labelled: LabelledTuple, *made: Decision
) -> tuple[list[LabelledTuple], Counter[str]]:
    counts: Counter[str] = Counter()
    about = [replace(decision, tuple_id=tuple_id(labelled)) for decision in made]
    return list(apply_decisions([labelled], about, tokenizer, counts=counts)), counts


def test_an_accepted_tuple_is_certain(
    byte_tokenizer: PreTrainedTokenizerFast, make_tuple: MakeTuple, decide: Decide
) -> None:
    labelled = make_tuple()

    reviewed, counts = _applied(byte_tokenizer, labelled, decide(), decide(reviewer="rev2"))

    assert reviewed == [replace(labelled, confidence=1.0, evidence="reviewed by 2")]
    assert counts == {"accepted": 1}


@given(start=st.integers(0, 15), length=st.integers(1, 5))
def test_a_moved_mistake_moves_the_labels(
    byte_tokenizer: PreTrainedTokenizerFast,
    make_tuple: MakeTuple,
    decide: Decide,
    start: int,
    length: int,
) -> None:
    span = (start, min(start + length, 16))
    verdict = "accept" if span == (8, 9) else "move"

    [moved], _ = _applied(byte_tokenizer, make_tuple(), decide(verdict, span=span))

    assert moved.mistake_characters == moved.mistake_tokens == span
    assert moved.wrong_labels[: span[0]] == [1] * span[0]
    assert set(moved.wrong_labels[slice(*span)]) == {0}
    assert set(moved.wrong_labels[span[1] :]) == {IGNORED}
    assert (moved.confidence, moved.evidence) == (1.0, "reviewed by 1")


def test_an_answer_that_stops_too_early_has_its_end_token_blamed(
    byte_tokenizer: PreTrainedTokenizerFast, make_tuple: MakeTuple, decide: Decide
) -> None:
    [moved], _ = _applied(byte_tokenizer, make_tuple(), decide("move", span=(16, 16)))

    assert moved.wrong_labels == [*[1] * 16, 0]


def test_an_answer_that_was_cut_off_has_no_end_to_blame(
    byte_tokenizer: PreTrainedTokenizerFast, make_tuple: MakeTuple, decide: Decide
) -> None:
    whole = make_tuple()
    cut = replace(whole, wrong_ids=whole.wrong_ids[:-1], wrong_labels=whole.wrong_labels[:-1])

    reviewed, counts = _applied(byte_tokenizer, cut, decide("move", span=(16, 16)))

    assert reviewed == []
    assert counts == {"no token to blame": 1}


@pytest.mark.parametrize("verdicts", [["reject"], ["accept", "reject"]])
def test_what_is_rejected_or_disputed_is_dropped(
    byte_tokenizer: PreTrainedTokenizerFast,
    make_tuple: MakeTuple,
    decide: Decide,
    verdicts: list[str],
) -> None:
    made = [decide(verdict, f"reviewer {n}") for n, verdict in enumerate(verdicts)]

    reviewed, counts = _applied(byte_tokenizer, make_tuple(), *made)

    assert reviewed == []
    assert counts == {"rejected" if len(verdicts) == 1 else "disputed": 1}


def test_what_was_skipped_or_not_reviewed_stays_as_it_is(
    byte_tokenizer: PreTrainedTokenizerFast, make_tuple: MakeTuple, decide: Decide
) -> None:
    labelled = make_tuple()

    assert _applied(byte_tokenizer, labelled, decide("skip")) == ([labelled], {"skipped": 1})
    assert _applied(byte_tokenizer, labelled) == ([labelled], {"not reviewed": 1})


def test_a_decision_holds_when_the_annotator_later_proposes_another_place(
    byte_tokenizer: PreTrainedTokenizerFast, make_tuple: MakeTuple, decide: Decide
) -> None:
    [moved], counts = _applied(byte_tokenizer, make_tuple(mistake=(0, 1)), decide("accept"))

    assert moved.wrong_labels == make_tuple(mistake=(8, 9)).wrong_labels
    assert counts == {"moved": 1}


def test_decisions_about_other_tuples_are_counted(
    byte_tokenizer: PreTrainedTokenizerFast, make_tuple: MakeTuple, decide: Decide
) -> None:
    counts: Counter[str] = Counter()

    list(apply_decisions([make_tuple()], [decide()], byte_tokenizer, counts=counts))

    assert counts["decisions about no tuple"] == 1


def test_a_decision_about_characters_that_are_not_there_is_refused(
    byte_tokenizer: PreTrainedTokenizerFast, make_tuple: MakeTuple, decide: Decide
) -> None:
    with pytest.raises(UserError, match="an answer that has 16"):
        _applied(byte_tokenizer, make_tuple(), decide("move", span=(10, 17)))
