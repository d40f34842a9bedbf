"""Blocks that end by themselves: when they end, and that it changes nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from judge_lightning import JudgeHead, SpeculativeDecoder
from judge_lightning.decoding.draft_length import Adaptive, DraftLength, Fixed, as_draft_length
from judge_lightning.decoding.eager import EagerEngine
from judge_lightning.decoding.trace import Trace
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig
from judge_lightning.verifiers import Block as VerifiedBlock
from judge_lightning.verifiers import Exact, Judge, Verdict

Models = tuple[PreTrainedModel, PreTrainedModel]
MakePair = Callable[[str], Models]
KINDS = ["llama", "qwen2", "gpt2", "gpt_neox", "sliding_window"]
POLICIES = [Adaptive(20, 0.02), Adaptive(20, 0.1, every=3), Adaptive(6, 0.15)]
LAYERS, HIDDEN = 2, 32


def block_end(policy: Adaptive, confidences: list[float], blocks: Sequence[list[bool]] = ()) -> int:
    """Where a block of those confidences ends, after ``blocks`` of verdicts on likewise ones."""
    pace = policy.start()
    for kept in blocks:
        pace.watch(confidences[: len(kept)])
        pace.learn(kept)
    return pace.watch(confidences) or len(confidences)


def lengths(trace: Trace) -> list[int]:
    return [len(cycle.proposed) for cycle in trace.cycles]


# When a block ends.


def test_a_sure_draft_goes_on_and_a_doubtful_one_stops() -> None:
    policy = Adaptive(20, draft_cost=0.1)
    assert block_end(policy, [1.0] * 20) == 20
    assert block_end(policy, [0.3] * 20) <= 3


def test_a_dear_draft_token_ends_blocks_earlier() -> None:
    ends = [block_end(Adaptive(32, cost), [0.9] * 32) for cost in (0.01, 0.1, 0.3, 1.0)]
    assert ends == sorted(ends, reverse=True)
    assert ends[0] > 2 * ends[-1]


def test_doubts_that_never_come_true_let_blocks_grow() -> None:
    policy = Adaptive(32, draft_cost=0.1)
    judged = [[True] * 8] * 6
    assert block_end(policy, [0.7] * 32, judged) > 2 * block_end(policy, [0.7] * 32)


def test_a_sure_draft_that_is_rejected_is_believed_no_longer() -> None:
    policy = Adaptive(32, draft_cost=0.1)
    rejected = [[False] * 4] * 6
    assert block_end(policy, [0.95] * 32, rejected) < block_end(policy, [0.95] * 32)


def test_it_learns_one_confidence_apart_from_another() -> None:
    pace = Adaptive(32, draft_cost=0.05).start()
    for _ in range(12):
        pace.watch([0.65, 0.75, 0.65, 0.75])
        pace.learn([False, True, False, True])
    kept = pace.watch([0.75] * 32) or 32
    pace.learn([])
    assert kept > 2 * (pace.watch([0.65] * 32) or 32)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_block_ends_at_multiples_of_every_alone(every: int) -> None:
    for confidence in (0.2, 0.5, 0.8, 0.9):
        assert block_end(Adaptive(40, 0.1, every), [confidence] * 40) % every == 0


@given(
    confidences=st.lists(st.floats(0, 1), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 7), min_size=40, max_size=40),
    every=st.integers(1, 4),
)
def test_how_many_tokens_are_shown_at_once_changes_nothing(
    confidences: list[float], cuts: list[int], every: int
) -> None:
    policy = Adaptive(40, 0.1, every)
    at_once, bit_by_bit, ends = policy.start(), policy.start(), None
    shown = 0
    while ends is None and shown < len(confidences):
        size = cuts.pop()
        ends = bit_by_bit.watch(confidences[shown : shown + size])
        shown += size
    assert at_once.watch(confidences) == ends


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_no_history_leads_to_nonsense(history: list[tuple[float, bool]]) -> None:
    pace = Adaptive(32, 0.1).start()
    for confidence, kept in history:
        pace.watch([confidence])
        pace.learn([kept])
    ends = pace.watch([0.5] * 32)
    assert ends is None or 1 <= ends <= 32


# What must not change.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_exact_still_writes_what_generate_writes(
    make_pair: MakePair, kind: str, policy: Adaptive, prompt: Tensor
) -> None:
    target, draft = make_pair(kind)
    trace = SpeculativeDecoder(target, draft, Exact(), policy).generate(prompt, 40, ()).trace
    wanted = target.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=40,
        do_sample=False,
        eos_token_id=None,
    )
    assert trace.tokens == wanted[0, prompt.shape[1] :].tolist()
    assert max(lengths(trace)) <= policy.longest
    # Otherwise no block ended early, or all did.
    assert len(set(lengths(trace))) > 1


def test_a_judge_at_threshold_one_writes_what_exact_writes(llama: Models, prompt: Tensor) -> None:
    head = JudgeHead.from_weights(
        torch.randn(HIDDEN, generator=torch.Generator().manual_seed(7)),
        0.1,
        HeadConfig(HIDDEN, LAYERS - 1, LAYERS),
    )
    traces = [
        SpeculativeDecoder(*llama, rule, Adaptive(20, 0.05)).generate(prompt, 40, ()).trace
        for rule in (Judge(head, 1.0), Exact())
    ]
    assert [cycle.proposed for cycle in traces[0].cycles] == [
        cycle.proposed for cycle in traces[1].cycles
    ]
    assert traces[0].tokens == traces[1].tokens


def test_a_judge_that_keeps_more_is_given_longer_blocks(llama: Models, prompt: Tensor) -> None:
    keeps_all = Judge(
        JudgeHead.from_weights(torch.zeros(HIDDEN), 0.0, HeadConfig(HIDDEN, 1, LAYERS)), 0.0
    )
    judged, standard = (
        SpeculativeDecoder(*llama, rule, Adaptive(20, 0.05)).generate(prompt, 80, ()).trace
        for rule in (keeps_all, Exact())
    )
    assert max(lengths(judged)) > max(lengths(standard))


def test_an_answer_does_not_depend_on_those_before_it(llama: Models, prompt: Tensor) -> None:
    decoder = SpeculativeDecoder(*llama, Exact(), Adaptive(20, 0.05))
    first = decoder.generate(prompt, 40, ()).trace.to_json()
    decoder.generate(torch.tensor([[9, 30, 12]]), 40, ())
    assert decoder.generate(prompt, 40, ()).trace.to_json() == first


@pytest.mark.parametrize("place", range(6))
def test_looking_for_an_eos_or_not_ends_blocks_alike(
    llama: Models, prompt: Tensor, place: int
) -> None:
    """On a GPU nobody looks, and the block is cut at the EOS afterwards."""
    eos = SpeculativeDecoder(*llama, Exact(), 5).generate(prompt, 12, ()).trace.tokens[place]
    traces = [
        SpeculativeDecoder(*llama, Exact(), Adaptive(20, 0.02), EagerEngine(looks)).generate(
            prompt, 60, eos
        )
        for looks in (True, False)
    ]
    assert traces[0].trace.to_json() == traces[1].trace.to_json()


# Sampling, on an enumerable vocabulary.

V, DRAWS = 5, 500
CRITICAL = 51.2
"""Chi-square with 24 degrees of freedom exceeds it once in a thousand."""


def sampled_statistic(rule: Exact, draft_length: DraftLength) -> tuple[float, set[int]]:
    """Chi-square of an answer's first two tokens, and the block lengths that occurred."""
    target, draft = (_model(seed) for seed in (0, 1))
    prompt = torch.tensor([[1, 3]])
    with torch.inference_mode():
        first = target(prompt).logits[0, -1].softmax(-1)
        after = torch.stack(
            [
                target(torch.cat([prompt, torch.tensor([[t]])], 1)).logits[0, -1].softmax(-1)
                for t in range(V)
            ]
        )
    decoder = SpeculativeDecoder(target, draft, rule, draft_length)
    counts, seen = torch.zeros(V, V), set[int]()
    generator = torch.Generator().manual_seed(0)
    for _ in range(DRAWS):
        trace = decoder.generate(prompt, 4, (), temperature=1.0, generator=generator).trace
        counts[trace.tokens[0], trace.tokens[1]] += 1
        seen.add(len(trace.cycles[0].proposed))
    expected = DRAWS * first[:, None] * after
    return float(((counts - expected) ** 2 / expected).sum()), seen


def _model(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=V, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=32, initializer_range=0.6,
        bos_token_id=1, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


class _DrawsAgainWhereTheBlockEnded(Exact):
    """A plausible mistake: an early end is taken for a rejection of the token behind the block,
    whose place is filled from the target without what the draft would have put there."""

    def verdict(self, block: VerifiedBlock, generator: torch.Generator | None = None) -> Verdict:
        verdict = super().verdict(block, generator)
        if len(verdict.proposed) < 3 and verdict.accepted == len(verdict.proposed):
            p = block.logits[-1].softmax(-1).clone()
            p[int(p.argmax())] = 0
            verdict.next_token = int(torch.multinomial(p, 1, generator=generator))
        return verdict


def test_stopping_by_the_drawn_tokens_keeps_the_targets_distribution() -> None:
    statistic, seen = sampled_statistic(Exact(), Adaptive(3, 0.25))
    assert statistic < CRITICAL
    assert len(seen) > 1


def test_a_wrong_rule_at_early_ends_fails_the_same_test() -> None:
    statistic, _ = sampled_statistic(_DrawsAgainWhereTheBlockEnded(), Adaptive(3, 0.25))
    assert statistic > 1.5 * CRITICAL


# What may be asked for.


def test_numbers_and_auto_are_draft_lengths() -> None:
    assert as_draft_length(7) == as_draft_length("7") == Fixed(7)
    assert as_draft_length("auto") == Adaptive()
    assert as_draft_length(Adaptive(9)) == Adaptive(9)


@pytest.mark.parametrize("value", ["many", "", "-3", "2.5", 2.5, True])
def test_anything_else_is_refused_in_one_line(value: int | str) -> None:
    with pytest.raises(UserError, match=r"draft_length.*whole number of at least 1, or auto"):
        as_draft_length(value)


@pytest.mark.parametrize("value", [0, -1, "0"])
def test_fewer_than_one_token_is_refused(value: int | str) -> None:
    with pytest.raises(UserError, match=r"draft_length.*at least 1"):
        as_draft_length(value)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Adaptive(longest=0), "longest_draft"),
        (lambda: Adaptive(every=0), "look_every"),
        (lambda: Adaptive(draft_cost=0.0), "draft_cost"),
        (lambda: Adaptive(draft_cost=math.inf), "draft_cost"),
        (lambda: Adaptive(draft_cost=math.nan), "draft_cost"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(make: Callable[[], Adaptive], field: str) -> None:
    with pytest.raises(UserError, match=field):
        make()
