"""The two stages: answers that are written once, grades that are asked for once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.mt_bench.questions import BenchQuestion
from evals.mt_bench.results import Results, read_results
from judge_lightning.errors import UserError
from pipelines.config import ChatConfig, MTBenchConfig, RunConfig
from pipelines.stage import StageContext
from pipelines.stages.mt_answers import MTAnswers
from pipelines.stages.mt_bench import MTBench
from tests.evals.mt_bench.conftest import GraderServer, write_questions
from tests.evals.tiny_run import run, tiny_run

KEY = "sk-secret-0123456789"
Start = Callable[..., StageContext]


def bench_run(pair_folder: Path, template: Path, questions_file: Path) -> RunConfig:
    """Three questions, ten tokens an answer; the grader is somewhere."""
    config = tiny_run(pair_folder)
    config.pair.chat_template = str(template)
    config.mt_bench = MTBenchConfig(
        name="test",
        grader=ChatConfig(
            "endpoint",
            "grader-1",
            "http://localhost/v1",
            "GRADER_KEY",
            concurrency=2,
            retries=0,
            timeout_seconds=30.0,
            prompt_price=2.0,
            completion_price=10.0,
        ),
        path=str(questions_file),
        max_new_tokens=10,
        ask_again=1,
    )
    return config


@pytest.fixture
def config(
    pair_folder: Path, template: Path, questions_file: Path, server: GraderServer, monkeypatch: Any
) -> RunConfig:
    monkeypatch.setenv("GRADER_KEY", KEY)
    config = bench_run(pair_folder, template, questions_file)
    assert config.mt_bench.grader is not None
    config.mt_bench.grader.base_url = server.base_url
    return config


@pytest.fixture(scope="module")
def answers(
    pair_folder: Path,
    template: Path,
    questions: list[BenchQuestion],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The answers' artifact."""
    folder = tmp_path_factory.mktemp("answered")
    file = write_questions(folder / "questions.jsonl", questions)
    config = bench_run(pair_folder, template, file)
    return run(MTAnswers(), config, folder / "answers", calibrate=folder).work


@pytest.fixture
def grade(config: RunConfig, answers: Path, tmp_path: Path) -> Start:
    def start(**changes: Any) -> StageContext:
        changed = replace(config, mt_bench=replace(config.mt_bench, **changes))
        return run(MTBench(), changed, tmp_path / "grades", mt_answers=answers)

    return start


def verdict(messages: list[dict[str, str]]) -> tuple[int, str]:
    """Five, or the first one shown."""
    return 200, "[[A]]" if "Assistant B" in messages[1]["content"] else "[[5]]"


def results_of(context: StageContext) -> Results:
    return read_results(context.work / "results.json")


def test_answers_are_written_with_their_questions_and_measured(
    config: RunConfig, questions: list[BenchQuestion], tmp_path: Path
) -> None:
    context = run(MTAnswers(), config, tmp_path / "answers", calibrate=tmp_path)
    saved = (context.work / "questions.jsonl").read_text().splitlines()
    assert [BenchQuestion(**json.loads(line)) for line in saved] == questions
    metrics = context.recorder.values  # type: ignore[attr-defined]
    assert metrics["left_out"] == 0
    assert metrics["judge/turn_1/accepted_per_cycle"] >= 0
    assert metrics["judge/turn_2/answers"] == 3
    assert context.volatile == {path.name for path in context.work.glob("timings-*")}


def test_a_turn_that_does_not_fit_is_named(
    config: RunConfig, questions_file: Path, tmp_path: Path, capsys: Any
) -> None:
    with questions_file.open("a") as file:
        row = {"question_id": 999, "category": "writing", "turns": ["Why?", "x" * 2000]}
        file.write(json.dumps(row) + "\n")
    run(MTAnswers(), config, tmp_path / "answers", calibrate=tmp_path)
    assert "4 of 32 answers left out, longer than the context: 999 (turn 2)" in (
        capsys.readouterr().out
    )


def test_questions_of_which_none_fits_are_refused(
    config: RunConfig, questions_file: Path, tmp_path: Path
) -> None:
    row = {"question_id": 1, "category": "writing", "turns": ["x" * 2000, "Why?"]}
    questions_file.write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match="every question is longer than the context"):
        run(MTAnswers(), config, tmp_path / "answers", calibrate=tmp_path)


def test_every_answer_is_graded_and_compared(grade: Start, server: GraderServer) -> None:
    server.script = verdict
    results = results_of(grade())
    assert results.questions == 3
    assert {name: scores.all.value for name, scores in results.scores.items()} == dict.fromkeys(
        ("target", "draft", "exact", "judge"), 5.0
    )
    draft, exact = results.matches["draft"], results.matches["exact"]
    # Whoever is shown first wins, so nobody does.
    assert (draft.wins, draft.ties, draft.losses, draft.disagreed) == (0, 6, 0, 6)
    assert (exact.ties, exact.identical) == (6, 6)
    assert results.ungraded == []


def test_what_grading_took_is_counted(grade: Start, server: GraderServer) -> None:
    server.script = verdict
    usage = json.loads((grade().work / "usage.json").read_text())
    calls = len(server.requests)
    assert (usage["requests"], usage["prompt_tokens"]) == (calls, 100 * calls)
    assert usage["cost"] == pytest.approx(calls * (100 * 2.0 + 10 * 10.0) / 1e6)


def test_no_conversation_is_asked_about_twice(grade: Start, server: GraderServer) -> None:
    server.script = verdict
    grade()
    assert len(server.asked()) == len(set(server.asked()))


def test_an_endpoint_that_dies_half_way_costs_nothing_that_was_answered(
    grade: Start, server: GraderServer
) -> None:
    def dies(messages: list[dict[str, str]]) -> tuple[int, str]:
        return verdict(messages) if len(server.requests) <= 10 else (500, "")

    server.script = dies
    with pytest.raises(UserError, match="what was answered is kept"):
        grade()
    answered = server.asked()[:10]
    server.requests.clear()
    server.script = verdict
    undisturbed = results_of(grade())
    assert not set(answered) & set(server.asked())
    assert undisturbed.ungraded == []
    assert undisturbed.scores["judge"].all.value == 5.0


def test_too_many_replies_without_a_grade_end_the_run_and_are_named(
    grade: Start, server: GraderServer
) -> None:
    server.script = lambda messages: (200, "Nice.")
    with pytest.raises(UserError) as error:
        grade()
    assert re.search(
        r"of 42 verdicts are missing \(no grade in the reply: \d+", error.value.problem
    )
    assert "question 81, turn 1, target" in error.value.problem
    assert "mt_bench.max_ungraded" in error.value.remedy


def test_replies_without_a_grade_can_be_accepted_and_are_never_a_number(
    grade: Start, server: GraderServer
) -> None:
    server.script = lambda messages: (200, "Nice.")
    results = results_of(grade(max_ungraded=1.0, grading=["single"]))
    assert results.scores["judge"].all.value is None
    assert results.scores["judge"].ungraded == 6
    assert len(results.ungraded) == 24
    assert results.matches == {}


def test_silence_is_named(grade: Start, server: GraderServer, config: RunConfig) -> None:
    assert config.mt_bench.grader is not None
    config.mt_bench.grader.timeout_seconds = 0.2
    server.script = lambda messages: (
        None if "turn 2" not in messages[1]["content"] else verdict(messages)
    )
    with pytest.raises(UserError, match=r"timed out: \d+"):
        grade(grading=["single"])


def test_the_key_is_nowhere_in_what_is_kept(grade: Start, server: GraderServer) -> None:
    server.script = verdict
    work = grade().work
    for path in work.rglob("*"):
        if path.is_file():
            assert KEY not in path.read_text()


def test_a_local_grader_is_asked_once_too(
    grade: Start, config: RunConfig, server: GraderServer, tmp_path: Path
) -> None:
    local = ChatConfig("local", "target")
    first = grade(grader=local, grading=["single"], grade_tokens=8, max_ungraded=1.0)
    journal = tmp_path / "grades" / "scratch" / "replies.jsonl"
    kept = journal.read_bytes()
    again = grade(grader=local, grading=["single"], grade_tokens=8, max_ungraded=1.0)
    assert kept
    assert journal.read_bytes() == kept
    assert results_of(again) == results_of(first)
    assert server.requests == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"path": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"decoders": ["judge"]}, "mt_bench.decoders"),
        ({"decoders": ["target", "jugde"]}, "mt_bench.decoders"),
        ({"categories": ["maths"]}, "mt_bench.categories"),
        ({"questions": 0}, "mt_bench.questions"),
        ({"sampling": "hot"}, "mt_bench.sampling"),
        ({"max_new_tokens": 0}, "mt_bench.max_new_tokens"),
    ],
)
def test_answers_that_cannot_be_meant_are_refused_before_work(
    config: RunConfig, change: dict[str, Any], field: str
) -> None:
    config.mt_bench = replace(config.mt_bench, **change)
    with pytest.raises(UserError) as error:
        MTAnswers().validate(config)
    assert error.value.field == field


def test_an_engine_that_is_greedy_alone_does_not_sample(config: RunConfig) -> None:
    config.engine.kind = "compiled"
    config.mt_bench.sampling = "category"
    with pytest.raises(UserError, match="greedily alone") as error:
        MTAnswers().validate(config)
    assert "mt_bench.sampling=greedy" in error.value.remedy


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"grading": ["triple"]}, "mt_bench.grading"),
        ({"grading": []}, "mt_bench.grading"),
        ({"ask_again": -1}, "mt_bench.ask_again"),
        ({"grade_tokens": 0}, "mt_bench.grade_tokens"),
        ({"max_ungraded": 2.0}, "mt_bench.max_ungraded"),
        ({"grader": ChatConfig("endpoint", "m")}, "mt_bench.grader.base_url"),
        ({"grader": ChatConfig("endpoint", "")}, "mt_bench.grader.model"),
        ({"grader": ChatConfig("phone")}, "mt_bench.grader.kind"),
        (
            {"grader": ChatConfig("endpoint", "m", "http://localhost/v1", "NO_SUCH_KEY")},
            "mt_bench.grader.api_key_env",
        ),
    ],
)
def test_graders_that_cannot_be_meant_are_refused_before_work(
    config: RunConfig, change: dict[str, Any], field: str
) -> None:
    config.mt_bench = replace(config.mt_bench, **change)
    with pytest.raises(UserError) as error:
        MTBench().validate(config)
    assert error.value.field == field


def test_another_grader_asks_again_but_decodes_nothing_again(config: RunConfig) -> None:
    before = MTAnswers().settings(config), MTBench().settings(config)
    assert config.mt_bench.grader is not None
    config.mt_bench.grader.model = "grader-2"
    after = MTAnswers().settings(config), MTBench().settings(config)
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_what_changes_no_answer_is_no_part_of_a_key(config: RunConfig) -> None:
    before = MTAnswers().settings(config), MTBench().settings(config)
    assert config.mt_bench.grader is not None
    config.mt_bench.grader = replace(
        config.mt_bench.grader, base_url="http://elsewhere/v1", retries=9, prompt_price=1.0
    )
    config.mt_bench.max_ungraded, config.mt_bench.batch_size = 0.5, 1
    assert (MTAnswers().settings(config), MTBench().settings(config)) == before


def test_a_run_without_a_grader_has_no_such_stages(config: RunConfig) -> None:
    config.mt_bench.grader = None
    assert not MTAnswers().wanted(config)
    assert not MTBench().wanted(config)
