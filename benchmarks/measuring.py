"""What every benchmark shares: its options, where it was measured, its table and its JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from rich.console import Console
from rich.table import Table

from judge_lightning.errors import UserError

Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
"""``cpu`` leaves out what other processes take from this one; it needs a single thread."""

RESULTS = Path("outputs") / "benchmarks"


def parser_for(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options of all benchmarks; the description is the module's docstring."""
    first_line = (description or "").strip().split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(
        description=first_line, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it works")
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: torch's own")
    parser.add_argument("--out", type=Path, help=f"the JSON file; else one in {RESULTS}")
    return parser


def add_clock(parser: argparse.ArgumentParser) -> None:
    """Lets the user choose one of ``CLOCKS``."""
    parser.add_argument(
        "--clock", default="wall", choices=CLOCKS, help="cpu: this process's time, on one thread"
    )


def start(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line, sets the number of threads and keeps loading quiet."""
    given = parser.parse_args(arguments)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    threads = 1 if getattr(given, "clock", "wall") == "cpu" else given.threads
    if threads:
        torch.set_num_threads(threads)
    return given


def run_script(main: Callable[[], None]) -> None:
    """Runs a benchmark; a user's mistake is one line on stderr and status 2."""
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def environment() -> dict[str, Any]:
    """What a figure depends on beside the code; ``load`` is the machine's over the last minute."""
    on_gpu = torch.cuda.is_available()
    return {
        "date": date.today().isoformat(),
        "processor": torch.cuda.get_device_name() if on_gpu else _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "arguments": sys.argv[1:],
    }


def interleaved(
    passes: Mapping[str, Callable[[], Any]],
    rounds: int,
    device: torch.device | None = None,
    clock: Clock = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each pass; they take turns, so that disturbances fall on all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    for number in range(rounds + 2):
        for name, run in passes.items():
            synchronise(device)
            started = clock()
            run()
            synchronise(device)
            if number >= 2:  # The first ones set up kernels and memory pools.
                seconds[name].append(clock() - started)
    return {name: median(values) for name, values in seconds.items()}


def synchronise(device: torch.device | None) -> None:
    """Waits for a GPU; the CPU is never behind."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table whose first column is text and whose others are numbers."""
    table = Table(title=title)
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def note(text: str) -> None:
    """Prints a line below or above the table."""
    _console().print(text)


def save(name: str, result: Mapping[str, Any], out: Path | None) -> Path:
    """Writes the result, with what it depends on, as JSON; returns the file."""
    path = out or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"benchmark": name, "environment": environment(), **result}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    note(f"written to {path}")
    return path


def _console() -> Console:
    # A file or a pipe has no width of its own; a table must not be cut there.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
