"""Statistics of texts that a target was offered, against figures worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.acceptance import position_width, text_statistics
from evals.scored_text import (
    ScoredAnswer,
    kept_per_cycle,
    read_scores,
    run_lengths,
    score_file,
    score_files,
    write_scores,
)
from evals.text_examples import choose_answer, show_text
from judge_lightning.court.records import IGNORED

YES, NO = True, False

ONE = ScoredAnswer(
    text="own",
    prompt_id="p1",
    sample=0,
    token_ids=[10, 11, 12, 13],
    ranks=[1, 2, 1, 12],
    probabilities=[0.9, 0.2, 0.6, 0.01],
    labels=[1, 1, 1, 0],
    judge=[0.9, 0.8, 0.3, 0.1],
)
TWO = ScoredAnswer(
    text="own",
    prompt_id="p2",
    sample=0,
    token_ids=[20, 21, 22],
    ranks=[3, 1, 5],
    probabilities=[0.1, 0.8, 0.05],
    labels=[1, 0, IGNORED],
    judge=[0.2, 0.9, 0.7],
)


def test_a_rejection_ends_a_run_and_so_does_the_text() -> None:
    assert run_lengths([YES, YES, NO, NO, YES]) == [2, 0, 1]
    assert run_lengths([YES, NO]) == [1]
    assert run_lengths([YES, YES]) == [2]
    assert run_lengths([NO]) == [0]
    assert run_lengths([]) == []


def test_the_targets_own_token_stands_between_two_drafts() -> None:
    # Drafts of 3: (yes yes yes), then one of the target's, then (no), then (yes).
    assert kept_per_cycle([YES, YES, YES, YES, NO, YES], 3) == [3, 0, 1]
    # Without a rejection every (M + 1)-th token is the target's.
    assert kept_per_cycle([YES] * 8, 3) == [3, 3]
    assert kept_per_cycle([NO, NO], 3) == [0, 0]


def test_figures_are_those_worked_out_by_hand() -> None:
    found = text_statistics([ONE, TWO], draft_length=2, position_bin=2)
    assert (found.prompts, found.answers, found.tokens) == (2, 2, 7)
    assert (found.correct, found.mistakes) == (4, 2)
    assert found.standard.acceptance.value == pytest.approx(3 / 7)
    # ONE: yes no yes no -> runs 1, 1; TWO: no yes no -> runs 0, 1.
    assert found.standard.runs == {0: 1, 1: 3}
    assert found.standard.run.value == pytest.approx(3 / 4)
    # Drafts of 2: ONE: (yes no), (yes no); TWO: (no), (yes no).
    assert found.standard.accepted_per_cycle.value == pytest.approx(3 / 4)
    assert found.sampled.value == pytest.approx((0.9 + 0.2 + 0.6 + 0.01 + 0.1 + 0.8 + 0.05) / 7)
    # Rejected: ONE's 2nd (correct) and 4th (mistake), TWO's 1st (correct) and 3rd (unknown).
    assert (found.rejected, found.rejected_known) == (4, 3)
    assert found.rejected_correct is not None
    assert found.rejected_correct.value == pytest.approx(2 / 3)
    assert found.correct_rejected is not None
    assert found.correct_rejected.value == pytest.approx(2 / 4)
    assert found.mistakes_accepted is not None
    assert found.mistakes_accepted.value == pytest.approx(1 / 2)
    assert found.judge is None
    assert found.rescued is None


def test_the_judge_wins_back_what_it_is_sure_of() -> None:
    found = text_statistics([ONE, TWO], draft_length=2, position_bin=2, threshold=0.5)
    assert found.judge is not None
    # It keeps ONE's 2nd token and TWO's 3rd beside what the standard rule keeps.
    assert found.judge.acceptance.value == pytest.approx(5 / 7)
    assert found.judge.runs == {0: 1, 2: 1, 3: 1}
    assert found.rescued is not None
    assert found.rescued.value == pytest.approx(1 / 2)
    assert found.mistakes_kept is not None
    assert found.mistakes_kept.value == pytest.approx(1 / 2)


def test_tokens_are_grouped_by_rank_and_by_place() -> None:
    found = text_statistics([ONE, TWO], draft_length=2, position_bin=2, threshold=0.5)
    ranks = [(one.first, one.last, one.tokens, one.correct, one.mistakes) for one in found.by_rank]
    assert ranks == [(1, 1, 3, 2, 1), (2, 2, 1, 1, 0), (3, 3, 1, 1, 0), (4, 10, 1, 0, 0),
                     (11, None, 1, 0, 1)]  # fmt: skip
    assert [(one.kept_correct, one.kept_mistakes) for one in found.by_rank][:3] == [
        (2, 1),
        (1, 0),
        (0, 0),
    ]
    places = [(one.first, one.last, one.tokens, one.standard.value) for one in found.by_position]
    assert places == [(1, 2, 4, pytest.approx(2 / 4)), (3, 4, 3, pytest.approx(1 / 3))]


def test_the_standard_error_is_over_prompts_not_over_tokens() -> None:
    twice = [ONE, ONE, TWO, TWO]
    once, doubled = (
        text_statistics(rows, draft_length=2, position_bin=2) for rows in ([ONE, TWO], twice)
    )
    assert doubled.standard.acceptance.stderr == pytest.approx(once.standard.acceptance.stderr)
    assert doubled.standard.acceptance.n == 2


def test_without_labels_nothing_is_said_of_right_and_wrong() -> None:
    unknown = ScoredAnswer("own", "p", 0, [1, 2], [1, 2], [0.5, 0.5], [IGNORED, IGNORED])
    found = text_statistics([unknown], draft_length=2, position_bin=2)
    assert found.rejected_correct is None
    assert found.correct_rejected is None
    assert (found.correct, found.mistakes, found.rejected) == (0, 0, 1)


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one answer"):
        text_statistics([], draft_length=2, position_bin=2)


def test_long_texts_have_wider_groups_of_places() -> None:
    assert position_width(60) == 5
    assert position_width(130) == 10
    assert position_width(1000) == 100


def test_scores_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    write_scores(score_file(tmp_path, "own", 1), [TWO])
    write_scores(score_file(tmp_path, "own", 0), [ONE])
    write_scores(score_file(tmp_path, "own-2", 0), [TWO])
    assert list(read_scores(score_files(tmp_path, "own"))) == [ONE, TWO]


def test_the_shown_answer_is_the_first_with_a_mistake_else_the_first_with_a_rejection() -> None:
    clean = ScoredAnswer("own", "p3", 0, [1], [2], [0.5], [1])
    accepted = ScoredAnswer("own", "p4", 0, [1], [1], [0.5], [1])
    assert choose_answer([accepted, clean, TWO, ONE]) is TWO
    assert choose_answer([accepted, clean]) is clean
    assert choose_answer([accepted]) is None


def test_a_shown_token_tells_who_keeps_it_and_whether_it_is_correct() -> None:
    shown = show_text(ONE, "why?", 0.5, lambda ids: "".join(f"{token}." for token in ids))
    assert [token.text for token in shown.tokens] == ["10.", "11.", "12.", "13."]
    assert [token.fate for token in shown.tokens] == ["both", "judge", "standard", "rejected"]
    assert [token.correct for token in shown.tokens] == [True, True, True, False]
    plain = show_text(TWO, "why?", None, lambda ids: "".join(f"{token}." for token in ids))
    assert [token.fate for token in plain.tokens] == ["rejected", "both", "rejected"]
    assert plain.tokens[2].correct is None
