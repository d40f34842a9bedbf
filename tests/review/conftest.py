"""Labelled tuples and decisions to review, and a review server in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import settings
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.labels import mark_mistake, token_spans
from judge_lightning.court.records import LabelledTuple, Prompt, write_records
from judge_lightning.court.review import Decision, DecisionsFile
from pipelines.review.court import find_court, read_items
from pipelines.review.server import ReviewServer
from pipelines.review.session import ReviewSession

# A busy machine must not fail a property.
settings.register_profile("review", deadline=None)
settings.load_profile("review")

MakeTuple = Callable[..., LabelledTuple]
Decide = Callable[..., Decision]


@pytest.fixture(scope="session")
def make_tuple(byte_tokenizer: PreTrainedTokenizerFast) -> MakeTuple:
    """A labelled tuple of a finished wrong answer, one token a byte."""

    def make(
        wrong: str = "2 + 2 = 5. So 5.",
        mistake: tuple[int, int] = (8, 9),
        prompt_id: str = "p1",
        correct: str = "2 + 2 = 4. So 4.",
        confidence: float = 0.7,
    ) -> LabelledTuple:
        ids = [
            *byte_tokenizer(wrong, add_special_tokens=False)["input_ids"],
            byte_tokenizer.eos_token_id,
        ]
        marked = mark_mistake(token_spans(byte_tokenizer, ids), mistake, finished=True)
        assert marked is not None
        right = byte_tokenizer(correct, add_special_tokens=False)["input_ids"]
        return LabelledTuple(
            prompt_id=prompt_id,
            family="sums",
            split="train",
            drafter="draft",
            prompt_ids=[1],
            correct_text=correct,
            correct_ids=right,
            correct_labels=[1] * len(right),
            wrong_text=wrong,
            wrong_ids=ids,
            wrong_labels=marked.labels,
            mistake_characters=mistake,
            mistake_tokens=marked.mistake,
            confidence=confidence,
            evidence="'5' does not follow",
        )

    return make


@pytest.fixture(scope="session")
def decide() -> Decide:
    """A decision about tuple ``t``; the proposed mistake is at 8 to 9."""

    def make(verdict: str = "accept", reviewer: str = "rev1", **fields: Any) -> Decision:
        spans = {"accept": (8, 9), "move": (4, 5)}
        row: dict[str, Any] = {
            "tuple_id": "t",
            "span": spans.get(verdict),
            "proposed": (8, 9),
            "time": "2026-01-01T00:00:00+00:00",
            **fields,
        }
        return Decision(reviewer=reviewer, verdict=verdict, **row)

    return make


@pytest.fixture
def court_file(tmp_path: Path, make_tuple: MakeTuple) -> Path:
    """Three tuples, the second one the most doubtful, with their prompts beside them."""
    tuples = [
        make_tuple(prompt_id="p1", confidence=0.7),
        make_tuple("3 + 4 = 8. So 8.", prompt_id="p2", correct="3 + 4 = 7.", confidence=0.2),
        make_tuple("1 + 1 = 3. So 3.", prompt_id="p3", correct="1 + 1 = 2.", confidence=0.9),
    ]
    path = tmp_path / "tuples.jsonl"
    write_records(path, tuples)
    write_records(
        tmp_path / "prompts.jsonl",
        [Prompt(f"p{n}", f"What is sum {n}?", str(n), "sums", "train") for n in (1, 2, 3)],
    )
    return path


@dataclass
class Served:
    """A running review: its address, and requests to it."""

    address: str

    @property
    def token(self) -> str:
        return urlsplit(self.address).fragment

    @property
    def port(self) -> int:
        port = urlsplit(self.address).port
        assert port is not None
        return port

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, content and headers of an answer. A header that is None is not sent."""
        sent: dict[str, str | None] = {
            "Host": f"127.0.0.1:{self.port}",
            "X-Review-Token": self.token,
            "Content-Type": "application/json",
            **(headers or {}),
        }
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        if method == "POST" and "Content-Length" not in sent:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content if method == "POST" else None)
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = answer.headers.get_content_type() == "application/json"
        found = json.loads(text) if is_json else text
        connection.close()
        return answer.status, found, dict(answer.headers)


@dataclass
class ServedProcess(Served):
    """A review in a process of its own, and what it printed up to its address."""

    process: subprocess.Popen[str]
    said: list[str]

    def kill(self) -> None:
        """Ends the process at once, as ``kill -9`` does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


Serve = Callable[..., AbstractContextManager[ServedProcess]]


@pytest.fixture
def served(court_file: Path) -> Iterator[Served]:
    """A review of ``court_file`` by rev1, without a process of its own."""
    place = find_court(court_file)
    with DecisionsFile(place.reviews / "rev1.jsonl") as file:
        session = ReviewSession(place.name, read_items(place), "rev1", file)
        with ReviewServer(session, 0, "a-token-for-the-tests") as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield Served(server.address)
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def serve() -> Serve:
    """Starts ``python -m pipelines.review RUN ...`` and waits for its address."""

    @contextmanager
    def run(court: Path, *options: str, port: int = 0) -> Iterator[ServedProcess]:
        words = [sys.executable, "-m", "pipelines.review", str(court), "--no-browser"]
        if "--reviewer" not in options:
            words += ["--reviewer", "rev1"]
        process = subprocess.Popen(
            [*words, "--port", str(port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ.copy(),
        )
        said: list[str] = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.strip())
                if line.startswith("review at "):
                    break
            else:
                raise AssertionError(f"no server: {said}")
            yield ServedProcess(said[-1].split()[2], process, said)
        finally:
            process.kill()
            process.wait(20)
            if process.stdout:
                process.stdout.close()

    return run
