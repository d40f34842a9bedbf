"""The benchmark of reading prompts prints what it measured."""

from __future__ import annotations

import sys

import pytest

from benchmarks import prompt_sources


def test_all_random_prompts_are_kept_even_when_near_duplicates_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["prompt_sources", "--prompts", "60", "--near-duplicates", "0.8"]
    )

    prompt_sources.main()

    assert capsys.readouterr().out.startswith("60 prompts, near duplicates 0.8: ")
