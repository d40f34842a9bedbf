"""Writes the reference of the configuration from ``pipelines/config/`` and ``conf/`` themselves.

In a page ``<!-- configuration -->`` becomes one section per config group: its fields with type,
default and meaning, as the dataclasses say them, and the YAML files to choose from. The code is
read, not run.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig

MARK = "<!-- configuration -->"
_ROOT = "RunConfig"
_DATACLASS_NAME = re.compile(r"\b\w+Config\b")
_DEFAULT_FACTORY = re.compile(r"^field\(default_factory=(?:lambda: )?(.*)\)$", re.DOTALL)
_EMPTY = {"dict": "{}", "list": "[]"}


def on_page_markdown(markdown: str, config: MkDocsConfig, **_: Any) -> str:
    """Called by MkDocs with every page's text."""
    if MARK not in markdown:
        return markdown
    root = Path(config.config_file_path).parent
    return markdown.replace(MARK, reference(root))


def on_serve(server: Any, config: MkDocsConfig, **_: Any) -> Any:
    """Called by ``mkdocs serve``: the page follows its sources too."""
    for folder in ("conf", "pipelines/config"):
        server.watch(str(Path(config.config_file_path).parent / folder))
    return server


def reference(root: Path) -> str:
    """The configuration's fields and choices as Markdown; ``root`` is the repository."""
    package = griffe.load("pipelines.config", search_paths=[root], resolve_aliases=True)
    assert isinstance(package, griffe.Module)
    run = package[_ROOT]
    groups = {name: field for name, field in run.attributes.items() if _config_in(field)}
    own = [field for name, field in run.attributes.items() if name not in groups]
    parts = ["## The run itself", _table(own)]
    for name, field in groups.items():
        parts += list(_group(package, root / "conf", name, _config_in(field)))
    shared = sorted(_nested(package, [_config_in(field) for field in groups.values()]))
    parts.append("## Parts of groups")
    for class_name in shared:
        parts += [
            f"### {class_name}",
            _text(package[class_name].docstring),
            _fields(package, class_name),
        ]
    return "\n\n".join(part for part in parts if part)


def _group(package: griffe.Module, conf: Path, name: str, class_name: str) -> Iterator[str]:
    yield f"## {name}"
    yield _text(package[class_name].docstring)
    yield _choices(conf / name)
    yield _fields(package, class_name)


def _choices(folder: Path) -> str:
    """What ``group=NAME`` may name, each with the comment that its file begins with."""
    rows = []
    for path in sorted(folder.glob("*.yaml")):
        comment: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                break
            if not line.startswith("# @package"):
                comment.append(line.lstrip("# "))
        sentence = " ".join(comment).split(". ")[0].rstrip(".:")
        rows.append(f"| `{folder.name}={path.stem}` | {_cell(_linked(sentence))} |")
    return "\n".join(["| choice | |", "| --- | --- |", *rows]) if rows else ""


def _fields(package: griffe.Module, class_name: str) -> str:
    return _table(list(package[class_name].attributes.values()))


def _table(fields: list[griffe.Attribute]) -> str:
    rows = [
        f"| `{field.name}` | {_type(field)} | {_default(field)} | {_cell(_text(field.docstring))} |"
        for field in fields
    ]
    return "\n".join(["| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _type(field: griffe.Attribute) -> str:
    name = _config_in(field)
    return _code(str(field.annotation)) + (f" ([fields](#{name.lower()}))" if name else "")


def _default(field: griffe.Attribute) -> str:
    value = str(field.value)
    if value == "MISSING":
        return "*required*"
    if made := _DEFAULT_FACTORY.match(value):
        value = _EMPTY.get(made[1], made[1])
    return "" if _DATACLASS_NAME.fullmatch(value) else _code(_one_line(value))


def _config_in(field: griffe.Attribute) -> str:
    """The name of the dataclass that the field holds, or nothing."""
    found = _DATACLASS_NAME.search(str(field.annotation))
    return found[0] if found else ""


def _nested(package: griffe.Module, class_names: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(class_names)
    while waiting:
        for field in package[waiting.pop()].attributes.values():
            name = _config_in(field)
            if name and name not in found:
                found.add(name)
                waiting.append(name)
    return found


def _text(docstring: griffe.Docstring | None) -> str:
    """A docstring as Markdown: code in single ticks, pages of the documentation as links."""
    text = docstring.value if docstring else ""
    return _linked(re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL))


def _linked(text: str) -> str:
    """With the names of pages as links to them."""
    return re.sub(r"\bdocs/((\w+)\.md)\b", r"[\2](\1)", text)


def _code(text: str) -> str:
    """Code for a table's cell, in which a bar ends the cell even between ticks."""
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"


def _cell(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())
