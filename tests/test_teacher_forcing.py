"""Reading text with a target: batched, padded passes against one pass a token."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import LlamaForCausalLM

from judge_lightning import teacher_forcing
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.teacher_forcing import PromptedAnswer, TokenScores, score_answers

READINGS = [
    PromptedAnswer([7, 8, 9], [20, 21, 22, 23, 24]),
    PromptedAnswer([1], [30, 31]),
    PromptedAnswer([5, 4, 3, 2, 1, 9, 9], [40]),
    PromptedAnswer([2, 2], list(range(60, 75))),
]


@pytest.fixture
def target(tiny_llama: Callable[[int], LlamaForCausalLM]) -> LlamaForCausalLM:
    return tiny_llama(0)


@pytest.fixture
def head() -> JudgeHead:
    torch.manual_seed(3)
    return JudgeHead.from_weights(torch.randn(32), 0.1, HeadConfig(32, 0, 2))


def token_by_token(
    model: LlamaForCausalLM, reading: PromptedAnswer, head: JudgeHead
) -> tuple[list[int], list[float], list[float]]:
    """Rank, probability and judgement of each token, from passes over bare prefixes."""
    ranks, probabilities, judged = [], [], []
    prefix = list(reading.prompt_ids)
    for token in reading.answer_ids:
        with torch.no_grad():
            logits = model(torch.tensor([prefix])).logits[0, -1]
            prefix.append(token)
            states = model(torch.tensor([prefix]), output_hidden_states=True).hidden_states
        order = logits.argsort(descending=True).tolist()
        ranks.append(order.index(token) + 1)
        probabilities.append(logits.softmax(-1)[token].item())
        # Entry 0 is the embedding's output, so entry 1 is that of layer 0.
        judged.append(head.probability(states[1][0, -1]).item())
    return ranks, probabilities, judged


def test_scores_are_those_of_a_pass_over_every_prefix(
    target: LlamaForCausalLM, head: JudgeHead
) -> None:
    scores = score_answers(target, READINGS, rows=3, head=head)
    for reading, score in zip(READINGS, scores, strict=True):
        ranks, probabilities, judged = token_by_token(target, reading, head)
        assert score.ranks == ranks
        assert score.probabilities == pytest.approx(probabilities, rel=1e-4)
        assert score.judge == pytest.approx(judged, rel=1e-4)


def test_what_the_target_would_write_has_rank_one_throughout(target: LlamaForCausalLM) -> None:
    prompt = [7, 8, 9]
    written = target.generate(
        torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=None
    )
    (score,) = score_answers(target, [PromptedAnswer(prompt, written[0, 3:].tolist())], rows=1)
    assert score.ranks == [1] * 12
    assert score.judge is None


def test_equally_likely_tokens_are_ranked_as_argmax_takes_them(target: LlamaForCausalLM) -> None:
    with torch.no_grad():
        target.lm_head.weight.zero_()
    (score,) = score_answers(target, [PromptedAnswer([1], [0, 1, 5])], rows=1)
    assert score.ranks == [1, 2, 6]


def test_another_token_is_scored_behind_the_same_text(target: LlamaForCausalLM) -> None:
    reading = PromptedAnswer([7, 8, 9], [20, 21, 22], others={2: 40, 0: 41})
    (score,) = score_answers(target, [reading], rows=1)
    assert set(score.others) == {0, 2}
    for place, other in reading.others.items():
        instead = PromptedAnswer(reading.prompt_ids, [*reading.answer_ids[:place], other])
        (alone,) = score_answers(target, [instead], rows=1)
        rank, probability = score.others[place]
        assert rank == alone.ranks[place]
        assert probability == pytest.approx(alone.probabilities[place], rel=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_the_batch_changes_nothing(target: LlamaForCausalLM, rows: int) -> None:
    assert_alike(
        score_answers(target, READINGS, rows=rows), score_answers(target, READINGS, rows=3)
    )


def test_rows_wait_where_their_logits_have_no_room(
    target: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = score_answers(target, READINGS, rows=4)
    monkeypatch.setattr(teacher_forcing, "LOGIT_BYTES", 1)
    assert_alike(score_answers(target, READINGS, rows=4), together)


def test_nothing_predicts_the_first_token_of_an_answer_without_a_prompt(
    target: LlamaForCausalLM,
) -> None:
    with pytest.raises(ValueError, match="needs a token before it"):
        score_answers(target, [PromptedAnswer([], [1])], rows=1)


def test_a_target_that_gives_nan_is_the_users_to_mend(target: LlamaForCausalLM) -> None:
    with torch.no_grad():
        target.lm_head.weight.fill_(float("nan"))
    with pytest.raises(UserError, match=r"pair\.target"):
        score_answers(target, READINGS, rows=4)
    with pytest.raises(UserError, match=r"pair\.draft"):
        score_answers(target, READINGS, rows=4, field_name="pair.draft")


def assert_alike(one: list[TokenScores], other: list[TokenScores]) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.ranks == b.ranks
        assert a.probabilities == pytest.approx(b.probabilities, rel=1e-4)
