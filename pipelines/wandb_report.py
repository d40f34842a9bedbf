"""``python -m pipelines.wandb_report RUN``: publishes a run's or a sweep's W&B report.

After ``wandb sync`` it creates the report, and brings it up to date where it did so before. It
needs a login and changes nothing but the report.

Exit status: 0 done, 2 the folder, the login or W&B stands in the way.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from judge_lightning.errors import UserError
from pipelines.wandb_run.publishing import publish_finished


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line and publishes."""
    parser = argparse.ArgumentParser(prog="pipelines.wandb_report", description=__doc__)
    parser.add_argument("run", type=Path, help="outputs/EXPERIMENT/TIME, or a multirun's folder")
    try:
        print(publish_finished(parser.parse_args(arguments).run))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
