"""A run that is killed while an endpoint answers never pays for an answer twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300
KEY = "sk-secret-0123456789"


def start(folder: Path, server: Any) -> subprocess.Popen[bytes]:
    served = "mine.drafters.gpt4o"
    command = [
        *(sys.executable, "-m", "pipelines.run", "+exp=quickstart", "stages=[prompts,mine]"),
        *("tracking=none", "mine=gpt4o", "mine.target_answers=false", "mine.minimum_tuples=0"),
        *("mine.shard_size=8", f"{served}.samples=1", f"{served}.endpoint.concurrency=2"),
        *(f"{served}.endpoint.base_url={server.base_url}", "data=jsonl"),
        f"data.sources.own.path={folder / 'prompts.jsonl'}",
        *(f"artifacts_dir={folder / 'artifacts'}", f"output_dir={folder / 'outputs'}"),
        "data.shares={train: 1.0, validation: 0.0, calibration: 0.0, eval: 0.0}",
    ]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={
                **os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
                "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": KEY,
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )  # fmt: skip


def kept_completions(folder: Path) -> int:
    journals = list(folder.glob("artifacts/.work/mine/*/scratch/completions-gpt4o.jsonl"))
    return sum(path.read_text().count("\n") for path in journals)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, server: Any) -> None:
    texts = [f"hang, say {n}" if n == 12 else f"say {n}" for n in range(20)]
    rows = [{"prompt": text, "reference": str(n)} for n, text in enumerate(texts)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    process = start(tmp_path, server)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while kept_completions(tmp_path) < 15 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert server.seen["hang, say 12"] == 1
    server.requests.clear()

    again = start(tmp_path, server)

    assert again.wait(PATIENCE_SECONDS) == 0, (tmp_path / "log.txt").read_text()
    asked = [request["messages"][-1]["content"] for request in server.requests]
    assert sorted(asked) == sorted([texts[12], *texts[16:]])
    [path] = tmp_path.glob("artifacts/mine/*/statistics.json")
    counted = json.loads(path.read_text())
    assert counted["accuracy"] == {"gpt4o": 1.0}
    assert counted["endpoints"]["gpt4o"]["prompt_tokens"] == 3 * len(texts)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()
