"""A judged answer is shown token by token, with who kept each."""

from __future__ import annotations

from evals.shown_tokens import ShownToken, show_tokens, token_texts
from judge_lightning.decoding.trace import Cycle, Trace

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
