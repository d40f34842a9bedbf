"""Where compiled code is kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from judge_lightning.decoding.compiler import keep_compiled_code

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


@pytest.mark.parametrize("before", [None, str(Path(tempfile.gettempdir()) / "torchinductor_me")])
def test_compiled_code_is_kept_in_the_users_cache_folder(
    before: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, before or "")
    if before is None:
        monkeypatch.delenv(VARIABLE)
    keep_compiled_code()
    assert os.environ[VARIABLE] == str(tmp_path / "judge-lightning" / "inductor")


def test_a_folder_that_the_user_names_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/somewhere/else")
    keep_compiled_code()
    assert os.environ[VARIABLE] == "/somewhere/else"
