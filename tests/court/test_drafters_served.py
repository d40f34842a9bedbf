"""A real OpenAI-compatible server, ``transformers serve`` with the micro model, as a drafter."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.subjects import held_out_prompts
from judge_lightning.court.chat import Completion, Message, Question
from judge_lightning.court.chat.endpoint import EndpointChat
from judge_lightning.court.drafters import Drafter, LocalAuthor
from judge_lightning.court.drafters.endpoint import ChatAuthor
from judge_lightning.errors import UserError
from judge_lightning.micro.paths import asset_path
from judge_lightning.models.pair import ModelSource, load_model, load_tokenizer

PATIENCE_SECONDS = 300
PROMPTS = held_out_prompts(6)
NEW_TOKENS = 200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (Path(sys.executable).parent / "transformers").exists(),
        reason="needs the command `transformers`",
    ),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The micro draft; the server heeds a temperature only where the model is said to sample."""
    folder = tmp_path_factory.mktemp("served") / "draft"
    shutil.copytree(asset_path("draft"), folder)
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | {"do_sample": True}))
    return str(folder)


@pytest.fixture(scope="module")
def base_url(model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = Path(sys.executable).parent / "transformers"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command, "serve", model, "--device", "cpu", "--port", str(port)],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(process, port, log)
        yield f"http://localhost:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until the server takes connections."""
    chat = EndpointChat("any", f"http://localhost:{port}/v1")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            chat.look()
            return
        except UserError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_a_served_model_drafts_what_it_drafts_here(model: str, base_url: str) -> None:
    tokenizer = load_tokenizer("micro:target")
    chat = EndpointChat(model, base_url, concurrency=2)

    served = ChatAuthor("draft", chat, tokenizer, max_new_tokens=NEW_TOKENS).write(PROMPTS)

    local = LocalAuthor(
        load_model(ModelSource("micro:draft"), "cpu"), tokenizer, Drafter("draft"),
        max_new_tokens=NEW_TOKENS, batch_size=6,
    ).write(PROMPTS)  # fmt: skip
    assert served.rejected == []
    assert served.written == local.written
    assert all(draft.finished for draft in served.written)
    tokens = sum(len(draft.token_ids) for draft in local.written)
    assert abs(chat.usage.completion_tokens - tokens) <= len(PROMPTS)
    assert chat.usage.retries == chat.usage.failures == 0


def test_samples_of_a_served_model_differ(model: str, base_url: str) -> None:
    chat = EndpointChat(model, base_url)
    question = Question("q", (Message("user", PROMPTS[0].text),), 40, temperature=1.5, samples=4)

    [reply] = chat.ask([question])

    texts = {said.text for said in reply if isinstance(said, Completion)}
    assert len(texts) == 4


def test_a_model_that_is_not_served_is_a_failure_of_that_question(base_url: str) -> None:
    chat = EndpointChat("another", base_url, retries=0)

    [[failure]] = chat.ask([Question("q", (Message("user", "Why?"),), 4)])

    assert not isinstance(failure, Completion)
    assert failure.reason == "refused"
