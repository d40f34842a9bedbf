"""The hooks that the documentation is built with."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_page_or_folder_that_is_not_there_stays_for_mkdocs_to_complain_of(tmp_path: Path) -> None:
    entries = [{"Start": [{"A": "away.md"}]}, {"Later": "away/"}]
    assert hook("navigation").expanded(entries, tmp_path) == entries


def test_a_folder_in_the_navigation_stands_for_its_pages(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    for name in ("2_second.md", "1_first.md", "picture.png"):
        (tmp_path / "notebooks" / name).touch()
    found = hook("navigation").expanded([{"Notebooks": "notebooks/"}], tmp_path)
    assert found == [{"Notebooks": ["notebooks/1_first.md", "notebooks/2_second.md"]}]


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://elsewhere.example/a.js"></script>',
        '<link rel="stylesheet" href="//elsewhere.example/a.css">',
        '<link rel="preconnect" href="https://elsewhere.example">',
        '<img src="http://elsewhere.example/a.png">',
        '<p style="background: url(https://elsewhere.example/a.png)">',
        "<style>@import 'https://elsewhere.example/a.css';</style>",
        '<svg><image href="https://elsewhere.example/a.png"/></svg>',
    ],
)
def test_what_a_browser_would_fetch_elsewhere_is_found(text: str) -> None:
    assert len(hook("own_host").foreign_addresses(text, ".html")) == 1


def test_links_for_people_and_own_files_are_no_requests() -> None:
    page = (
        '<a href="https://elsewhere.example">x</a><img src="a.png"><link rel="icon" href="i.svg">'
    )
    assert hook("own_host").foreign_addresses(page, ".html") == []


def test_a_stylesheet_with_a_font_of_another_host_is_found() -> None:
    found = hook("own_host").foreign_addresses("a{src:url('https://fonts.example/f')}", ".css")
    assert len(found) == 1


@pytest.fixture(scope="module")
def reference() -> str:
    text: str = hook("configuration").reference(ROOT)
    return text


@pytest.mark.parametrize(
    "word", ["## judge", "`judge=mlp`", "| `lr` |", "<code>0.0001</code>", "### ChatConfig"]
)
def test_the_configurations_reference_holds_groups_choices_and_fields(
    word: str, reference: str
) -> None:
    assert word in reference


def test_every_group_of_choices_has_a_section(reference: str) -> None:
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()} - {"exp"}
    assert {group for group in groups if f"\n## {group}\n" not in reference} == set()


def test_a_commands_help_is_what_it_prints() -> None:
    said = hook("command_lines").help_of("pipelines.artifacts gc", str(ROOT))
    assert said.startswith("usage: python -m pipelines.artifacts gc")
