"""Shows runs side by side: ``python -m pipelines.compare RUN RUN ...``.

Tells what differs in their configuration and artifacts, their numbers with the difference to the
first run, and, where two runs decoded the same prompts, which answers turned. RUN is a run's
folder, a multirun's (for all its jobs) or one of its jobs', outputs/latest, or a summary.json.

Exit status: 0 compared, 2 a wrong command.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from judge_lightning.errors import UserError
from pipelines.compare.comparison import make_comparison
from pipelines.compare.runs import read_runs
from pipelines.compare.terminal import print_comparison
from pipelines.terminal import open_console


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line, compares and prints; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.artifacts_dir is not None and not options.artifacts_dir.is_dir():
            raise UserError(
                "--artifacts-dir", f"{options.artifacts_dir} is no folder", "name an existing store"
            )
        everything = options.all or options.json
        runs = read_runs(options.runs)
        comparison = make_comparison(runs, options.artifacts_dir, all_families=everything)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(comparison.as_json(), indent=2, ensure_ascii=False))
        return 0
    print_comparison(comparison, open_console(options.width), everything=options.all)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pipelines.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="see above")
    parser.add_argument("--all", action="store_true", help="also show what all runs have alike")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--width", type=int, help="columns; the terminal's own if not given")
    parser.add_argument(
        "--artifacts-dir",
        type=Path,
        metavar="DIR",
        help="where the artifacts are, if not where the runs say",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
