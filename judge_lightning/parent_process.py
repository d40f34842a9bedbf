"""What a process does to be nobody's orphan and not to answer for its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def follow_parent() -> None:
    """Leaves Ctrl-C to the parent, and ends this process when the parent is gone.

    Ctrl-C reaches the whole process group, and only the parent shall report it. A parent that was
    killed outright leaves nobody to stop its processes, so they watch for that themselves.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
