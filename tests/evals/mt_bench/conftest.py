"""A tiny pair that reads whole conversations, questions for it, and a grader that is scripted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evals.comparison import Comparison
from evals.decoders import DECODERS
from evals.mt_bench.questions import TURNS, BenchQuestion
from judge_lightning.heads import JudgeHead
from judge_lightning.models.pair import load_pair

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
Reply = tuple[int, str]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "chat.jinja"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture
def comparison(pair_folder: Path, template: Path) -> Comparison:
    target, draft = str(pair_folder / "target"), str(pair_folder / "draft")
    return Comparison(
        load_pair=partial(load_pair, target, draft, device="cpu", chat_template=str(template)),
        load_head=partial(JudgeHead.from_pretrained, pair_folder / "judge"),
        decoders=DECODERS,
        draft_length=4,
        max_new_tokens=10,
        threads=1,
        turns=TURNS,
    )


@pytest.fixture(scope="session")
def questions() -> list[BenchQuestion]:
    return [
        BenchQuestion("81", "writing", ("Write a poem.", "Shorter."), ("a hint", "")),
        BenchQuestion("111", "math", ("2 + 3?", "Times 2?"), ("5", "10")),
        BenchQuestion("151", "humanities", ("Who was first?", "And then?")),
    ]


@pytest.fixture
def questions_file(tmp_path: Path, questions: list[BenchQuestion]) -> Path:
    return write_questions(tmp_path / "questions.jsonl", questions)


def write_questions(path: Path, questions: list[BenchQuestion]) -> Path:
    """The questions as MT-Bench's own file has them."""
    rows = [
        {
            "question_id": int(one.id),
            "category": one.category,
            "turns": list(one.turns),
            **({"reference": list(one.references)} if any(one.references) else {}),
        }
        for one in questions
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class GraderServer:
    """An endpoint that answers every request by ``script(messages)``: a status and a text.

    A text with status 200 is the reply; None never answers.
    """

    def __init__(self) -> None:
        self.script: Callable[[list[dict[str, str]]], Reply | None] = lambda messages: (
            200,
            "[[5]]",
        )
        self.requests: list[dict[str, Any]] = []
        self.released = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.send(self, 200, {"object": "list", "data": []})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with server._lock:
                    server.requests.append(asked)
                    reply = server.script(asked["messages"])
                if reply is None:
                    server.released.wait(30)
                    self.close_connection = True
                    return
                server.send(self, reply[0], completion(reply[1]))

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def asked(self) -> list[str]:
        """The requests, as they can be told apart."""
        with self._lock:
            return [json.dumps(one["messages"]) for one in self.requests]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def completion(text: str) -> dict[str, Any]:
    """A chat completion as OpenAI's endpoint sends it: 100 tokens read, 10 written."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


@pytest.fixture
def server() -> Iterator[GraderServer]:
    scripted = GraderServer()
    yield scripted
    scripted.close()
