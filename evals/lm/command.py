"""``judge-eval``: lm-evaluation-harness's own command line, with our model class and tasks in it.

lm-eval finds model classes by import alone (it reads no entry points), so a command that imports
ours and hands over is what makes ``--model judge_decoding`` known.
"""

from __future__ import annotations

import sys

from judge_lightning.errors import UserError

_OWN_OPTION = "--include_path"


def main() -> None:
    """Runs lm-eval's command line; a user's mistake is one line on stderr and status 2."""
    from lm_eval.__main__ import cli_evaluate

    import evals.lm.model
    from evals.task_files import TASK_FOLDER

    given = sys.argv[1:]
    runs = [argument for argument in given if not argument.startswith("-")][:1] not in (
        ["ls"],
        ["validate"],
    )
    asks_for_help = not given or {"-h", "--help"} & set(given)
    if runs and not asks_for_help and not any(a.startswith(_OWN_OPTION) for a in given):
        sys.argv += [_OWN_OPTION, str(TASK_FOLDER)]
    try:
        cli_evaluate()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
