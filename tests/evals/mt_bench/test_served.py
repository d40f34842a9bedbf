"""A real OpenAI-compatible server, ``transformers serve`` with the micro model, as a grader."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evals.mt_bench.results import read_results
from judge_lightning.court.chat.endpoint import EndpointChat
from judge_lightning.errors import UserError
from judge_lightning.micro.paths import asset_path
from pipelines.config import ChatConfig, MTBenchConfig, RunConfig
from pipelines.stages.mt_answers import MTAnswers
from pipelines.stages.mt_bench import MTBench
from tests.evals.tiny_run import run, tiny_run

PATIENCE_SECONDS = 300

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (Path(sys.executable).parent / "transformers").exists(),
        reason="needs the command `transformers`",
    ),
]


@dataclass
class Server:
    """A server that can be started and killed; ``port`` stays."""

    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.port}/v1"

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    Path(sys.executable).parent / "transformers",
                    *("serve", str(asset_path("target"))),
                    *("--device", "cpu", "--port", str(self.port)),
                ],
                env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        chat = EndpointChat("any", self.base_url)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                chat.look()
                return
            except UserError:
                time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def grader(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(port, tmp_path / "serve.txt")
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def config(pair_folder: Path, template: Path, questions_file: Path, grader: Server) -> RunConfig:
    config = tiny_run(pair_folder)
    config.pair.chat_template = str(template)
    config.mt_bench = MTBenchConfig(
        name="test",
        grader=ChatConfig(
            "endpoint", str(asset_path("target")), grader.base_url, None, concurrency=1, retries=2
        ),
        path=str(questions_file),
        decoders=["target", "judge"],
        max_new_tokens=10,
        grade_tokens=12,
        ask_again=1,
        max_ungraded=1.0,
    )
    return config


def test_a_served_model_grades_and_a_server_that_is_gone_is_named_and_comes_back(
    config: RunConfig, grader: Server, tmp_path: Path
) -> None:
    answers = run(MTAnswers(), config, tmp_path / "answers", calibrate=tmp_path).work
    with pytest.raises(UserError, match="does not answer") as error:
        run(MTBench(), config, tmp_path / "grades", mt_answers=answers)
    assert error.value.field == "mt_bench.grader.base_url"
    grader.start()
    graded = run(MTBench(), config, tmp_path / "grades", mt_answers=answers).work

    results = read_results(graded / "results.json")
    # Micro knows the numbers of its own world and no grades.
    assert results.scores["judge"].all.n + results.scores["judge"].ungraded == 6
    usage = json.loads((graded / "usage.json").read_text())
    assert usage["prompt_tokens"] > 0
    assert usage["failures"] == 0
    replies = (graded / "scratch" / "replies.jsonl").read_text().splitlines()
    # The server loads its model while the first question waits, and may break that one off.
    assert len(replies) == usage["requests"] - usage["retries"]
    grader.kill()
    grader.start()
    again = run(MTBench(), config, tmp_path / "grades", mt_answers=answers).work
    assert read_results(again / "results.json") == results
    assert (graded / "scratch" / "replies.jsonl").read_text().splitlines() == replies
