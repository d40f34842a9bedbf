"""Exact greedy decoding writes, token for token, what the target writes alone.

Held against transformers' own ``generate`` in float32, over everything that moves the borders of
a block: draft lengths, limits, EOS tokens, windows, positions that end, a draft that is the target.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import SpeculativeDecoder
from judge_lightning.verifiers import Exact

Models = tuple[PreTrainedModel, PreTrainedModel]
MakePair = Callable[[str], Models]
POSITIONS = 96
PROMPT = torch.tensor([[1, 17, 5, 40, 8, 23, 11]])


def alone(
    model: PreTrainedModel, prompt: Tensor, new: int, eos: int | list[int] | None = None
) -> Tensor:
    """What transformers itself generates."""
    return model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new,
        do_sample=False,
        eos_token_id=eos,
    )


def random_prompt(length: int) -> Tensor:
    return torch.randint(3, 61, (1, length), generator=torch.Generator().manual_seed(length))


@pytest.fixture(scope="module")
def close_draft(llama: Models) -> PreTrainedModel:
    """Agrees with the target more often than the other draft, so that long blocks are kept too."""
    draft = copy.deepcopy(llama[0])
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in draft.parameters():
            parameter.add_(0.005 * torch.randn_like(parameter))
    return draft


@pytest.mark.parametrize("draft_length", range(1, 65))
def test_every_draft_length_from_1_to_64(
    llama: Models, close_draft: PreTrainedModel, draft_length: int
) -> None:
    new = max(16, draft_length + 3)  # A whole block and the beginning of another.
    decoder = SpeculativeDecoder(llama[0], close_draft, Exact(), draft_length)
    output = decoder.generate(PROMPT, new, ())
    assert torch.equal(output.sequences, alone(llama[0], PROMPT, new))
    assert len(output.trace.cycles[0].proposed) == min(draft_length, new - 1)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "gpt_neox", "sliding_window"])
@pytest.mark.parametrize("draft_length", [1, 4, 64])
def test_a_prompt_of_one_token(make_pair: MakePair, kind: str, draft_length: int) -> None:
    target, draft = make_pair(kind)
    prompt = torch.tensor([[7]])
    output = SpeculativeDecoder(target, draft, Exact(), draft_length).generate(prompt, 30, ())
    assert torch.equal(output.sequences, alone(target, prompt, 30))


@pytest.mark.parametrize("same", ["the target itself", "a copy of its weights"])
@pytest.mark.parametrize("draft_length", [1, 2, 5, 63, 64])
def test_a_draft_that_is_the_target_is_accepted_whole(
    llama: Models, make_pair: MakePair, draft_length: int, same: str
) -> None:
    target, _ = llama
    draft = target if same == "the target itself" else make_pair("llama")[0]
    output = SpeculativeDecoder(target, draft, Exact(), draft_length).generate(PROMPT, 80, ())
    assert torch.equal(output.sequences, alone(target, PROMPT, 80))
    for cycle in output.trace.cycles:
        assert cycle.accepted == len(cycle.proposed)


@pytest.mark.parametrize("new", range(1, 15))
def test_a_limit_at_every_place_of_a_block(llama: Models, new: int) -> None:
    target, draft = llama
    for drafting in (draft, target):
        output = SpeculativeDecoder(target, drafting, Exact(), 5).generate(PROMPT, new, ())
        assert torch.equal(output.sequences, alone(target, PROMPT, new))


@cache
def _answer(target: PreTrainedModel) -> list[int]:
    return alone(target, PROMPT, 24)[0, 7:].tolist()


@settings(max_examples=60, deadline=None)
@given(
    draft_length=st.integers(1, 12),
    places=st.lists(st.integers(0, 23), min_size=1, max_size=4),
    others=st.lists(st.integers(0, 60), max_size=3),
    perfect=st.booleans(),
)
def test_several_eos_ids_anywhere_in_a_block(
    llama: Models, draft_length: int, places: list[int], others: list[int], perfect: bool
) -> None:
    """EOS ids taken from the answer's own tokens, beside some that it may never write."""
    target, draft = llama
    eos = sorted({*(_answer(target)[place] for place in places), *others})
    decoder = SpeculativeDecoder(target, target if perfect else draft, Exact(), draft_length)
    output = decoder.generate(PROMPT, 24, eos_token_id=eos)
    assert torch.equal(output.sequences, alone(target, PROMPT, 24, eos))
    assert output.trace.tokens == output.sequences[0, 7:].tolist()


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 30),
    draft_length=st.integers(1, 64),
    new=st.integers(1, 40),
    perfect=st.booleans(),
)
def test_a_window_of_six_slides_through_prompt_and_answer(
    make_pair: MakePair, length: int, draft_length: int, new: int, perfect: bool
) -> None:
    target, draft = _windowed(make_pair)
    decoder = SpeculativeDecoder(target, target if perfect else draft, Exact(), draft_length)
    output = decoder.generate(random_prompt(length), new, ())
    assert torch.equal(output.sequences, alone(target, random_prompt(length), new))


@cache
def _windowed(make_pair: MakePair) -> Models:
    return make_pair("sliding_window")


@pytest.mark.parametrize("left", [1, 2, 4, 5, 6, 7, 20])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "sliding_window"])
def test_an_answer_ends_where_the_targets_positions_end(
    make_pair: MakePair, kind: str, left: int
) -> None:
    """The last block is cut to what has room, down to a block of nothing."""
    target, draft = make_pair(kind)
    prompt = random_prompt(POSITIONS - left)
    output = SpeculativeDecoder(target, draft, Exact(), 5).generate(prompt, 1000, ())
    assert output.sequences.shape[1] == POSITIONS
    assert torch.equal(output.sequences, alone(target, prompt, left))
