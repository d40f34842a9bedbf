"""A judged answer is shown token by token, with who kept each."""

from __future__ import annotations

import json
from dataclasses import asdict

from evals.shown_tokens import ShownToken, show_tokens, token_texts
from evals.token_chances import TraceChances
from judge_lightning.decoding.trace import Cycle, Trace
from judge_lightning.teacher_forcing import TokenScores

TRACE = Trace(
    [
        Cycle([1, 2, 3, 9], 3, [True, False, True, False], [0.9, 0.8, 0.2, 0.1], 4),
        Cycle([5], 1, [True], [0.7], None),
    ],
    threshold=0.5,
)


def spell(token_ids: list[int]) -> str:
    return " ".join(f"t{token}" for token in token_ids)


def test_each_token_shows_who_kept_it() -> None:
    shown = show_tokens(TRACE, spell)
    assert [token.fate for token in shown] == ["both", "judge", "standard", "target", "both"]
    assert "".join(token.text for token in shown) == spell([1, 2, 3, 4, 5])


def test_a_correction_shows_the_draft_token_that_it_replaced() -> None:
    assert show_tokens(TRACE, spell)[3] == ShownToken(
        " t4", "target", instead_of="t9", instead_probability=0.1
    )


def test_a_token_without_characters_is_named_as_the_vocabulary_spells_it() -> None:
    def decode(token_ids: list[int]) -> str:
        return "".join(f"t{token}" for token in token_ids if token != 5)

    shown = show_tokens(TRACE, decode, spell=lambda token: f"<{token}>")
    assert [(token.text, token.spelt) for token in shown[-2:]] == [("t4", None), ("", "<5>")]


def test_it_is_read_back_as_it_was_written_and_without_the_fields_that_it_lacks() -> None:
    scores = TokenScores([1] * 5, [0.123456] * 5, None, {3: (2, 0.5)})
    for token in show_tokens(TRACE, spell, TraceChances(scores, scores)):
        row = json.loads(json.dumps(asdict(token)))
        assert ShownToken.from_json(row) == token
        older = {name: row[name] for name in ("text", "fate", "probability")}
        assert ShownToken.from_json(older).target is None


def test_a_character_of_several_tokens_belongs_to_the_last_of_them() -> None:
    encoded = "a\u00e9b".encode()

    def decode(token_ids: list[int]) -> str:
        return bytes(encoded[i] for i in token_ids).decode(errors="replace")

    assert token_texts(range(4), decode) == ["a", "", "\u00e9", "b"]


def test_the_texts_join_to_what_the_tokenizer_decodes() -> None:
    def decode(token_ids: list[int]) -> str:
        # Like many tokenizers: the space before a word is not written at the start of a text.
        return "".join(" word" for _ in token_ids).lstrip()

    assert token_texts(range(3), decode) == ["word", " word", " word"]
