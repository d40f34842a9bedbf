"""Running the notebooks: what is refused before, and what a failing cell does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from judge_lightning.errors import UserError
from judge_lightning.runs import Run

SCRIPT = Path(__file__).parents[2] / "notebooks" / "run.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_run", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "quickstart" / "now", {"stages": {}}, {})


def write(path: Path, *code: str) -> Path:
    cells = [nbformat.v4.new_markdown_cell("# Title\n\nSee [rules](../docs/rules.md).")]
    cells += [nbformat.v4.new_code_cell(source) for source in code]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_without_a_run_the_command_says_how_to_make_one(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDGE_RUN", "nowhere")
    assert script.main(["--check"]) == 2
    assert "+exp=quickstart" in capsys.readouterr().err


def test_notebooks_are_chosen_by_the_beginning_of_their_names(script: ModuleType) -> None:
    assert [path.name[:2] for path in script.choose(["03", "01"])] == ["01", "03"]
    assert len(script.choose([])) == 4
    with pytest.raises(UserError, match="begins with '9'"):
        script.choose(["9"])


def test_a_notebook_that_fails_is_named_with_its_error(
    script: ModuleType, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "bad.ipynb", "answer = 1 / 0")
    before = path.read_bytes()
    assert not script.run_one(path, run, check=True)
    said = capsys.readouterr().err
    assert "bad.ipynb: failed" in said
    assert "ZeroDivisionError" in said
    assert path.read_bytes() == before


def test_a_rendered_copy_says_its_run_and_leaves_out_what_went_to_stderr(
    script: ModuleType, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "RENDERED", tmp_path / "docs")
    chart = '<svg><g class="mark-text role-title-text"><g><text>Kept [M]</text></g></g></svg>'
    executed = nbformat.read(write(tmp_path / "one.ipynb", "print(1)"), as_version=4)
    executed.cells[1].outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="shown\n"),
        nbformat.v4.new_output("stream", name="stderr", text="a warning\n"),
        nbformat.v4.new_output("display_data", {"image/svg+xml": chart}),
    ]
    page = script.render(executed, tmp_path / "one.ipynb", run)
    text = page.read_text(encoding="utf-8")
    assert "on `quickstart/now`" in text
    assert "shown" in text
    assert "a warning" not in text
    assert "](../rules.md)" in text
    assert "![Kept (M)](one_files/" in text
    assert [file.suffix for file in (tmp_path / "docs" / "one_files").iterdir()] == [".svg"]
