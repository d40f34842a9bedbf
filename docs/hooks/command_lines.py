"""Puts what a command says of itself into a page.

``<!-- help: pipelines.artifacts gc -->`` becomes the output of
``python -m pipelines.artifacts gc --help``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mkdocs.config.defaults import MkDocsConfig

_MARK = re.compile(r"<!-- help: (?P<command>[\w. ]+) -->")
_WIDTH = "90"


def on_page_markdown(markdown: str, config: MkDocsConfig, **_: Any) -> str:
    """Called by MkDocs with every page's text."""
    root = str(Path(config.config_file_path).parent)
    return _MARK.sub(lambda mark: f"```text\n{help_of(mark['command'], root)}\n```", markdown)


def help_of(command: str, root: str) -> str:
    """What ``python -m COMMAND --help`` prints; ``root`` is the repository."""
    module, *arguments = command.split()
    said = io.StringIO()
    with (
        patch.object(sys, "argv", [module, *arguments, "--help"]),
        patch.object(sys, "path", [root, *sys.path]),
        patch.dict(os.environ, {"COLUMNS": _WIDTH}),
        contextlib.redirect_stdout(said),
        contextlib.suppress(SystemExit),
    ):
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    return said.getvalue().strip()
