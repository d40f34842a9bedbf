"""One job of a sweep as a process: ``python -m pipelines.multirun FOLDER NUMBER``.

Its exit status is that of a run.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

from judge_lightning.errors import UserError
from pipelines.multirun.ending import INTERRUPTED, USERS_MISTAKE
from pipelines.multirun.record import SweepJob, SweepRecord
from pipelines.terminal import print_error

_GRACE_SECONDS = 20.0


def main() -> int:
    """Runs the job with what ``sweep.json`` says was typed for it."""
    parser = argparse.ArgumentParser(prog="pipelines.multirun", description=__doc__)
    parser.add_argument("folder", type=Path, help="outputs/EXPERIMENT/multirun-TIME")
    parser.add_argument("number", type=int, help="the job's number, from 0")
    parser.add_argument("--while-stdin", action="store_true", help="end when stdin ends")
    given = parser.parse_args()
    try:
        record = SweepRecord.read(given.folder)
        if given.number not in record.overrides:
            raise UserError("number", f"there is no job {given.number}", f"see {given.folder}")
    except UserError as error:
        print_error(str(error))
        return USERS_MISTAKE
    # A command that is started in the background hands down that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if given.while_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    sys.argv = ["pipelines.run", *record.overrides[given.number]]
    from pipelines.run import main as run

    run(SweepJob(given.folder, given.number))
    return 0


def _end_with_stdin() -> None:
    """Interrupts the job when whoever started it is gone, whatever ended that."""
    while os.read(0, 4096):  # A buffered read would hold a lock that the interpreter's end wants.
        pass
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(_GRACE_SECONDS)
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
