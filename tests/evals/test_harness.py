"""lm-evaluation-harness sees each decoder as one model, offline."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval.api.registry
import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager

from evals.decoders import DECODERS
from evals.generations import Generation
from evals.harness import HarnessSettings, evaluate_decoder, read_samples
from evals.lm.answering import Asked, asked_of, cut_at
from evals.lm.model import JudgeDecodingLM
from evals.task_files import LOCAL_TASKS, TASK_FOLDER, check_tasks
from evals.tasks.documents import write_documents
from judge_lightning.court.checkers import check
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError
from judge_lightning.models.pair import Pair


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
        verifier="target",
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


def test_an_answer_is_not_decoded_beyond_its_stop_string(
    make_lm: Callable[..., JudgeDecodingLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    for decoder in ("target", "exact"):
        lm = make_lm(decoder)
        whole = lm.generate_until([request("generate_until", "A problem", {"until": []})])[0]
        lengths: list[int] = []
        answer = lm._answer

        def watched(*given: Any, answer: Any = answer, lengths: list[int] = lengths) -> list[int]:
            token_ids: list[int] = answer(*given)
            lengths.append(len(token_ids))
            return token_ids

        monkeypatch.setattr(lm, "_answer", watched)
        stop = whole[3:5]
        stopped = lm.generate_until([request("generate_until", "A problem", {"until": [stop]})])[0]
        assert stopped == cut_at(whole, [stop])
        assert lengths[0] < len(lm.tokenizer(whole)["input_ids"])


@pytest.mark.parametrize(
    ("own", "settings", "expected"),
    [
        (None, {"max_gen_toks": 5, "until": ["Q:"]}, Asked(5, ("Q:",))),
        (None, {"do_sample": True, "temperature": 0.7}, Asked(9, (), 0.7)),
        (None, {"do_sample": True}, Asked(9, (), 1.0)),
        (None, {"do_sample": False, "temperature": 0.7}, Asked(9)),
        (None, {"temperature": 0.7, "top_p": 0.9, "top_k": 5}, Asked(9, (), 0.7, 5, 0.9)),
        (0.0, {"do_sample": True, "temperature": 0.7}, Asked(9)),
        (0.3, {"do_sample": False}, Asked(9, (), 0.3)),
    ],
)
def test_a_task_says_how_tokens_are_drawn_where_the_decoders_temperature_is_not_set(
    own: float | None, settings: dict[str, Any], expected: Asked
) -> None:
    assert asked_of(settings, 9, own) == expected


def test_sampled_answers_depend_on_the_seed_and_on_the_repeat_alone(
    make_lm: Callable[..., JudgeDecodingLM],
) -> None:
    settings = {"do_sample": True, "temperature": 1.0, "top_p": 0.95}
    requests = [request("generate_until", "A problem", settings)] * 2
    first, again = make_lm("exact").generate_until(requests)
    assert first != again
    assert make_lm("exact").generate_until(requests) == [first, again]
    assert make_lm("exact", seed=1).generate_until(requests)[0] != first


def test_a_registered_rule_is_a_verifier(make_lm: Callable[..., JudgeDecodingLM]) -> None:
    greedy = request("generate_until", "A problem", {})
    ruled = make_lm({"top_k": {"k": 1}})
    assert ruled.generate_until([greedy]) == make_lm("target").generate_until([greedy])
    assert make_lm("block_verification").decoder == "block_verification"


def test_a_verifier_with_a_judge_in_it_needs_one() -> None:
    with pytest.raises(UserError, match="judge: judge was given no judge"):
        JudgeDecodingLM(unreachable_pair, verifier="judge")


def test_batches_do_not_change_likelihoods(make_lm: Callable[..., JudgeDecodingLM]) -> None:
    pairs = [("A problem:", " 12"), ("A", " longer continuation"), ("", "b"), ("A problem:", " 13")]
    requests = [request("loglikelihood", *pair) for pair in pairs]
    one_by_one = [make_lm("target").loglikelihood([each])[0] for each in requests]
    for size in (1, 3, "auto"):
        together = make_lm("target", batch_size=size).loglikelihood(requests)
        assert [greedy for _, greedy in together] == [greedy for _, greedy in one_by_one]
        for (score, _), (expected, _) in zip(together, one_by_one, strict=True):
            assert math.isclose(score, expected, rel_tol=1e-4)


def test_a_document_longer_than_the_context_is_refused_or_cut(
    make_lm: Callable[..., JudgeDecodingLM],
) -> None:
    short, long = "abc", "abc " * 400
    both = [request("generate_until", text, {"max_gen_toks": 2}) for text in (short, long)]
    with pytest.raises(UserError, match="1 of 2 documents are longer than the context of 1024"):
        make_lm("exact").generate_until(both)
    with pytest.raises(UserError, match="1 of 1 documents are longer"):
        make_lm("exact").loglikelihood([request("loglikelihood", long, "d")])
    cut = make_lm("exact", truncate=True)
    assert len(cut.generate_until(both)) == 2
    assert len(cut.loglikelihood([request("loglikelihood", long, "d")])) == 1


def test_the_log_holds_what_was_asked_answered_and_read_from_the_answer(
    make_lm: Callable[..., JudgeDecodingLM], pair: Pair, prompts: list[Prompt], tmp_path: Path
) -> None:
    settings = HarnessSettings(
        documents=write_documents(prompts, tmp_path), limit=2, system_instruction="Be brief."
    )
    results = evaluate_decoder(make_lm(), ["micro_word"], settings, tmp_path)
    samples = list(read_samples(tmp_path / "answers-micro_word-judge.jsonl"))
    assert [sample.id for sample in samples] == ["word-0", "word-1"]
    assert [sample.score for sample in samples] == list(results["micro_word"].scores)
    rendered = make_lm().apply_chat_template([{"role": "system", "content": "Be brief."}])
    assert rendered.split("<|assistant|>")[0] in samples[0].prompt
    assert samples[0].answers == samples[0].filtered != [""]


def test_the_harness_own_cache_of_requests_works_with_the_model(
    make_lm: Callable[..., JudgeDecodingLM],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(tmp_path))
    manager = TaskManager(include_path=str(TASK_FOLDER), include_defaults=False)
    results = [
        simple_evaluate(
            make_lm("target"),
            tasks=["micro_choice"],
            task_manager=manager,
            limit=2,
            bootstrap_iters=0,
            cache_requests=True,
            apply_chat_template=True,
            use_cache=str(tmp_path / "answers"),
        )
        for _ in range(2)
    ]
    assert list(tmp_path.glob("requests-micro_choice*"))
    first, second = [result["samples"]["micro_choice"] for result in results if result]
    assert [one["resps"] for one in first] == [one["resps"] for one in second]
