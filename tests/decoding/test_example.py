"""The example of docs/generate.md runs as it is written there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import torch

from judge_lightning import JudgeHead
from judge_lightning.heads import HeadConfig

ROOT = Path(__file__).parents[2]
SCRIPT = "docs/examples/generate.py"


def test_the_example_streams_an_answer_and_says_how_many_tokens_a_cycle_added(
    tmp_path: Path,
) -> None:
    """With a head that keeps everything, so that a cycle adds a whole block and one token."""
    config = HeadConfig(hidden_size=128, layer=5, layers_of_target=6, threshold=0.0)
    JudgeHead.from_weights(torch.zeros(128), 0.0, config).save_pretrained(tmp_path)
    done = subprocess.run(
        [sys.executable, SCRIPT, str(tmp_path), "--draft-length", "4"],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *text, summary = done.stdout.strip().splitlines()
    assert "stamps" in " ".join(text)
    found = re.fullmatch(r"(\d+) tokens in (\d+) cycles: ([\d.]+) tokens per cycle", summary)
    assert found is not None, summary
    tokens, cycles = int(found[1]), int(found[2])
    assert 5 * (cycles - 1) < tokens <= 5 * cycles


def test_the_page_names_the_example() -> None:
    assert SCRIPT in (ROOT / "docs" / "generate.md").read_text(encoding="utf-8")
