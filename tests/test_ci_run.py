"""``.ci/run`` before its first check: pages are tested in a browser, or somebody has said no."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "run"
SHELL = shutil.which("bash") or "bash"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs in which nobody is root, every check passes, and no browser is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "dirname").symlink_to(shutil.which("dirname") or "dirname")
    for name, line in (("id", "echo 1000"), ("make", "echo made $1")):
        add(folder, name, line)
    return folder


def add(folder: Path, name: str, line: str = "") -> Path:
    program = folder / name
    program.write_text(f"#!{SHELL}\n{line}\n")
    program.chmod(0o755)
    return program


def run(programs: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(programs), **variables}
    return subprocess.run(
        [SHELL, SCRIPT], env=environment, capture_output=True, text=True, check=False
    )


def test_without_a_browser_it_fails_before_anything_and_says_what_to_do(programs: Path) -> None:
    answer = run(programs)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "NO BROWSER" in answer.stderr
    assert "ALLOW_NO_BROWSER=1" in answer.stderr


def test_without_a_browser_it_goes_on_where_that_is_allowed_and_still_says_so(
    programs: Path,
) -> None:
    answer = run(programs, ALLOW_NO_BROWSER="1")
    assert answer.returncode == 0
    assert "NO BROWSER" in answer.stderr
    assert "made test" in answer.stdout


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_the_tests_find_is_enough(programs: Path, name: str) -> None:
    add(programs, name)
    answer = run(programs)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_browser_that_is_named_is_the_one_that_must_be_there(
    programs: Path, tmp_path: Path
) -> None:
    add(programs, "chromium")
    named = tmp_path / "browser"
    assert run(programs, CHROMIUM=str(named)).returncode == 1
    add(tmp_path, "browser")
    assert run(programs, CHROMIUM=str(named)).returncode == 0
