"""The pictures of docs/wandb.md, from what an offline run has put down for W&B.

    python docs/examples/wandb_pictures.py outputs/latest docs

Needs Chromium for the answer, and tmux for the terminal viewer (``wandb leet``).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

import altair as alt
import vl_convert
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 150, 44
"""Of the terminal, in characters."""

TITLE = "wandb leet outputs/latest/wandb"
"""What one types."""


def main(run: Path, pictures: Path) -> None:
    """Draws all three into the folder ``pictures``."""
    (pictures / "wandb_charts.svg").write_text(charts(run))
    answer(run, pictures / "wandb_answer.png")
    (pictures / "wandb_leet.svg").write_text(terminal(run))


def charts(run: Path) -> str:
    """The tables that W&B's line charts are given, drawn over the same axes."""
    curve = lines(run, "calibrate/operating_curve", "threshold", "share", "what")
    kept = lines(run, "decode/accepted", "accepted", "share", "decoder")
    layers = lines(run, "train/layers", "layer", "auroc", None)
    spec = alt.hconcat(layers, curve, kept).resolve_scale(color="independent").to_dict()
    return str(vl_convert.vegalite_to_svg({**spec, "background": "white"}))


def lines(run: Path, name: str, x: str, y: str, stroke: str | None) -> alt.Chart:
    """One line chart of a logged table."""
    (file,) = run.glob(f"wandb/*run-*/files/media/table/Custom Chart Tables/{name}_table_*.json")
    table = json.loads(file.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    data = alt.InlineData(values=rows)
    chart = alt.Chart(data, title=name, width=210, height=170).mark_line()
    scale = alt.Scale(zero=stroke is not None)
    chart = chart.encode(x=alt.X(f"{x}:Q"), y=alt.Y(f"{y}:Q", scale=scale))
    legend = alt.Legend(orient="bottom", direction="vertical", title=None)
    return chart.encode(color=alt.Color(f"{stroke}:N", legend=legend)) if stroke else chart


def answer(run: Path, picture: Path) -> None:
    """The HTML document of the first answer that the judge has changed."""
    table = json.loads((run / "figures.json").read_text())["tables"]["decode/answers"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    shown = next((row for row in rows if row["kept by the judge alone"]), rows[0])
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 900, "height": 300}, device_scale_factor=1.5)
        page.set_content(shown["judge's tokens"])
        page.screenshot(path=picture, full_page=True)
        browser.close()


def terminal(run: Path) -> str:
    """What ``wandb leet`` shows of the run, its metrics' names filtered."""
    (record,) = run.glob("wandb/*run-*/*.wandb")
    viewer = f"wandb leet run {record.resolve()}"
    size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
    # With a home of its own, the viewer has neither settings nor a login.
    home = {**os.environ, "HOME": tempfile.mkdtemp(), "COLORTERM": "truecolor"}
    tmux = ["tmux", "-L", "leet"]
    subprocess.run([*tmux, "new-session", "-d", *size, viewer], check=True, env=home)
    try:
        for keys in ("/", "^train/|^report/(verdict|judge)", "Enter"):
            time.sleep(10)
            subprocess.run([*tmux, "send-keys", keys], check=True)
        time.sleep(10)
        shown = subprocess.run(
            [*tmux, "capture-pane", "-e", "-p"], check=True, capture_output=True, text=True
        )
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print(Text.from_ansi(shown.stdout))
    # The picture asks nobody for a font.
    return re.sub(r"@font-face\s*\{.*?\}", "", console.export_svg(title=TITLE), flags=re.S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
