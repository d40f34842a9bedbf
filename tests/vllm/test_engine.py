"""Judge decoding in vLLM's engine: exact where asked, the same verdicts and quality as ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
import torch

from judge_lightning import JudgeHead, SpeculativeDecoder, load_pair
from judge_lightning.court.prompting import render_prompt
from judge_lightning.micro.world import Problem, is_right
from judge_lightning.models.hidden_states import HiddenStateTap
from judge_lightning.verifiers import Judge

Answer = Callable[..., list[Any]]

JUDGE = Path(__file__).parent / "judge"
DRAFT_LENGTH = 16
THRESHOLD = 0.8
"""The judge's own."""


@pytest.fixture(scope="module")
def pair() -> Any:
    return load_pair("micro")


def tokens_of(outputs: Sequence[Any]) -> list[list[int]]:
    return [list(output.token_ids) for output in outputs]


def lines_of(record: Path, start: int = 0) -> list[dict[str, Any]]:
    with record.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file][start:]


def length(record: Path) -> int:
    return len(record.read_text().splitlines())


def test_exact_requests_get_what_vllm_writes_by_itself(
    answer: Answer, problems: list[Problem], plain: list[list[int]]
) -> None:
    assert tokens_of(answer(problems, {"exact": True})) == plain


def test_a_threshold_of_one_overrules_nothing(
    answer: Answer, problems: list[Problem], plain: list[list[int]]
) -> None:
    assert tokens_of(answer(problems[:16], {"judge_threshold": 1.0})) == plain[:16]


def test_a_threshold_of_zero_keeps_every_block_whole(
    answer: Answer, problems: list[Problem], record: Path
) -> None:
    start = length(record)
    answer(problems[:4], {"judge_threshold": 0.0})
    cycles = lines_of(record, start)
    assert cycles
    assert all(one["accepted"] == len(one["tokens"]) for one in cycles)


def test_its_verdicts_are_those_of_our_decoder_on_the_same_tokens(
    answer: Answer, problems: list[Problem], record: Path, pair: Any
) -> None:
    head = JudgeHead.from_pretrained(JUDGE)
    checked = 0
    for one in problems[:6]:
        start = length(record)
        (output,) = answer([one])
        answer_ids = list(output.token_ids)
        prefix = render_prompt(pair.tokenizer, one.text)
        written = 1  # The first token comes from the prompt's own pass.
        for line in lines_of(record, start):
            ids = [*prefix, *answer_ids[:written], *line["tokens"]]
            with torch.inference_mode(), HiddenStateTap(pair.target, [head.config.layer]) as tap:
                logits = pair.target(input_ids=torch.tensor([ids])).logits[0]
                states = tap.states[head.config.layer][0]
            places = range(len(ids) - len(line["tokens"]), len(ids))
            ours = head(states[list(places)]).double().sigmoid()
            assert line["judge"] == pytest.approx(ours.tolist(), abs=1e-4)
            argmax = logits[[place - 1 for place in places]].argmax(1)
            assert line["standard"] == (argmax == torch.tensor(line["tokens"])).float().tolist()
            kept = [
                probability > THRESHOLD or standard
                for probability, standard in zip(line["judge"], line["standard"], strict=True)
            ]
            assert line["accepted"] == [*kept, False].index(False)
            checked += len(line["tokens"])
            written += line["accepted"] + 1
    assert checked > 300


def test_quality_and_acceptance_are_those_of_our_decoder(
    answer: Answer, problems: list[Problem], record: Path, pair: Any
) -> None:
    start = length(record)
    theirs = answer(problems)
    cycles = lines_of(record, start)
    head = JudgeHead.from_pretrained(JUDGE)
    decoder = SpeculativeDecoder(pair.target, pair.draft, Judge(head), DRAFT_LENGTH)
    ours = [
        decoder.generate(
            torch.tensor([render_prompt(pair.tokenizer, one.text)]), max_new_tokens=200
        )
        for one in problems
    ]
    accepted = torch.tensor([float(one["accepted"]) for one in cycles])
    own = torch.tensor([float(c.accepted) for output in ours for c in output.trace.cycles])
    error = (accepted.var() / len(accepted) + own.var() / len(own)).sqrt()
    assert abs(accepted.mean() - own.mean()) < 3 * error
    right = [
        sum(is_right(one, text) for one, text in zip(problems, texts, strict=True))
        for texts in (
            [output.text for output in theirs],
            [pair.tokenizer.decode(o.sequences[0][-len(o.trace.tokens) :]) for o in ours],
        )
    ]
    assert abs(right[0] - right[1]) <= 2
    assert right[0] >= 0.9 * len(problems)


def test_thirty_two_requests_of_mixed_modes_are_answered_as_one_by_one(
    answer: Answer, problems: list[Problem]
) -> None:
    modes: Iterator[dict[str, Any]] = cycle(
        [{}, {"exact": True}, {"judge_threshold": 0.3}, {"judge_threshold": 0.95}]
    )
    extras = list(islice(modes, 32))
    together = tokens_of(answer(problems[:32], extras))
    alone = [
        tokens_of(answer([one], extra))[0] for one, extra in zip(problems[:32], extras, strict=True)
    ]
    assert together == alone
    assert len({tuple(ids) for ids in together}) > 24


def test_sampled_requests_are_judged_too(
    answer: Answer, problems: list[Problem], record: Path
) -> None:
    """vLLM's CPU build samples wrongly with any draft, judge or not (docs/serving.md): where all
    tokens are kept nothing is left to its sampler but the bonus token.
    """
    start = length(record)
    sampling = {"temperature": 1.0, "seed": 7, "top_p": 0.9}
    answer(problems[:8], {"judge_threshold": 0.0}, **sampling)
    judged = lines_of(record, start)
    assert len(judged) >= 8
    assert all(line["accepted"] == len(line["tokens"]) for line in judged)
    chances = {chance for line in judged for chance in line["standard"]}
    assert any(0 < chance < 1 for chance in chances), "sampled tokens are kept by chance"
    start = length(record)
    answer(problems[:8], {"exact": True}, **sampling)
    exact = lines_of(record, start)
    assert any(line["accepted"] < len(line["tokens"]) for line in exact)


def test_hard_constraints_outweigh_the_judge(
    answer: Answer, problems: list[Problem], pair: Any
) -> None:
    keep_all = {"judge_threshold": 0.0}
    (now,) = pair.tokenizer.encode(" now", add_special_tokens=False)
    assert all(now in output.token_ids for output in answer(problems[:4], keep_all))
    others = [token for token in range(len(pair.tokenizer)) if token != now]
    bound = answer(problems[:4], keep_all, allowed_token_ids=others)
    assert not any(now in output.token_ids for output in bound)
    assert all(len(output.token_ids) > 20 for output in bound)


def test_reported_log_probabilities_stay_the_targets_own(
    answer: Answer, problems: list[Problem], pair: Any
) -> None:
    one = problems[0]
    (output,) = answer([one], {"judge_threshold": 0.0}, logprobs=1)
    ids = [*render_prompt(pair.tokenizer, one.text), *output.token_ids]
    with torch.inference_mode():
        expected = pair.target(input_ids=torch.tensor([ids])).logits[0].log_softmax(1)
    first = len(ids) - len(output.token_ids)
    for place, (token, entry) in enumerate(zip(output.token_ids, output.logprobs, strict=True)):
        assert entry[token].logprob == pytest.approx(
            float(expected[first + place - 1, token]), abs=1e-3
        )
    assert min(entry[t].logprob for t, entry in zip(output.token_ids, output.logprobs)) < -2  # noqa: B905


def test_a_bad_request_is_refused_in_one_line(answer: Answer, problems: list[Problem]) -> None:
    from vllm.exceptions import VLLMValidationError

    with pytest.raises(VLLMValidationError, match="judge_threshold: is 3; give a probability"):
        answer(problems[:1], {"judge_threshold": 3})
    with pytest.raises(VLLMValidationError, match="judge_treshold: is not known"):
        answer(problems[:1], {"judge_treshold": 0.5})


def test_the_counters_say_what_happened(
    engine: Any, answer: Answer, problems: list[Problem], record: Path
) -> None:
    def counters() -> dict[str, float]:
        return {m.name: m.value for m in engine.get_metrics() if hasattr(m, "value")}

    before, start = counters(), length(record)
    answer(problems[:8])
    answer(problems[:4], {"exact": True})
    after = counters()
    added = {
        name: after[name] - before[name] for name in after if name.startswith("vllm:judge_num")
    }
    judged = [line for line in lines_of(record, start) if line["threshold"] <= 1]
    assert added["vllm:judge_num_drafts"] == len(judged)
    assert added["vllm:judge_num_accepted_tokens"] == sum(line["accepted"] for line in judged)
    overruled = sum(line["standard"][: line["accepted"]].count(0.0) for line in judged)
    assert added["vllm:judge_num_overruled_tokens"] == overruled > 0
    accepted, cycles = after["vllm:judge_num_accepted_tokens"], after["vllm:judge_num_drafts"]
    assert after["vllm:judge_accepted_per_cycle"] == pytest.approx(accepted / cycles)
    assert 0 < after["vllm:judge_share_kept_alone"] < 1
