"""A real S3-like server on this machine: moto's, behind a door that can be told to misbehave."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

ERROR = (
    "<?xml version='1.0' encoding='UTF-8'?>"
    "<Error><Code>{code}</Code><Message>{code}</Message><RequestId>1</RequestId></Error>"
)


@dataclass(frozen=True)
class Fault:
    """What is answered in place of moto, or done to its answer, to requests of a method.

    Attributes:
        code: S3's error code; None lets the request through.
        cut: Sends only the first half of the body.
        within: What the path has to contain.
    """

    method: str
    status: int = 200
    code: str | None = None
    cut: bool = False
    within: str = ""


@dataclass
class S3Server:
    """Serves until ``stop``; ``requests`` holds method and path of each request."""

    requests: list[str] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)

    def start(self) -> str:
        """Serves on a free port; returns the address."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._thread.join()

    @contextmanager
    def fault(self, method: str, **facts: Any) -> Iterator[None]:
        """Misbehaves for as long as the body takes."""
        self._faults.append(Fault(method, **facts))
        try:
            yield
        finally:
            self._faults.clear()

    def _answer(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append(f"{method} {path}")
        for fault in self._faults:
            if method != fault.method or fault.within not in path:
                continue
            if fault.code is not None:
                body = ERROR.format(code=fault.code).encode()
                headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
                start_response(f"{fault.status} Fault", headers)
                return [body]
            if fault.cut:
                body = b"".join(self._moto(environ, start_response))
                return [body[: len(body) // 2]]
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer
