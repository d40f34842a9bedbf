"""``python -m pipelines.sweep FOLDER``: renders a multirun's page again, without running anything.

Exit status: 0 done, 2 the folder is none of a multirun.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from judge_lightning.errors import UserError
from pipelines.run_folder import REPORT
from pipelines.sweep.terminal import print_sweep
from pipelines.sweep.writing import write_sweep
from pipelines.terminal import open_console


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line and renders."""
    parser = argparse.ArgumentParser(prog="pipelines.sweep", description=__doc__)
    parser.add_argument("folder", type=Path, help="outputs/EXPERIMENT/multirun-TIME")
    folder = parser.parse_args(arguments).folder
    try:
        print_sweep(write_sweep(folder), open_console())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"results: {folder / REPORT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
