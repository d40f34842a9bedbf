"""``python -m pipelines.report RUN``: renders a run's page again, without running anything.

RUN is a run's folder, ``outputs/EXPERIMENT/TIME`` or ``outputs/latest``. Its ``report.html`` is
replaced and its table printed. What is missing or damaged is named at the page's top and below the
table; the page is then ``report-partial.html``, and a ``report.html`` that is there stays as it is.

Exit status: 0 done, 2 the folder is none of a run, or cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from judge_lightning.errors import UserError
from pipelines.durable import write_text
from pipelines.report.again import render_again
from pipelines.run_folder import PARTIAL_REPORT, REPORT
from pipelines.terminal import print_results


class _OneLine(argparse.ArgumentParser):
    """Says in one line what is wrong with the command."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see `python -m pipelines.report --help`\n")


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line and renders."""
    parser = _OneLine(prog="python -m pipelines.report", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="outputs/EXPERIMENT/TIME")
    parser.add_argument("--artifacts-dir", type=Path, metavar="DIR", help="the run's store")
    options = parser.parse_args(arguments)
    try:
        page = _render(options.run, options.artifacts_dir)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    why = "" if page.name == REPORT else f" (something is missing: {REPORT} stays as it was)"
    print(f"results: {page}{why}")
    return 0


def _render(run: Path, artifacts_dir: Path | None) -> Path:
    if artifacts_dir is not None and not artifacts_dir.is_dir():
        raise UserError(
            "--artifacts-dir", f"{artifacts_dir} is no folder", "name an existing store"
        )
    again = render_again(run, artifacts_dir)
    page = run / REPORT
    if again.missing and page.exists():
        page = run / PARTIAL_REPORT
    try:
        write_text(page, again.page)
    except OSError as error:
        raise UserError(
            "RUN", f"cannot write {page} ({error.strerror})", "make it writable"
        ) from error
    if again.table:
        print_results(f"\n{again.table.strip()}\n")
    for line in again.missing:
        print(f"missing: {line}")
    return page


if __name__ == "__main__":
    sys.exit(main())
