"""Runs the notebooks top to bottom in fresh kernels on a finished run, and renders them.

    python notebooks/run.py                  # writes docs/notebooks/<name>.md with its pictures
    python notebooks/run.py --check          # runs them and writes nothing: fails on any error
    JUDGE_RUN=outputs/quickstart/TIME python notebooks/run.py 01 03

The notebooks themselves are never written to: they stay without outputs.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # A checkout's own code, whatever else is installed.

from judge_lightning.errors import UserError  # noqa: E402
from judge_lightning.runs import DEFAULT_RUN, Run, load_run  # noqa: E402

NOTEBOOKS = ROOT / "notebooks"
RENDERED = ROOT / "docs" / "notebooks"
CELL_SECONDS = 600
CORES = os.cpu_count() or 1
NEEDED_STAGES = ("prompts", "dataset", "embed", "train", "calibrate", "decode")
_PICTURE = re.compile(r"!\[(?:svg|png)\]\(([^)]+)\)")
_TITLE = re.compile(r"role-title-text.*?<text[^>]*>([^<]+)<", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Runs the notebooks that are named (all by default); the exit status is 0 if all ran."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help="beginnings of names, 01 say; all by default")
    parser.add_argument("--check", action="store_true", help="run only, write nothing")
    parser.add_argument("--jobs", type=int, default=min(2, CORES), help="notebooks at a time")
    options = parser.parse_args(arguments)
    try:
        run = finished_run(os.environ.get("JUDGE_RUN", DEFAULT_RUN))
        chosen = choose(options.names)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    set_environment(run, options.jobs)
    with ThreadPoolExecutor(options.jobs) as pool:
        ran = list(pool.map(lambda path: run_one(path, run, check=options.check), chosen))
    return 0 if all(ran) else 1


def run_one(path: Path, run: Run, *, check: bool) -> bool:
    """Runs one notebook, renders it unless it is only checked, and says how it went."""
    began = time.perf_counter()
    try:
        executed = execute(path)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{path.name}: failed\n{error}", file=sys.stderr, flush=True)
        return False
    rendered = "" if check else f" -> {render(executed, path, run).relative_to(ROOT)}"
    print(f"{path.name}: ran in {time.perf_counter() - began:.0f} s{rendered}", flush=True)
    return True


def set_environment(run: Run, jobs: int) -> None:
    """What every kernel is started with: the run, this checkout's code, its share of the cores."""
    os.environ["JUDGE_RUN"] = str(run.path)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, CORES // jobs)))


def finished_run(path: str) -> Run:
    """The run to read.

    Raises:
        UserError: There is none, or the notebooks need what it has not finished.
    """
    run = load_run(path)
    for stage in NEEDED_STAGES:
        run.artifact(stage)
    return run


def choose(names: list[str]) -> list[Path]:
    """The notebooks whose names begin so, in order.

    Raises:
        UserError: One of the names fits none.
    """
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in paths):
            known = ", ".join(path.stem for path in paths)
            raise UserError("notebook", f"there is none that begins with {name!r}", known)
    return [path for path in paths if not names or any(path.name.startswith(n) for n in names)]


def execute(path: Path) -> nbformat.NotebookNode:
    """A copy of the notebook with the outputs of a fresh kernel, started in the root's folder."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
        extra_arguments=["--IPKernelApp.log_level=40"],  # Of its transport it warns at every start.
    )
    client.execute()
    return notebook


def render(executed: nbformat.NotebookNode, path: Path, run: Run) -> Path:
    """Writes an executed notebook as Markdown, its pictures beside it; returns the page."""
    for cell in executed.cells:
        if cell.cell_type == "code":
            # Warnings and progress bars are for who runs a notebook, not for who reads it.
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    files = f"{path.stem}_files"
    exporter = MarkdownExporter()
    body, resources = exporter.from_notebook_node(
        executed, {"output_files_dir": files, "unique_key": path.stem}
    )
    RENDERED.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(RENDERED / files, ignore_errors=True)
    pictures: dict[str, bytes] = resources["outputs"]
    for name, content in pictures.items():
        (RENDERED / name).parent.mkdir(exist_ok=True)
        (RENDERED / name).write_bytes(content)
    page = RENDERED / f"{path.stem}.md"
    page.write_text(_finished(body, pictures, path, run), encoding="utf-8")
    return page


def _finished(body: str, pictures: dict[str, bytes], path: Path, run: Run) -> str:
    """The page with links that lead on from docs/, named pictures, and where it comes from."""
    body = body.replace("](../docs/", "](../")
    body = _PICTURE.sub(lambda found: f"![{_alt(pictures, found[1])}]({found[1]})", body)
    heading, _, rest = body.strip().partition("\n")
    source = f"*`notebooks/{path.name}` as `make notebooks` ran it on `{run.name}`.*"
    return f"{heading}\n\n{source}\n{rest}\n"


def _alt(pictures: dict[str, bytes], name: str) -> str:
    """A chart's own title, for those who cannot see it."""
    title = _TITLE.search(pictures.get(name, b"").decode("utf-8", "replace"))
    return unescape(title[1]).replace("[", "(").replace("]", ")") if title else "chart"


if __name__ == "__main__":
    sys.exit(main())
