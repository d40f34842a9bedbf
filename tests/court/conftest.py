"""A server that behaves as badly as it is asked to."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


def reply(text: str | None, ending: str | None = "stop") -> dict[str, Any]:
    """A chat completion as OpenAI's endpoint sends it."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": ending, "message": message}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


SENT: dict[str, tuple[Any, ...]] = {
    "cut": (200, json.dumps(reply("so far", "length"))),
    "unended": (200, json.dumps(reply("so far", None))),
    "empty": (200, json.dumps(reply(None))),
    "filter": (200, json.dumps(reply("", "content_filter"))),
    "no choice": (200, json.dumps(reply("") | {"choices": []})),
    "garbage": (200, '{"choices": [{"mess\x00 ]'),
    "number": (200, "42"),
    "abyss": (200, "[" * 200_000),
    "page": (200, PAGE, "text/html"),
    "page 502": (502, PAGE, "text/html"),
}


class HostileServer:
    """Answers ``say X`` with X; other messages name what goes wrong.

    A message may name several, one after the other: ``500, 500, say 4`` fails twice.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.seen: Counter[str] = Counter()
        self.keys: list[str] = []
        self.at_once = self.most_at_once = 0
        self.released = threading.Event()
        self.lists_models = 200
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.keys.append(self.headers["authorization"])
                server.send(self, server.lists_models, '{"object": "list", "data": []}')

            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        message = asked["messages"][-1]["content"]
        with self._lock:
            self.requests.append(asked)
            self.keys.append(handler.headers["authorization"])
            acts = message.split(", ")
            act = acts[min(self.seen[message], len(acts) - 1)]
            self.seen[message] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.act(handler, act, asked)
        finally:
            with self._lock:
                self.at_once -= 1

    def act(self, handler: BaseHTTPRequestHandler, act: str, asked: dict[str, Any]) -> None:
        if act.startswith("say "):
            self.send(handler, 200, json.dumps(reply(act[4:])))
        elif act in SENT:
            self.send(handler, *SENT[act])
        elif act == "echo the key":
            self.send(handler, 400, f"bad header {handler.headers['authorization']}")
        elif act == "wants another limit":
            refused = "max_tokens" in asked
            wish = '{"error": {"message": "use \'max_completion_tokens\'"}}'
            self.send(handler, *((400, wish) if refused else (200, json.dumps(reply("4")))))
        elif act == "half":
            handler.send_response(200)
            handler.send_header("transfer-encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b'9\r\n{"choices\r\n')
            handler.close_connection = True
        elif act == "hang":
            self.released.wait(30)
            handler.close_connection = True
        else:
            self.send(handler, int(act), '{"error": {"message": "no"}}')

    def send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        body: str,
        kind: str = "application/json",
    ) -> None:
        content = body.encode()
        handler.send_response(status)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(content)))
        if status == 429:
            handler.send_header("retry-after", "7")
        handler.end_headers()
        handler.wfile.write(content)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    hostile = HostileServer()
    yield hostile
    hostile.close()
