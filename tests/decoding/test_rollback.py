"""What was rejected leaves nothing behind: no later logits, proposal or embedding depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import SpeculativeDecoder
from judge_lightning.decoding.cached_model import CachedModel
from judge_lightning.models.hidden_states import HiddenStateTap
from judge_lightning.verifiers import Block, Verdict

Models = tuple[PreTrainedModel, PreTrainedModel]
MakePair = Callable[[str], Models]
KINDS = ["llama", "gpt2", "gpt_neox", "sliding_window"]
VOCABULARY, LAST_LAYER = 61, 1
TOKENS = st.integers(0, VOCABULARY - 1)


@dataclass
class AcceptsAsTold:
    """Keeps ``lengths[i]`` tokens of the i-th block, whatever they are; notes what it was given."""

    lengths: list[int]
    layers: tuple[int, ...] = (0, LAST_LAYER)
    threshold: float | None = None
    lossless: bool = False
    reads_draft: bool = False
    reads_draft_states: bool = True
    blocks: list[Block] = field(default_factory=list)

    def check_target(self, target: PreTrainedModel) -> None:
        """Every target will do."""

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Every draft will do."""

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        self.blocks.append(block)
        wanted = self.lengths[(len(self.blocks) - 1) % len(self.lengths)]
        proposed = block.tokens.tolist()
        accepted = min(wanted, len(proposed))
        own = int(block.logits[accepted].argmax())
        return Verdict(proposed, accepted, own, [True] * len(proposed))


def plain(model: PreTrainedModel, tokens: list[int]) -> tuple[Tensor, Tensor]:
    """Logits (n, V) and all blocks' outputs (n, L, H), in one forward without a cache."""
    with torch.inference_mode(), HiddenStateTap(model, range(LAST_LAYER + 1)) as tap:
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
        return logits, torch.stack([tap.states[n][0] for n in range(LAST_LAYER + 1)], 1)


def drafted(model: PreTrainedModel, prefix: list[int], count: int) -> Iterator[int]:
    """The greedy continuation, every token from a forward without a cache."""
    tokens = list(prefix)
    for _ in range(count):
        tokens.append(int(plain(model, tokens)[0][-1].argmax()))
        yield tokens[-1]


@cache
def _pair(make_pair: MakePair, kind: str) -> Models:
    return make_pair(kind)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(
    draft_length=st.integers(1, 8),
    lengths=st.lists(st.integers(0, 8), min_size=1, max_size=5),
    prompt=st.lists(TOKENS, min_size=1, max_size=12),
)
def test_after_any_accept_lengths_both_models_stand_where_they_would_without_a_cache(
    make_pair: MakePair, kind: str, draft_length: int, lengths: list[int], prompt: list[int]
) -> None:
    target, draft = _pair(make_pair, kind)
    rule = AcceptsAsTold(lengths)
    decoder = SpeculativeDecoder(target, draft, rule, draft_length)
    output = decoder.generate(torch.tensor([prompt]), 24, eos_token_id=())
    prefix = list(prompt)
    for cycle, block in zip(output.trace.cycles, rule.blocks, strict=True):
        assert cycle.proposed == list(drafted(draft, prefix, len(cycle.proposed)))
        logits, states = plain(target, prefix + cycle.proposed)
        torch.testing.assert_close(block.logits, logits[len(prefix) - 1 :], atol=1e-4, rtol=1e-4)
        assert block.embeddings is not None
        torch.testing.assert_close(block.embeddings, states[len(prefix) :], atol=1e-4, rtol=1e-4)
        said = plain(draft, prefix + cycle.proposed)[1][len(prefix) :, -1]
        assert block.draft_states is not None
        torch.testing.assert_close(block.draft_states, said, atol=1e-4, rtol=1e-4)
        prefix += cycle.tokens


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(TOKENS, min_size=1, max_size=6),  # kept
            st.lists(st.tuples(TOKENS, TOKENS), max_size=6),  # rejected, and what replaces it
        ),
        min_size=1,
        max_size=5,
    )
)
def test_other_rejected_tokens_give_the_very_same_logits_to_the_last_bit(
    make_pair: MakePair, kind: str, rounds: list[tuple[list[int], list[tuple[int, int]]]]
) -> None:
    model, _ = _pair(make_pair, kind)
    with torch.inference_mode():
        ones, others = CachedModel(model), CachedModel(model)
        for kept, rejected in rounds:
            rows = []
            for number, cached in enumerate((ones, others)):
                length = cached.length + len(kept)
                block = [*kept, *(tokens[number] for tokens in rejected)]
                rows.append(cached.read(torch.tensor([block]), keep=len(block))[: len(kept)])
                cached.forget_after(length)
                assert cached.length == length
            assert torch.equal(*rows)
