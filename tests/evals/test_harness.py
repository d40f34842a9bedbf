"""lm-evaluation-harness sees each decoder as one model, offline."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval.api.registry
import pytest
import torch
from lm_eval.api.instance import Instance

from evals.decoders import DECODERS
from evals.generations import Generation
from evals.harness import HarnessSettings, evaluate_decoder, read_samples
from evals.lm.answering import cut_at
from evals.lm.model import JudgeDecodingLM
from evals.task_files import LOCAL_TASKS, check_tasks
from evals.tasks.documents import write_documents
from judge_lightning.court.checkers import check
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError
from judge_lightning.models.pair import Pair


@pytest.fixture
def make_lm(pair: Pair, pair_folder: Path) -> Callable[..., JudgeDecodingLM]:
    def make(decoder: str = "judge", **settings: Any) -> JudgeDecodingLM:
        judge = str(pair_folder / "judge")
        defaults = {"judge": judge, "draft_length": 4, "max_gen_toks": 12}
        return JudgeDecodingLM(lambda: pair, verifier=decoder, **{**defaults, **settings})

    return make


def unreachable_pair() -> Pair:
    raise AssertionError("the pair was loaded")


def request(kind: str, *arguments: Any) -> Instance:
    return Instance(kind, {}, arguments, 0)


def recorded_answer(prompt: Prompt, text: str, pair: Pair, finished: bool = True) -> Generation:
    token_ids = pair.tokenizer(text, add_special_tokens=False)["input_ids"]
    return Generation(prompt.id, prompt.family, "judge", text, token_ids, finished, True, None)


def test_the_model_is_found_by_its_name() -> None:
    assert lm_eval.api.registry.get_model("judge_decoding") is JudgeDecodingLM


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_rendered_prompt_is_answered_as_the_decoder_answers_it(
    make_lm: Callable[..., JudgeDecodingLM], pair: Pair, decoder: str
) -> None:
    lm = make_lm(decoder)
    context = lm.apply_chat_template([{"role": "user", "content": "What is 2 + 2?"}])
    ids = torch.tensor([render_prompt(pair.tokenizer, "What is 2 + 2?")])
    expected = lm._generator.generate(ids, max_new_tokens=12).sequences[0, ids.shape[1] :]
    assert lm.tok_encode(context) == ids[0].tolist()
    assert lm.generate_until([request("generate_until", context, {})]) == [
        pair.tokenizer.decode(expected, skip_special_tokens=True)
    ]


def test_recorded_answers_are_used_without_loading_the_pair(
    pair: Pair, prompts: list[Prompt]
) -> None:
    ids = tuple(render_prompt(pair.tokenizer, prompts[0].text))
    lm = JudgeDecodingLM(
        unreachable_pair,
        tokenizer=pair.tokenizer,
        recorded={ids: recorded_answer(prompts[0], "the answer is 0", pair)},
    )
    context = lm.apply_chat_template([{"role": "user", "content": prompts[0].text}])
    assert lm.generate_until([request("generate_until", context, {})]) == ["the answer is 0"]
    assert lm.decoded_live == 0


def test_an_answer_that_was_cut_short_is_decoded_again_where_more_is_asked_for(
    make_lm: Callable[..., JudgeDecodingLM], pair: Pair, prompts: list[Prompt]
) -> None:
    ids = tuple(render_prompt(pair.tokenizer, prompts[0].text))
    recorded = {ids: recorded_answer(prompts[0], "the", pair, finished=False)}
    lm = make_lm(recorded=recorded)
    context = lm.apply_chat_template([{"role": "user", "content": prompts[0].text}])
    short = request("generate_until", context, {"max_gen_toks": 3})
    longer = request("generate_until", context, {"max_gen_toks": 4})
    assert lm.generate_until([short]) == ["the"]
    assert lm.decoded_live == 0
    lm.generate_until([longer])
    assert lm.decoded_live == 1


def test_an_answer_ends_before_the_first_stop_string() -> None:
    assert cut_at("one Q: two\n\nthree", ["\n\n", "Q:", ""]) == "one "


def test_likelihoods_are_the_targets(make_lm: Callable[..., JudgeDecodingLM], pair: Pair) -> None:
    ids = torch.tensor([pair.tokenizer("ab")["input_ids"]])
    with torch.inference_mode():
        logits = pair.target(ids).logits[0, 0]
    expected = torch.log_softmax(logits, -1)[ids[0, 1]].item()
    [(score, greedy)] = make_lm("judge").loglikelihood([request("loglikelihood", "a", "b")])
    assert math.isclose(score, expected, rel_tol=1e-4)
    assert greedy == (logits.argmax() == ids[0, 1]).item()


def test_a_long_text_is_scored_in_windows(make_lm: Callable[..., JudgeDecodingLM]) -> None:
    lm = make_lm("target")
    text = "abc " * 300
    [score] = lm.loglikelihood_rolling([request("loglikelihood_rolling", text)])
    assert len(text) > lm.max_length
    assert -math.inf < score < 0


def test_a_local_task_scores_the_held_out_prompts_with_their_own_checker(
    make_lm: Callable[..., JudgeDecodingLM], pair: Pair, prompts: list[Prompt], tmp_path: Path
) -> None:
    answers = {
        p.id: recorded_answer(p, f"the answer is {i // 2}", pair) for i, p in enumerate(prompts)
    }
    recorded = {tuple(render_prompt(pair.tokenizer, p.text)): answers[p.id] for p in prompts}
    documents = write_documents(prompts, tmp_path)
    results = evaluate_decoder(
        make_lm(recorded=recorded, max_gen_toks=40),
        ["micro_word", "micro_code"],
        HarnessSettings(documents=documents),
        tmp_path,
    )
    for family in ("word", "code"):
        asked = [prompt for prompt in prompts if prompt.family == family]
        scores = results[f"micro_{family}"]
        assert scores.metric == "acc"
        assert scores.document_ids == tuple(prompt.id for prompt in asked)
        assert scores.scores == tuple(float(check(p, answers[p.id].text)) for p in asked)


def test_a_task_without_held_out_prompts_is_refused(
    make_lm: Callable[..., JudgeDecodingLM], prompts: list[Prompt], tmp_path: Path
) -> None:
    documents = write_documents(prompts, tmp_path)
    with pytest.raises(UserError, match=r"eval\.tasks: micro_choice"):
        evaluate_decoder(
            make_lm(), ["micro_choice"], HarnessSettings(documents=documents), tmp_path
        )


def test_local_tasks_are_known_without_a_scan() -> None:
    assert {"micro_word", "micro_code", "micro_choice", "llama3_gsm8k"} <= set(LOCAL_TASKS)
    check_tasks(["micro_word", "llama3_gsm8k"])


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(UserError, match="there is no task 'micro_wrod'"):
        check_tasks(["micro_wrod"])


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(UserError, match="there is no decoder 'greedy'"):
        JudgeDecodingLM(unreachable_pair, verifier="greedy")
