"""What a terminal shows, and what a file gets."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipelines.terminal import emphasised, print_results

TABLE = """
Judge decoding keeps 3 times as many draft tokens.

 decoder          right
 ───────────────────────
  Target alone    99.5 %
  Judge decoding  99.0 %
warning: unlike the calibration's
"""


def written(*, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, color_system="standard", width=60)
    console.print(emphasised(TABLE))
    return text.getvalue()


def test_a_terminal_gets_the_verdict_the_judges_row_and_warnings_emphasised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    lines = written(terminal=True).splitlines()
    assert lines[1].startswith("\x1b[1mJudge decoding keeps")
    assert lines[6].startswith("\x1b[1;32m  Judge decoding")
    assert lines[7].startswith("\x1b[33mwarning")
    assert "\x1b" not in lines[5]


def test_no_color_takes_the_colours_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = written(terminal=True)
    assert "[33m" not in text and "32m" not in text


def test_a_file_gets_the_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_results(TABLE)
    assert capsys.readouterr().out.splitlines() == TABLE.splitlines()
