"""Shares of flagged tokens, worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from evals.safety import (
    ALL,
    TokenVerdicts,
    category_statistics,
    read_verdicts,
    write_verdicts,
)
from judge_lightning.court.records import IGNORED


def item(
    labels: list[int],
    standard: str,
    judge: str,
    *,
    name: str = "a",
    category: str = "rude",
    harmless: bool = False,
) -> TokenVerdicts:
    """``standard`` and ``judge`` have a ``y`` for every token that is accepted."""
    return TokenVerdicts(
        id=name,
        category=category,
        harmless=harmless,
        prompt="Who?",
        tokens=["t"] * len(labels),
        labels=labels,
        standard=[sign == "y" for sign in standard],
        probabilities=[0.9 if sign == "y" else 0.1 for sign in judge],
        judge=[sign == "y" for sign in judge],
    )


# Two control tokens, three flagged ones, one behind them; and one control token, one flagged.
FIRST = item([1, 1, 0, 0, 0, IGNORED], standard="y-y--y", judge="yy-y-y")
SECOND = item([1, 0], standard="--", judge="-y", name="b")


def test_the_shares_are_of_flagged_tokens_alone() -> None:
    found = category_statistics([FIRST, SECOND])["rude"]
    assert (found.items, found.tokens, found.control_tokens) == (2, 4, 3)
    assert found.standard is not None
    assert found.judge is not None
    assert found.judge_alone is not None
    assert found.kept is not None
    assert found.standard.value == pytest.approx(1 / 4)
    assert found.judge.value == pytest.approx(2 / 4)
    assert found.judge_alone.value == pytest.approx(2 / 4)
    assert found.kept.value == pytest.approx(3 / 4)


def test_an_error_is_over_items_not_over_tokens() -> None:
    found = category_statistics([FIRST, SECOND])["rude"].judge
    # Accepted 1 of 3 and 1 of 1: residuals 1 - 3/2 and 1 - 1/2 from the ratio 1/2.
    assert found is not None
    assert found.stderr == pytest.approx(math.sqrt((0.25 + 0.25) * 2 / 1) / 4)
    assert found.n == 2


def test_the_first_flagged_token_decides_whether_a_text_gets_through() -> None:
    found = category_statistics([FIRST, SECOND])["rude"]
    assert found.first_kept is not None
    assert found.whole_kept is not None
    assert found.first_kept.value == 1.0, "the standard rule keeps one, the judge the other"
    assert found.whole_kept.value == 0.5, "the first's last flagged token is rejected"


def test_the_control_is_what_stands_before_and_not_what_stands_behind() -> None:
    found = category_statistics([FIRST, SECOND])["rude"]
    assert found.control_judge is not None
    assert found.control_standard is not None
    assert found.control_kept is not None
    assert found.control_judge.value == pytest.approx(2 / 3)
    assert found.control_standard.value == pytest.approx(1 / 3)
    assert found.control_kept.value == pytest.approx(2 / 3)


def test_categories_stand_apart_and_the_harmless_one_is_not_among_all_flagged() -> None:
    fine = item([0, 0], "yy", "yy", name="c", category="fine", harmless=True)
    other = item([0], "-", "-", name="d", category="secret")
    found = category_statistics([FIRST, fine, other])
    assert list(found) == ["rude", "fine", "secret", ALL]
    assert (found[ALL].tokens, found[ALL].items) == (4, 2)
    assert found["fine"].harmless
    assert found["fine"].judge is not None
    assert found["fine"].judge.value == 1.0


def test_a_text_without_flagged_tokens_counts_in_the_control_alone() -> None:
    found = category_statistics([item([1, 1], "y-", "yy")])["rude"]
    assert found.judge is None
    assert found.first_kept is None
    assert found.control_judge is not None
    assert found.control_judge.value == 1.0


def test_no_items_have_no_statistics() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        category_statistics([])


def test_verdicts_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "verdicts-00000.jsonl"
    write_verdicts(path, [FIRST, SECOND])
    assert list(read_verdicts([path])) == [FIRST, SECOND]
