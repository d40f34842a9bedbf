"""``python -m pipelines.report RUN``: renders a run's page again, without running anything.

RUN is a run's folder, ``outputs/EXPERIMENT/TIME`` or ``outputs/latest``. Its ``report.html`` is
replaced and its table printed. What is missing or damaged is named at the page's top and below the
table.

Exit status: 0 done, 2 the folder is none of a run, or cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from judge_lightning.errors import UserError
from pipelines.durable import write_text
from pipelines.report.again import render_again
from pipelines.run_folder import REPORT
from pipelines.terminal import print_results


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line and renders."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.report", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="outputs/EXPERIMENT/TIME")
    parser.add_argument("--artifacts-dir", type=Path, metavar="DIR", help="the run's store")
    options = parser.parse_args(arguments)
    try:
        page = _render(options.run, options.artifacts_dir)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"results: {page}")
    return 0


def _render(run: Path, artifacts_dir: Path | None) -> Path:
    if artifacts_dir is not None and not artifacts_dir.is_dir():
        raise UserError(
            "--artifacts-dir", f"{artifacts_dir} is no folder", "name an existing store"
        )
    again = render_again(run, artifacts_dir)
    try:
        write_text(run / REPORT, again.page)
    except OSError as error:
        raise UserError(
            "RUN", f"cannot write {run / REPORT} ({error.strerror})", "make it writable"
        ) from error
    if again.table:
        print_results(f"\n{again.table.strip()}\n")
    for line in again.missing:
        print(f"missing: {line}")
    return run / REPORT


if __name__ == "__main__":
    sys.exit(main())
