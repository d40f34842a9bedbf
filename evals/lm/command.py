"""``judge-eval``: lm-evaluation-harness's own command line, with our model class and tasks in it.

lm-eval finds model classes by import alone (it reads no entry points), so a command that imports
ours and hands over is what makes ``--model judge_decoding`` known.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from judge_lightning.errors import UserError

_FOLDER_OPTION = "--include_path"
_HELP = {"-h", "--help"}
_OTHER_COMMANDS = {"ls", "validate"}


def main() -> None:
    """Runs lm-eval's command line; a user's mistake is one line on stderr and status 2."""
    from lm_eval.__main__ import cli_evaluate

    import_module("evals.lm.model")  # Registers the class.
    sys.argv[1:] = with_our_tasks(sys.argv[1:])
    try:
        cli_evaluate()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def with_our_tasks(arguments: Sequence[str]) -> list[str]:
    """The arguments of an evaluation with our folder of tasks, unless they name another one."""
    from evals.task_files import TASK_FOLDER

    own = [*arguments]
    evaluates = bool(own) and own[0] not in _OTHER_COMMANDS and not _HELP & set(own)
    if evaluates and not any(argument.startswith(_FOLDER_OPTION) for argument in own):
        own += [_FOLDER_OPTION, str(TASK_FOLDER)]
    return own
