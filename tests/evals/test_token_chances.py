"""A shown token's numbers are those of one plain forward pass over the whole text."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from evals.generations import text_of
from evals.shown_tokens import ShownToken, show_tokens
from evals.token_chances import Chance, read_traces, replaced_tokens
from judge_lightning.court.prompting import render_prompt
from judge_lightning.decoding.trace import Cycle, Trace
from judge_lightning.models.pair import Pair, load_pair

PROMPT = "Ben has 6 tickets. He buys 2 more. How many tickets does Ben have now?"
ANSWER = "Initially, Ben has 6 tickets at home. After that, Ben receives 2 more tickets"


@pytest.fixture(scope="module")
def micro() -> Pair:
    return load_pair("micro", device="cpu")


@pytest.fixture(scope="module")
def trace(micro: Pair) -> Trace:
    """Five tokens kept and a correction, two kept and a bonus, and the end accepted mid-block."""
    ids = micro.tokenizer(ANSWER, add_special_tokens=False)["input_ids"][:10]
    end = micro.tokenizer.eos_token_id
    return Trace(
        [
            Cycle([*ids[:5], 9, 8], 5, [True] * 5 + [False] * 2, [0.9] * 7, ids[5]),
            Cycle(ids[6:8], 2, [True, False], [0.9, 0.8], ids[8]),
            Cycle([ids[9], end, 7], 2, [True] * 3, [0.9] * 3, None),
        ],
        threshold=0.5,
    )


@pytest.fixture(scope="module")
def shown(micro: Pair, trace: Trace) -> list[ShownToken]:
    prompt = render_prompt(micro.tokenizer, PROMPT)
    (chances,) = read_traces(micro, [prompt], [trace])
    return show_tokens(trace, lambda ids: text_of(micro.tokenizer, ids), chances)


@pytest.fixture(scope="module", params=["target", "draft"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def predictions(micro: Pair, trace: Trace, role: str) -> Tensor:
    """Logits of every place of the answer (places, V), from one plain pass over the whole text."""
    prompt = render_prompt(micro.tokenizer, PROMPT)
    with torch.no_grad():
        logits: Tensor = getattr(micro, role)(torch.tensor([[*prompt, *trace.tokens]])).logits
    return logits[0, len(prompt) - 1 : -1]


def assert_plain(chance: Chance, logits: Tensor, token: int) -> None:
    assert chance.rank == int((logits > logits[token]).sum()) + 1
    assert chance.probability == pytest.approx(logits.softmax(-1)[token].item(), rel=1e-3)


def test_every_token_has_the_probability_and_rank_of_a_plain_pass(
    trace: Trace, shown: list[ShownToken], predictions: Tensor, role: str
) -> None:
    for token, one, logits in zip(trace.tokens, shown, predictions, strict=True):
        assert_plain(getattr(one, role), logits, token)


def test_so_has_the_draft_token_that_was_replaced(
    shown: list[ShownToken], predictions: Tensor, role: str
) -> None:
    assert_plain(getattr(shown[5], f"instead_{role}"), predictions[5], 9)
    assert [one.instead_target is not None for one in shown] == [n == 5 for n in range(11)]


def test_only_a_correction_replaces_a_token(trace: Trace) -> None:
    assert replaced_tokens(trace) == {5: 9}


def test_numbers_are_kept_to_four_digits(shown: list[ShownToken]) -> None:
    assert all(
        one.target and one.target.probability == float(f"{one.target.probability:.4g}")
        for one in shown
    )
    assert Chance(**vars(shown[0].target)) == shown[0].target
