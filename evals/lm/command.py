"""``judge-eval``: lm-evaluation-harness's own command line, with our model class and tasks in it.

lm-eval finds model classes by import alone (it reads no entry points), so a command that imports
ours and hands over is what makes ``--model judge_decoding`` known.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import takewhile

from judge_lightning.errors import UserError

_FOLDER_OPTION = "--include_path"
_HELP = {"-h", "--help"}
_TASKS_OPTIONS = {"--tasks", "-t"}
_PATTERN_OR_FILE = set("*?[/\\")
_OTHER_COMMANDS = {"ls", "validate"}


def main() -> None:
    """Runs lm-eval's command line; a user's mistake is one line on stderr and status 2."""
    from lm_eval.__main__ import cli_evaluate

    import_module("evals.lm.model")  # Registers the class.
    given = sys.argv[1:]
    sys.argv[1:] = with_our_tasks(given)
    try:
        if sys.argv[1:] != given:
            check_named(given)
        cli_evaluate()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def with_our_tasks(arguments: Sequence[str]) -> list[str]:
    """The arguments of an evaluation with our folder of tasks, unless they name another one."""
    from evals.task_files import TASK_FOLDER

    own = [*arguments]
    evaluates = bool(own) and own[0] not in _OTHER_COMMANDS and not _HELP & set(own)
    if evaluates and not any(argument.startswith(_FOLDER_OPTION) for argument in own):
        own += [_FOLDER_OPTION, str(TASK_FOLDER)]
    return own


def check_named(arguments: Sequence[str]) -> None:
    """Raises UserError for a task of ``--tasks`` that there is not, before lm-eval looks for it.

    Patterns and files are left to lm-eval.
    """
    from evals.task_files import task_file

    for place, argument in enumerate(arguments):
        option, _, joined = argument.partition("=")
        if option not in _TASKS_OPTIONS:
            continue
        following = takewhile(lambda word: not word.startswith("-"), arguments[place + 1 :])
        for name in ",".join([joined] if joined else following).split(","):
            if name.strip() and not _PATTERN_OR_FILE & set(name):
                task_file(name.strip())
