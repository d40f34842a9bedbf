"""The public benchmarks from local files, asked as in the Llama 3 report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.benchmarks import BENCHMARKS
from evals.harness import HarnessSettings, Sample, TaskScores, evaluate_decoder, read_samples
from evals.lm.model import JudgeDecodingLM
from evals.task_files import check_tasks, data_files, runs_code
from judge_lightning.errors import UserError
from judge_lightning.models.pair import Pair

SHARED = Path(
    os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[2].parent / "shared" / "data")
)
CONFIGS = Path(__file__).parents[2] / "conf" / "eval"
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """Twice the number."""\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n",
    "entry_point": "double",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function that doubles a number.",
    "code": "def double(x):\n    return 2 * x",
    "test_list": [f"assert double({n}) == {2 * n}" for n in (1, 2, 3)],
    "test_setup_code": "",
    "challenge_test_list": [],
}
ARC = {
    "id": "Mercury_1",
    "question": "Which is a planet?",
    "choices": {"text": ["Sun", "Moon", "Mars", "Sirius"], "label": ["1", "2", "3", "4"]},
    "answerKey": "3",
}
IFEVAL = {
    "key": 1000,
    "prompt": "Write in lower case, without commas.",
    "instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase"],
    "kwargs": [{}, {}],
}


def mmlu(subject: str, number: int, answer: int) -> dict[str, Any]:
    choices = [f"{subject} {letter}" for letter in "wxyz"]
    question = f"Question {number} of {subject}?"
    return {"question": question, "subject": subject, "choices": choices, "answer": answer}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    files = {
        "gsm8k_test": [
            {"question": f"What is {n} and {n}?", "answer": f"It is {2 * n}.\n#### {2 * n}"}
            for n in (1, 2)
        ],
        "HumanEval": [HUMANEVAL],
        "mbpp_test": [MBPP],
        "arc_challenge_test": [ARC],
        "mmlu_test": [mmlu("law", 1, 0), mmlu("art", 1, 3)],
        "mmlu_dev": [mmlu(subject, 10 + n, 1) for n in range(5) for subject in ("art", "law")],
        "ifeval": [IFEVAL],
    }
    for name, rows in files.items():
        lines = [json.dumps(row) + "\n" for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


TURNS = "{% for turn in messages %}<|{{ turn.role }}|>{{ turn.content }}{% endfor %}"


class Scripted(JudgeDecodingLM):
    """A decoder whose answers are known: a function of the prompt's text."""

    def __init__(self, pair: Pair, script: Callable[[str], str]) -> None:
        tokenizer = deepcopy(pair.tokenizer)
        tokenizer.chat_template = TURNS
        super().__init__(lambda: pair, verifier="target", tokenizer=tokenizer)
        self.script = script

    def _answer(self, prompt_ids: list[int], *_: Any) -> list[int]:
        text = self.script(str(self.tokenizer.decode(prompt_ids)))
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @property
    def max_length(self) -> int:
        return 100_000


@pytest.fixture
def evaluated(
    pair: Pair, data_dir: Path, tmp_path: Path
) -> Callable[..., tuple[TaskScores, list[Sample]]]:
    def run(
        task: str, script: Callable[[str], str], **settings: Any
    ) -> tuple[TaskScores, list[Sample]]:
        asked = HarnessSettings(data_dir=str(data_dir), **settings)
        scores = evaluate_decoder(Scripted(pair, script), [task], asked, tmp_path)[task]
        return scores, list(read_samples(tmp_path / f"answers-{task}-target.jsonl"))

    return run


Evaluated = Callable[..., tuple[TaskScores, list[Sample]]]


def test_gsm8k_has_eight_worked_examples_and_reads_the_last_number(evaluated: Evaluated) -> None:
    def script(prompt: str) -> str:
        return "So 1 + 1 = 2. The final answer is 2" if "1 and 1" in prompt else "I think 5."

    scores, samples = evaluated("llama3_gsm8k", script)
    assert scores.scores == (1.0, 0.0)
    assert scores.metric == "exact_match"
    assert samples[0].prompt.count("<|assistant|>") == 8
    assert samples[1].filtered == ["5."]


def test_the_number_of_examples_can_be_set(evaluated: Evaluated) -> None:
    _, samples = evaluated("llama3_gsm8k", lambda _: "2", num_fewshot=3, limit=1)
    assert samples[0].prompt.count("<|assistant|>") == 3
    assert len(samples) == 1


def test_arc_asks_for_a_letter_whatever_the_data_calls_its_options(evaluated: Evaluated) -> None:
    scores, samples = evaluated("llama3_arc_challenge", lambda _: " C.")
    assert scores.scores == (1.0,)
    assert "C. Mars" in samples[0].prompt
    assert samples[0].prompt.rstrip().endswith("The best answer is")


def test_mmlu_has_five_examples_of_the_documents_own_subject(evaluated: Evaluated) -> None:
    scores, samples = evaluated("llama3_mmlu", lambda _: " A")
    assert scores.scores == (1.0, 0.0)
    for sample, subject, other in zip(samples, ("law", "art"), ("art", "law"), strict=True):
        assert sample.prompt.count(f"of {subject}?") == 6
        assert f"of {other}?" not in sample.prompt


@pytest.mark.parametrize(
    ("body", "score"),
    [
        ("    return 2 * x\n```\nIt doubles.", 1.0),
        ("    return x + 3\n", 1.0),
        ("    return x\n", 0.0),
        ("    import os\n    os._exit(0)\n", 0.0),
    ],
)
def test_humanevals_tests_run_in_the_sandbox(evaluated: Evaluated, body: str, score: float) -> None:
    scores, samples = evaluated("llama3_humaneval", lambda _: body, allow_code=True)
    assert scores.scores == (score,)
    assert scores.metric == "pass@1"
    assert samples[0].id == "HumanEval/0"


@pytest.mark.parametrize(
    ("code", "score"),
    [("def double(x):\n    return 2 * x\n```\nthat is it", 1.0), ("def double(x):\n    pass", 0.0)],
)
def test_mbpps_assertions_run_in_the_sandbox(evaluated: Evaluated, code: str, score: float) -> None:
    scores, samples = evaluated("llama3_mbpp", lambda _: code, allow_code=True)
    assert scores.scores == (score,)
    assert "assert double(3) == 6" in samples[0].prompt


@pytest.mark.parametrize(("answer", "score"), [("all fine here.", 1.0), ("No, it is not.", 0.0)])
def test_ifeval_checks_every_instruction(
    evaluated: Evaluated,
    answer: str,
    score: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nltk = pytest.importorskip("nltk")
    pytest.importorskip("langdetect")
    # These instructions do not read it, but lm-eval fetches it where it is not there.
    (tmp_path / "tokenizers" / "punkt_tab").mkdir(parents=True)
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    scores, _ = evaluated("llama3_ifeval", lambda _: answer)
    assert scores.metric == "prompt_level_strict_acc"
    assert scores.scores == (score,)


def test_a_data_set_of_the_hub_is_read_where_there_is_no_folder(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder of the same layout stands in for the Hub, which tests cannot reach.
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "test.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    there = replace(BENCHMARKS["gsm8k"], hub=str(hub), subset=None)
    monkeypatch.setitem(BENCHMARKS, "gsm8k", there)
    lm = Scripted(pair, lambda _: "The final answer is 2")
    results = evaluate_decoder(lm, ["llama3_gsm8k"], HarnessSettings(), tmp_path)
    assert results["llama3_gsm8k"].scores == (1.0,)


def test_a_hub_that_cannot_be_reached_is_one_line(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = replace(BENCHMARKS["gsm8k"], hub=str(tmp_path / "nowhere"), subset=None)
    monkeypatch.setitem(BENCHMARKS, "gsm8k", there)
    lm = Scripted(pair, lambda _: "2")
    with pytest.raises(UserError, match=r"cannot be loaded .*files in eval\.data_dir"):
        evaluate_decoder(lm, ["llama3_gsm8k"], HarnessSettings(), tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
def test_published_files_are_read_as_they_are(pair: Pair, tmp_path: Path) -> None:
    settings = HarnessSettings(data_dir=str(SHARED), limit=3, allow_code=True)
    lm = Scripted(pair, lambda prompt: "    return None\n" if "```" in prompt else "18")
    results = evaluate_decoder(lm, ["llama3_gsm8k", "llama3_humaneval"], settings, tmp_path)
    assert results["llama3_gsm8k"].scores == (1.0, 0.0, 0.0)
    assert results["llama3_humaneval"].scores == (0.0, 0.0, 0.0)


def test_a_missing_data_file_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"eval\.data_dir: .* has no file gsm8k_test\.jsonl"):
        check_tasks(["llama3_gsm8k"], data_dir=str(tmp_path))


def test_examples_are_only_missed_where_the_prompt_has_some(data_dir: Path) -> None:
    (data_dir / "mmlu_dev.jsonl").unlink()
    with pytest.raises(UserError, match=r"has no file mmlu_dev\.jsonl"):
        check_tasks(["llama3_mmlu"], data_dir=str(data_dir))
    check_tasks(["llama3_mmlu"], data_dir=str(data_dir), num_fewshot=0)
    files = data_files(["llama3_mbpp", "micro_word"], str(data_dir))
    assert [file.name for file in files] == ["mbpp_test.jsonl"]


def test_a_broken_line_is_named(evaluated: Evaluated, data_dir: Path) -> None:
    with (data_dir / "gsm8k_test.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(UserError, match=r"gsm8k_test\.jsonl:3: cannot be read \(not JSON\)"):
        evaluated("llama3_gsm8k", lambda _: "2")


@pytest.mark.parametrize("task", ["llama3_humaneval", "llama3_mbpp"])
def test_code_is_not_run_without_consent(task: str) -> None:
    with pytest.raises(UserError, match=r"eval\.allow_code: .* eval\.allow_code=true"):
        check_tasks([task])
    check_tasks([task], allow_code=True)


def test_lm_evals_own_code_tasks_are_refused_because_they_have_no_sandbox() -> None:
    assert runs_code("humaneval_instruct")
    with pytest.raises(UserError, match="without a sandbox; use llama3_humaneval"):
        check_tasks(["humaneval_instruct"], allow_code=True)


@pytest.mark.parametrize(
    ("task", "nearest"), [("micro_wrod", "micro_word"), ("llama3_gsmk", "llama3_gsm8k")]
)
def test_an_unknown_task_is_refused_with_the_nearest_names(task: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f"there is no task '{task}'; did you mean .*{nearest}"):
        check_tasks([task])


def test_every_benchmark_has_a_task() -> None:
    from evals.task_files import LOCAL_TASKS, benchmark_of

    assert {benchmark_of(task) for task in LOCAL_TASKS} - {None} == set(BENCHMARKS)


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_configuration_names_tasks_that_there_are(config: Path) -> None:
    tasks = yaml.safe_load(config.read_text(encoding="utf-8"))["tasks"]
    check_tasks([task for task in tasks if "ifeval" not in task], allow_code=True)


def test_ifeval_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    nltk = pytest.importorskip("nltk")
    pytest.importorskip("langdetect")
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(UserError, match=r"punkt_tab.*nltk\.downloader punkt_tab"):
        check_tasks(["llama3_ifeval"])
