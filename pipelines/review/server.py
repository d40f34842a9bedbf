"""The web server of the review page. It listens on this machine alone.

The page is not private, the texts and decisions are: every request for them carries the token
of the address that the terminal printed. A page of another site cannot send it, nor reach this
server under a name of its own (DNS rebinding): the host named in a request must be this machine.
"""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from judge_lightning.errors import UserError
from pipelines.review.session import RequestError, ReviewSession

HOST = "127.0.0.1"
TOKEN_HEADER = "X-Review-Token"
_LONGEST_BODY = 64 * 1024
_OWN_NAMES = {"127.0.0.1", "localhost", "::1"}
_PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
    "/connection.js": ("connection.js", "text/javascript; charset=utf-8"),
    "/mark.js": ("mark.js", "text/javascript; charset=utf-8"),
    "/text.js": ("text.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ReviewServer(ThreadingHTTPServer):
    """Serves one session on 127.0.0.1 until it is shut down.

    Args:
        port: 0 takes any free one; ``address`` tells.
        token: What a request must carry.

    Raises:
        UserError: The port is taken or not allowed.
    """

    daemon_threads = True

    def __init__(self, session: ReviewSession, port: int, token: str) -> None:
        self.session = session
        self.token = token
        self.page = {
            path: (files("pipelines.review").joinpath(name).read_bytes(), kind)
            for path, (name, kind) in _PAGE.items()
        }
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(
                "--port", f"{port} cannot be used ({reason})", "give another, 0 for any free one"
            ) from error

    @property
    def address(self) -> str:
        """Where the page is, with the token behind ``#``, which browsers do not send."""
        return f"http://{HOST}:{self.server_address[1]}/#{self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error; anything else is."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version = "review"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self._is_from_here():
            return
        if path in self.server.page:
            content, kind = self.server.page[path]
            self._send(HTTPStatus.OK, content, kind)
        elif path == "/favicon.ico":
            self._send(HTTPStatus.NO_CONTENT, b"", "image/x-icon")
        elif not self._has_token():
            return
        elif path == "/api/session":
            self._answer(self.server.session.overview)
        elif path.startswith("/api/items/") and (number := path.rpartition("/")[2]).isdecimal():
            place = int(number) if len(number) < 10 else sys.maxsize
            self._answer(lambda: self.server.session.item(place))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        if not self._is_from_here() or not self._has_token():
            return
        body = self._body()
        if body is None:
            return
        session = self.server.session
        if path == "/api/undo":
            self._answer(session.undo)
        elif path == "/api/decisions":
            self._answer(lambda: session.decide(**_decision(body)))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def _is_from_here(self) -> bool:
        """Whether the request names this machine, and comes from no other site's page."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        try:
            own = urlsplit(f"//{host}").hostname in _OWN_NAMES
        except ValueError:
            own = False
        if own and origin in (None, f"http://{host}"):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "this page is for this machine only")
        return False

    def _has_token(self) -> bool:
        given = self.headers.get(TOKEN_HEADER, "").encode()
        if hmac.compare_digest(given, self.server.token.encode()):
            return True
        self._refuse(HTTPStatus.UNAUTHORIZED, "open the address that the terminal printed")
        return False

    def _body(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > _LONGEST_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too long")
            return None
        content = self.rfile.read(int(length))
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and self.headers.get_content_type() == "application/json":
            return body
        self._refuse(HTTPStatus.BAD_REQUEST, "the request is no JSON object")
        return None

    def _answer(self, make: Callable[[], dict[str, Any]]) -> None:
        try:
            # ASCII: an answer may hold half a surrogate pair, which UTF-8 cannot carry.
            content = json.dumps(make()).encode()
        except RequestError as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, f"not saved: {error}")
        else:
            self._send(HTTPStatus.OK, content, "application/json")

    def _refuse(self, status: HTTPStatus, problem: str) -> None:
        # What is left of a refused request must not be read as the next one.
        self.close_connection = True
        self._send(status, json.dumps({"problem": problem}).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  http.server's name
        """Nothing: the terminal is for the reviewer."""


def _decision(body: dict[str, Any]) -> dict[str, Any]:
    marked = body.get("marked")
    fits = (
        _is_whole(body.get("place"))
        and all(isinstance(body.get(name), str) for name in ("tuple_id", "verdict", "note"))
        and (
            marked is None
            or (isinstance(marked, list) and len(marked) == 2 and all(map(_is_whole, marked)))
        )
    )
    if not fits:
        raise RequestError("the decision lacks a field, or has one of another type")
    return {
        "place": body["place"],
        "tuple_id": body["tuple_id"],
        "verdict": body["verdict"],
        "marked": None if marked is None else (marked[0], marked[1]),
        "note": body["note"],
    }


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
