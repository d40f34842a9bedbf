"""What the documentation tells people to type can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.shown_commands import PAGES, ROOT, complaint, shown_commands, shown_configs


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the YAML files that readers are told to write."""
    folder = tmp_path_factory.mktemp("conf")
    for page in PAGES:
        for path, text in shown_configs(page.read_text(encoding="utf-8")).items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_a_page_exists(page: Path, configs: Path) -> None:
    commands = shown_commands(page.read_text(encoding="utf-8"))
    complaints = {one: complaint(one, configs) for one in commands}
    assert {one: wrong for one, wrong in complaints.items() if wrong} == {}


def test_the_quickstarts_page_shows_its_command() -> None:
    commands = shown_commands((ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8"))
    assert {"make quickstart", "python -m pipelines.run +exp=quickstart"} <= {*commands}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("make quikstart", "target"),
        ("python -m pipelines.runn +exp=quickstart", "module"),
        ("python -m pipelines.run +exp=quikstart", "quikstart"),
        ("python -m pipelines.run +exp=quickstart judge.lrr=1", "did you mean judge.lr"),
        ("python -m pipelines.run -m +exp=quickstart judge=mlp,nothing", "nothing"),
        ("python -m pipelines.artifacts list", "list"),
        ("python -m benchmarks.cycle_bound --clok cpu", "--clok"),
        ("python docs/examples/nothing.py", "nothing.py"),
        ("judge-eval --model judge_decoding --tasks micro_wrod", "micro_word"),
    ],
)
def test_a_command_that_does_not_exist_is_found(command: str, what: str, configs: Path) -> None:
    assert what in (complaint(command, configs) or "")


def test_commands_are_read_over_several_lines_and_out_of_sentences() -> None:
    page = (
        "Give\n\n    $ X=1 python -m pipelines.run +exp=a \\\n        judge=b   # why\n\n"
        "or `make\ntest`.\n"
    )
    assert shown_commands(page) == ["python -m pipelines.run +exp=a judge=b", "make test"]


def test_the_readmes_links_lead_to_files() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = {link.partition("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", readme)}
    assert {link for link in links if not (ROOT / link).is_file()} == set()
