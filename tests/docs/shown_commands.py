"""The commands that the documentation shows, and what would be wrong with giving them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from pipelines.composition import CONF, as_user_error, typed_config
from pipelines.config import register_schemas

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_COMMAND = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?P<command>(?:python|make|judge-eval) .*)$")
_CONFIG_FILE = re.compile(r"^# conf/(?P<path>\w+/\w+\.yaml)$")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]+|\.\.\.")
_SHELL = ("|", "&", ";", ">", "2>&1")


def shown_commands(page: str) -> list[str]:
    """Every command of a page once: from blocks of code, and from code in its sentences."""
    joined = re.sub(r" *\\\n\s*", " ", page)
    pieces = [line.strip() for line in joined.splitlines() if line.startswith(("    ", "\t"))]
    pieces += [line.strip() for block in _fenced(joined) for line in block]
    pieces += [" ".join(code.split()) for code in _INLINE.findall(page)]
    found = (match["command"] for piece in pieces if (match := _COMMAND.match(piece)))
    return list(dict.fromkeys(shlex.join(words) for one in found if (words := _words(one))))


def shown_configs(page: str) -> dict[str, str]:
    """The YAML files that a page has its reader write: by their path below ``conf/``."""
    configs: dict[str, str] = {}
    path = None
    for line in page.splitlines():
        if match := _CONFIG_FILE.match(line.strip()):
            path = match["path"]
            configs[path] = ""
        elif path and line.startswith("    "):
            configs[path] += line.removeprefix("    ") + "\n"
        elif line.strip():
            path = None
    return configs


@cache
def complaint(command: str, configs: Path) -> str | None:
    """What is wrong with a command, None when it could be given.

    Args:
        command: As ``shown_commands`` gives it; capitals stand for what the reader fills in.
        configs: A folder of further config groups, those of ``shown_configs``.
    """
    program, *arguments = shlex.split(command)
    if program == "make":
        return _target_complaint(arguments)
    if program == "judge-eval":
        return _tasks_complaint(arguments)
    if arguments[0] != "-m":
        return _files_complaint(arguments[:1])
    module, *given = arguments[1:]
    own: dict[str, Callable[[], str | None]] = {
        "pipelines.run": lambda: _run_complaint(given, configs),
        "evals": lambda: _tasks_complaint(given),
        "pytest": lambda: _files_complaint([word for word in given if "/" in word]),
        "nltk.downloader": lambda: None,
    }
    return own.get(module, lambda: _program_complaint(module, given))()


def _target_complaint(arguments: list[str]) -> str | None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [word for word in arguments if "=" not in word]
    unknown = [word for word in targets if not re.search(rf"^{word}:", makefile, re.MULTILINE)]
    return f"there is no target {unknown[0]}" if unknown else None


def _files_complaint(names: list[str]) -> str | None:
    missing = [name for name in names if not (ROOT / name).exists()]
    return f"there is no {missing[0]}" if missing else None


def _run_complaint(arguments: list[str], configs: Path) -> str | None:
    optional = next((n for n, word in enumerate(arguments) if word.startswith("[")), None)
    arguments = arguments[: arguments.index("--cfg") if "--cfg" in arguments else optional]
    overrides = [word for word in arguments if not word.startswith("-")]
    parsed = [one for one in OverridesParser.create().parse_overrides(overrides) if _filled(one)]
    if not any(one.key_or_group == "exp" for one in parsed):
        return None  # It shows how commands look, not one of them.
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for job in _jobs(parsed):
            try:
                composed = compose("config", [f"hydra.searchpath=[file://{configs}]", *job])
                if any(one.is_add() and one.key_or_group != "exp" for one in parsed):
                    typed_config(composed)  # Composing refuses all but what is added.
            except Exception as error:
                return str(as_user_error(error) or error)
    return None


def _filled(override: Override) -> bool:
    """Whether it is no group whose choice is left to the reader."""
    value = override.value() if not override.is_delete() else None
    is_group = (CONF / override.key_or_group).is_dir() or override.key_or_group == "exp"
    return not (is_group and isinstance(value, str) and _PLACEHOLDER.fullmatch(value))


def _jobs(overrides: list[Override]) -> Iterator[list[str]]:
    """Jobs of a multirun in which every swept choice is taken once."""
    choices = [
        [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [one.input_line or ""]
        for one in overrides
    ]
    for number in range(max(map(len, choices))):
        yield [values[number % len(values)] for values in choices]


def _tasks_complaint(arguments: list[str]) -> str | None:
    from evals.task_files import task_file
    from judge_lightning.errors import UserError

    if "--tasks" not in arguments:
        return None
    for name in arguments[arguments.index("--tasks") + 1].split(","):
        try:
            if "/" not in name:
                task_file(name)
        except UserError as error:
            return str(error)
    return None


def _program_complaint(module: str, arguments: list[str]) -> str | None:
    path = ROOT / module.replace(".", "/")
    source = path.with_suffix(".py") if not path.is_dir() else path / "__main__.py"
    if _PLACEHOLDER.fullmatch(module.rpartition(".")[2]):
        return None
    if not source.is_file():
        return f"there is no module {module}"
    folder = source.parent if module.startswith("benchmarks.") or path.is_dir() else None
    code = "\n".join(p.read_text() for p in (folder.glob("*.py") if folder else [source]))
    options = [a.split("=")[0] for a in arguments if re.match(r"--[a-z]", a)]
    if module == "pipelines.artifacts":
        options += arguments[:1]
    unknown = [o for o in options if f'"{o}"' not in code and not _is_generated(o, code)]
    return f"{module} has no {unknown[0]}" if unknown else None


def _is_generated(option: str, code: str) -> bool:
    """Whether an option stands in the code as a field that ``--option`` is made of."""
    return f"{option[2:].replace('-', '_')}:" in code


def _words(command: str) -> list[str]:
    """A command's own words, without comments and what a shell makes of its output."""
    words = shlex.split(command, comments=True)
    ends = [place for place, word in enumerate(words) if word in _SHELL]
    return words[: min(ends, default=len(words))]


def _fenced(page: str) -> Iterator[list[str]]:
    for block in re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        yield block.splitlines()
