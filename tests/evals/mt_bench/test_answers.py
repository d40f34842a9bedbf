"""Every decoder goes on from its own first answer, question by question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evals.comparison import Bench, Comparison, run_comparison
from evals.decoders import DECODERS
from evals.generations import Timing, read_rows
from evals.mt_bench.answers import TOO_LONG, Answer, messages_of, plan_dialogues, read_answers
from evals.mt_bench.questions import BenchQuestion
from evals.side_by_side import SideBySide
from judge_lightning.court.chat.local import render_messages
from judge_lightning.crew import Alone

Questions = list[BenchQuestion]


def answer_all(
    comparison: Comparison, questions: Questions, folder: Path, sampling: str = "greedy"
) -> dict[tuple[str, str, int], Answer]:
    folder.mkdir(exist_ok=True)
    list(run_comparison(comparison, plan_dialogues(questions, folder, sampling), Alone()))
    return {(row.question, row.decoder, row.turn): row for row in read_answers(folder)}


def test_every_decoder_answers_both_turns_of_every_question(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    answers = answer_all(comparison, questions, tmp_path)
    assert set(answers) == {
        (question.id, decoder, turn)
        for question in questions
        for decoder in DECODERS
        for turn in (1, 2)
    }
    timed = [row for path in tmp_path.glob("timings-*") for row in read_rows(path, Timing)]
    assert {(row.prompt_id, row.decoder) for row in timed} == {
        (f"{question}/{turn}", decoder) for question, decoder, turn in answers
    }


def test_the_second_turn_follows_the_decoders_own_first_answer(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    answers = answer_all(comparison, questions[:1], tmp_path)
    bench = Bench(comparison)
    for decoder in DECODERS:
        first, second = answers["81", decoder, 1], answers["81", decoder, 2]
        ids = render_messages(bench.pair.tokenizer, messages_of(questions[0], 2, [first.text]))
        again = bench.decoders[decoder].generate(torch.tensor([ids]), max_new_tokens=10)
        assert second.token_ids == again.sequences[0, len(ids) :].tolist()
        assert second.prompt_tokens == len(ids)
    assert answers["81", "draft", 1].text != answers["81", "target", 1].text


def test_standard_decoding_talks_as_the_target_alone_does(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    answers = answer_all(comparison, questions, tmp_path)
    for question in questions:
        for turn in (1, 2):
            exact, target = (answers[question.id, name, turn] for name in ("exact", "target"))
            assert exact.token_ids == target.token_ids


def test_traces_are_those_of_the_answers(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    for (_, decoder, _), row in answer_all(comparison, questions, tmp_path).items():
        if decoder in ("target", "draft"):
            assert row.trace is None
            continue
        written = [
            token
            for cycle in row.trace["cycles"]
            for token in [*cycle["proposed"][: cycle["accepted"]], cycle["next_token"]]
            if token is not None
        ]
        assert written == row.token_ids


def test_what_is_written_is_not_answered_again(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    answer_all(comparison, questions, tmp_path / "whole")
    answer_all(comparison, questions[:2], tmp_path / "part")
    kept = tmp_path / "part" / "answers-00000.jsonl"
    written = kept.stat().st_mtime_ns
    answer_all(comparison, questions, tmp_path / "part")
    assert kept.stat().st_mtime_ns == written
    for path in sorted((tmp_path / "whole").glob("answers-*")):
        assert (tmp_path / "part" / path.name).read_bytes() == path.read_bytes()


def test_answers_without_their_timings_are_answered_again(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    answer_all(comparison, questions[:1], tmp_path)
    (tmp_path / "timings-00000.jsonl").unlink()
    answer_all(comparison, questions[:1], tmp_path)
    assert (tmp_path / "timings-00000.jsonl").is_file()


def test_categories_are_sampled_at_their_temperature_and_reproducibly(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    greedy = answer_all(comparison, questions, tmp_path / "greedy")
    sampled = answer_all(comparison, questions, tmp_path / "sampled", "category")
    again = answer_all(comparison, questions, tmp_path / "again", "category")
    assert sampled == again
    assert sampled["81", "target", 1].token_ids != greedy["81", "target", 1].token_ids
    assert sampled["111", "judge", 2] == greedy["111", "judge", 2]


@pytest.mark.parametrize(("lengths", "missing"), [((1200, 5), {1, 2}), ((5, 1200), {2})])
def test_a_turn_longer_than_the_context_is_left_out_and_named(
    comparison: Comparison, tmp_path: Path, lengths: tuple[int, int], missing: set[int]
) -> None:
    question = BenchQuestion("long", "writing", ("a" * lengths[0], "b" * lengths[1]))
    answers = answer_all(comparison, [question], tmp_path)
    for decoder in DECODERS:
        for turn in (1, 2):
            row = answers["long", decoder, turn]
            assert row.problem == (TOO_LONG if turn in missing else "")
            assert bool(row.token_ids) == (turn not in missing)


def test_several_processes_write_what_one_writes(
    comparison: Comparison, questions: Questions, tmp_path: Path
) -> None:
    comparison = replace(comparison, decoders=("target", "judge"))
    one = answer_all(comparison, questions, tmp_path / "one")
    (tmp_path / "two").mkdir()
    dialogues = plan_dialogues(questions, tmp_path / "two", "greedy")
    assert len(list(run_comparison(comparison, dialogues, SideBySide([None, None])))) == len(
        questions
    )
    assert list(one.values()) == read_answers(tmp_path / "two")
