"""Sampling with logits processors: standard verification keeps the processed distribution.

A tiny random pair over five tokens, so that all answers of two tokens can be
enumerated; the statistics are chi-square tests over many seeds.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from judge_lightning import JudgeHead, SpeculativeDecoder, judge_generate
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


GENERATION_CONFIGS: dict[str, dict[str, Any]] = {
    "common": {"temperature": 1.4, "top_k": 4, "top_p": 0.9, "repetition_penalty": 1.3},
    "rarer": {"typical_p": 0.9, "sequence_bias": [[[2], 2.0], [[4], -1.0]], "top_k": 0},
}
FEWER_DRAWS = 200
"""``generate`` prepares every call anew, which costs more than decoding two tokens."""


@pytest.mark.parametrize("name", GENERATION_CONFIGS)
def test_a_generation_config_given_to_generate_keeps_the_distribution_of_generate(
    name: str,
) -> None:
    """As a user asks for it: ``target.generate(generation_config=..., custom_generate=...)``.

    What is expected comes from the scores that ``generate`` itself gives for every prefix.
    """
    given = GENERATION_CONFIGS[name]
    config = GenerationConfig(do_sample=True, max_new_tokens=2, pad_token_id=0, **given)

    def following(prefix: Tensor) -> Tensor:
        one = copy.deepcopy(config)
        one.max_new_tokens = 1
        one.return_dict_in_generate = one.output_scores = True
        return TARGET.generate(prefix, generation_config=one).scores[0].softmax(-1)[0]

    first = following(PROMPT)
    possible = [following(torch.cat([PROMPT, torch.tensor([[t]])], 1)) for t in range(V)]
    counts = torch.zeros(V, V)
    torch.manual_seed(0)
    for _ in range(FEWER_DRAWS):
        answer = TARGET.generate(
            PROMPT,
            generation_config=config,
            custom_generate=judge_generate,
            assistant_model=DRAFT,
            draft_length=2,
        )
        one, two = answer[0, -2:].tolist()
        counts[one, two] += 1
    statistic, critical = chi_square(counts, first[:, None] * torch.stack(possible))
    assert statistic < critical


def chi_square(counts: Tensor, probabilities: Tensor) -> tuple[float, float]:
    """The statistic and its critical value; cells that are too rare to test share one."""
    expected = counts.sum() * probabilities.flatten()
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
