"""Beside lm-eval's own ``hf`` model on the micro target: the same answers and likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lm_eval import evaluator
from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from evals.lm.model import JudgeDecodingLM
from evals.task_files import TASK_FOLDER
from judge_lightning.models.pair import Pair, load_pair

LIMIT = 4
LONGEST = 80
PARITY_TASKS = Path(__file__).parent / "parity_tasks"


@pytest.fixture(scope="module")
def micro() -> Pair:
    return load_pair("micro", device="cpu")


@pytest.fixture(scope="module")
def hf(micro: Pair) -> HFLM:
    return HFLM(pretrained=micro.target, tokenizer=micro.tokenizer, batch_size=2)


@pytest.fixture(scope="module")
def exact(micro: Pair) -> JudgeDecodingLM:
    return JudgeDecodingLM(lambda: micro, verifier="exact", draft_length=8, batch_size=3)


def evaluated(lm: LM, tasks: Sequence[str], folder: Path, **settings: Any) -> dict[str, Any]:
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    results = evaluator.evaluate(
        lm=lm,
        task_dict=manager.load([str(folder / f"{task}.yaml") for task in tasks]),
        limit=LIMIT,
        bootstrap_iters=0,
        **settings,
    )
    assert results is not None
    return results


@pytest.mark.parametrize("task", ["micro_word", "micro_code", "micro_choice"])
def test_exact_verification_answers_and_scores_as_hf_does(
    hf: HFLM, exact: JudgeDecodingLM, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HFLM, "max_gen_toks", LONGEST)
    monkeypatch.setattr(exact, "max_gen_toks", LONGEST)
    theirs = evaluated(hf, [task], TASK_FOLDER, apply_chat_template=True)
    ours = evaluated(exact, [task], TASK_FOLDER, apply_chat_template=True)
    assert ours["results"] == theirs["results"]
    for own, other in zip(ours["samples"][task], theirs["samples"][task], strict=True):
        assert own["resps"] == other["resps"]
        assert own["resps"][0][0].strip()
        assert own["arguments"] == other["arguments"]


@pytest.mark.parametrize("chat", [False, True])
def test_multiple_choice_by_likelihood_is_hfs(hf: HFLM, exact: JudgeDecodingLM, chat: bool) -> None:
    settings = {"apply_chat_template": chat}
    theirs = evaluated(hf, ["choice_likelihood"], PARITY_TASKS, **settings)
    ours = evaluated(exact, ["choice_likelihood"], PARITY_TASKS, **settings)
    samples = zip(
        ours["samples"]["choice_likelihood"], theirs["samples"]["choice_likelihood"], strict=True
    )
    for own, other in samples:
        for (logprob, greedy), (their_logprob, their_greedy) in zip(
            own["filtered_resps"], other["filtered_resps"], strict=True
        ):
            assert logprob == pytest.approx(their_logprob, abs=2e-4)
            assert greedy == their_greedy
    assert ours["results"] == theirs["results"]


def test_likelihoods_of_whole_texts_are_hfs(hf: HFLM, exact: JudgeDecodingLM) -> None:
    theirs = evaluated(hf, ["word_rolling"], PARITY_TASKS)
    ours = evaluated(exact, ["word_rolling"], PARITY_TASKS)
    for own, other in zip(
        ours["samples"]["word_rolling"], theirs["samples"]["word_rolling"], strict=True
    ):
        assert own["resps"][0][0] == pytest.approx(other["resps"][0][0], rel=1e-5)
