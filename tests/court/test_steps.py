"""An answer's steps are its lines and their sentences."""

from __future__ import annotations

import pytest

from judge_lightning.court.steps import step_spans


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("He eats 3. So 13 are left.", ["He eats 3.", "So 13 are left."]),
        ("first line\nsecond line\n\nA: 5", ["first line", "second line", "A: 5"]),
        ("It is $1.50 a pound. Is it much? Yes!", ["It is $1.50 a pound.", "Is it much?", "Yes!"]),
        ("about 3 p.m. he left", ["about 3 p.m. he left"]),
        ("  \n ", []),
        ("x", ["x"]),
    ],
)  # fmt: skip
def test_steps_are_lines_and_sentences(text: str, steps: list[str]) -> None:
    assert [text[start:end] for start, end in step_spans(text)] == steps
