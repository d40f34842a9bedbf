"""What is in git: notebooks without outputs, and rendered copies that are not stale."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
RENDERED = ROOT / "docs" / "notebooks"
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((\.\./docs/[^)#]+)")
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
_MOST_BYTES = 2_000_000


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_of(path: Path) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == "code"]


def test_there_are_four() -> None:
    assert [path.name[:2] for path in PATHS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
class TestEach:
    def test_is_a_valid_notebook_with_cell_ids_of_its_own(self, path: Path) -> None:
        notebook = read(path)
        nbformat.validate(notebook)
        ids = [cell.id for cell in notebook.cells]
        assert len(ids) == len(set(ids))
        assert notebook.metadata.kernelspec.name == "python3"

    def test_has_neither_outputs_nor_execution_counts(self, path: Path) -> None:
        code = [cell for cell in read(path).cells if cell.cell_type == "code"]
        assert all(not cell.outputs and cell.execution_count is None for cell in code)

    def test_opens_with_its_question_and_ends_with_what_to_try_next(self, path: Path) -> None:
        cells = read(path).cells
        assert cells[0].source.startswith("# ")
        assert "**The question:**" in cells[0].source
        assert cells[-1].cell_type == "markdown"
        assert any(cell.source.startswith("## What was found") for cell in cells)

    def test_takes_its_run_from_the_environment(self, path: Path) -> None:
        assert 'RUN = os.environ.get("JUDGE_RUN", "outputs/latest")' in code_of(path)[0]

    def test_uses_nothing_before_it_is_made(self, path: Path) -> None:
        made = set(dir(builtins))
        for source in code_of(path):
            tree = ast.parse(source)
            names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
            stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            made |= stored | _defined(tree)
            unknown = {node.id for node in names if isinstance(node.ctx, ast.Load)} - made
            assert not unknown

    def test_types_no_measured_number_into_its_prose(self, path: Path) -> None:
        prose = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
        assert not [text for text in prose if re.search(r"\d+\.\d+ ?%|\d{2} ?%(?! confid)", text)]

    def test_links_to_pages_that_are_there(self, path: Path) -> None:
        prose = "\n".join(cell.source for cell in read(path).cells)
        assert all((path.parent / link).is_file() for link in _LINK.findall(prose))

    def test_has_a_rendered_copy_with_the_same_code(self, path: Path) -> None:
        page = (RENDERED / f"{path.stem}.md").read_text(encoding="utf-8")
        shown = [code.strip() for code in _FENCED.findall(page)]
        assert shown == [code.strip() for code in code_of(path)]

    def test_has_a_rendered_copy_with_the_same_prose(self, path: Path) -> None:
        page = (RENDERED / f"{path.stem}.md").read_text(encoding="utf-8")
        for cell in read(path).cells:
            if cell.cell_type == "markdown":
                for line in cell.source.replace("](../docs/", "](../").splitlines():
                    assert line in page

    def test_has_a_rendered_copy_that_shows_the_pictures_beside_it(self, path: Path) -> None:
        page = (RENDERED / f"{path.stem}.md").read_text(encoding="utf-8")
        files = sorted((RENDERED / f"{path.stem}_files").glob("*"))
        there = [file.relative_to(RENDERED).as_posix() for file in files]
        assert sorted(_PICTURE.findall(page)) == there

    def test_has_a_rendered_copy_without_a_terminals_colours(self, path: Path) -> None:
        page = (RENDERED / f"{path.stem}.md").read_text(encoding="utf-8")
        assert "\x1b" not in page


def test_rendered_copies_are_small() -> None:
    files = [file for file in RENDERED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < _MOST_BYTES


def _defined(tree: ast.Module) -> set[str]:
    """Names that functions, classes, arguments and imports bind."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(name.asname or name.name).partition(".")[0] for name in node.names}
    return found
