"""What torch.compile needs of a machine. Imports no torch: a preflight asks too."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path


def compiler_problem() -> str | None:
    """What keeps torch.compile from working on this machine's CPU; None when nothing does.

    Inductor needs a C++ compiler (``CXX`` or ``g++``) and Python's headers.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler) is None:
        return f"there is no {compiler}"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.is_file():
        return f"there is no {header}"
    return None


def keep_compiled_code() -> None:
    """Lets inductor's cache outlive a reboot: in the user's cache folder instead of /tmp.

    A folder that ``TORCHINDUCTOR_CACHE_DIR`` names stays, unless it is inductor's own choice,
    which it writes into that variable as soon as something imports it.
    """
    name = "TORCHINDUCTOR_CACHE_DIR"
    own_choice = str(Path(tempfile.gettempdir()) / "torchinductor_")
    if os.environ.get(name, own_choice).startswith(own_choice):
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        os.environ[name] = str(Path(home) / "judge-lightning" / "inductor")
