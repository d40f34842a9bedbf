"""Sampling with logits processors: standard verification keeps the processed distribution.

A tiny random pair over five tokens, so that all answers of two tokens can be
enumerated; the statistics are chi-square tests over many seeds.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from judge_lightning import JudgeHead, SpeculativeDecoder
from judge_lightning.decoding.request import PLAIN, Extras
from judge_lightning.heads import HeadConfig
from judge_lightning.verifiers import Exact, Judge, Verifier

V, LAYERS, HIDDEN = 5, 1, 16
PROMPT = torch.tensor([[1, 3]])
DRAWS = 1000
PROCESSORS = {
    "none": [],
    "temperature_top_k": [TemperatureLogitsWarper(0.7), TopKLogitsWarper(3)],
    "top_p": [TopPLogitsWarper(0.8)],
    "repetition_penalty_min_p": [RepetitionPenaltyLogitsProcessor(1.5), MinPLogitsWarper(0.05)],
}
CRITICAL = {8: 26.1, 15: 37.7, 24: 51.2}
"""Chi-square with that many degrees of freedom exceeds it once in a thousand."""


def tiny(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=V, hidden_size=HIDDEN, intermediate_size=16, num_hidden_layers=LAYERS,
        num_attention_heads=2, max_position_embeddings=32, initializer_range=0.6,
        bos_token_id=1, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


TARGET, DRAFT = tiny(0), tiny(1)


def wanted(processors: LogitsProcessorList) -> Tensor:
    """Probabilities (V, V) of an answer's two tokens under the processed target."""

    def following(prefix: Tensor) -> Tensor:
        logits = TARGET(prefix).logits[:, -1].float()
        return processors(prefix, logits).softmax(-1)[0]

    with torch.inference_mode():
        first = following(PROMPT)
        rows = [following(torch.cat([PROMPT, torch.tensor([[t]])], 1)) for t in range(V)]
    return first[:, None] * torch.stack(rows)


def sampled(verifier: Verifier, extras: Extras) -> Tensor:
    decoder = SpeculativeDecoder(TARGET, DRAFT, verifier, draft_length=2)
    counts = torch.zeros(V, V)
    generator = torch.Generator().manual_seed(0)
    for _ in range(DRAWS):
        answer = decoder.generate(
            PROMPT, 2, eos_token_id=(), temperature=1.0, generator=generator, extras=extras
        )
        first, second = answer.sequences[0, -2:].tolist()
        counts[first, second] += 1
    return counts


def chi_square(counts: Tensor, probabilities: Tensor) -> tuple[float, float]:
    """The statistic and its critical value; cells that are too rare to test share one."""
    expected = DRAWS * probabilities.flatten()
    observed = counts.flatten()
    impossible = expected == 0
    if observed[impossible].sum() > 0:
        return float("inf"), 0.0
    common = expected >= 5
    rare = ~common & ~impossible
    cells = [*zip(observed[common], expected[common], strict=True)]
    if expected[rare].sum() > 0:
        cells.append((observed[rare].sum(), expected[rare].sum()))
    statistic = sum(float((o - e) ** 2 / e) for o, e in cells)
    freedom = len(cells) - 1
    return statistic, CRITICAL[min(size for size in CRITICAL if size >= freedom)]


@pytest.mark.parametrize("name", PROCESSORS)
def test_exact_sampling_has_the_processed_targets_distribution(name: str) -> None:
    processors = LogitsProcessorList(PROCESSORS[name])
    extras = Extras(processors) if processors else PLAIN
    statistic, critical = chi_square(sampled(Exact(), extras), wanted(processors))
    assert statistic < critical


def test_a_rule_that_keeps_every_draft_token_fails_the_same_test() -> None:
    config = HeadConfig(HIDDEN, LAYERS - 1, LAYERS, threshold=0.0)
    keeps_all = Judge(JudgeHead.from_weights(torch.zeros(HIDDEN), 0.0, config))
    statistic, critical = chi_square(sampled(keeps_all, PLAIN), wanted(LogitsProcessorList()))
    assert statistic > 2 * critical


def test_sampling_that_leaves_the_processors_out_fails_the_same_test() -> None:
    processors = LogitsProcessorList(PROCESSORS["temperature_top_k"])
    statistic, critical = chi_square(sampled(Exact(), PLAIN), wanted(processors))
    assert statistic > 2 * critical
