"""Reading what an endpoint sent: a completion, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from judge_lightning.court.chat import Completion

TIMED_OUT = "timed out"
NO_CONNECTION = "no connection"
BROKE_OFF = "broke off"
RATE_LIMITED = "rate limited"
SERVER_ERROR = "server error"
ERROR_PAGE = "error page"
NOT_JSON = "not JSON"
NO_CHOICE = "no choice"
PASSING = frozenset(
    {
        TIMED_OUT,
        NO_CONNECTION,
        BROKE_OFF,
        RATE_LIMITED,
        SERVER_ERROR,
        ERROR_PAGE,
        NOT_JSON,
        NO_CHOICE,
    }
)
"""Reasons that lie in the endpoint's state, not in the question: asked again, it may answer."""

EMPTY = "empty answer"
FILTERED = "filtered"
REFUSED = "refused"
NOT_FOUND = "not found"
TOO_LONG = "longer than the context"
_SHOWN = 200
"""Characters of what the endpoint sent that are shown."""


class TroubleError(Exception):
    """One request brought no completion.

    Attributes:
        reason: A short phrase that can be counted; those in ``PASSING`` are worth a retry.
        wait: Seconds that the endpoint asks to wait before the next try, if it does.
    """

    def __init__(self, reason: str, detail: str, wait: float | None = None) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.wait = wait


def read_completion(body: str) -> Completion:
    """The completion in the body of a response to a chat request.

    Raises:
        TroubleError: There is none.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        reason = ERROR_PAGE if is_page(body) else NOT_JSON
        raise TroubleError(reason, shown(body)) from None
    if not isinstance(reply, dict):
        raise TroubleError(NOT_JSON, f"no JSON object: {shown(body)}")
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise TroubleError(NO_CHOICE, shown(body))
    ending = choice.get("finish_reason")
    if ending == "content_filter":
        raise TroubleError(FILTERED, "the endpoint's content filter stopped the answer")
    text = _text(message.get("content"))
    if not text.strip():
        raise TroubleError(EMPTY, str(message.get("refusal") or "")[:_SHOWN])
    if ending is None:
        raise TroubleError(BROKE_OFF, "the answer has no end (finish_reason is missing)")
    usage = reply.get("usage")
    return Completion(
        text=text,
        finished=ending != "length",
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
    )


def status_trouble(status: int, body: str, retry_after: str | None) -> TroubleError:
    """What an HTTP status of 400 or more means."""
    detail = f"HTTP {status}: {shown(body)}"
    if status in (408, 504):
        return TroubleError(TIMED_OUT, detail)
    if status == 429:
        return TroubleError(RATE_LIMITED, detail, _seconds(retry_after))
    if status >= 500 or status == 409:
        reason = ERROR_PAGE if is_page(body) else SERVER_ERROR
        return TroubleError(reason, detail, _seconds(retry_after))
    if status == 404:
        return TroubleError(NOT_FOUND, detail)
    if "context_length_exceeded" in body or "maximum context length" in body:
        return TroubleError(TOO_LONG, detail)
    return TroubleError(REFUSED, detail)


def is_page(body: str) -> bool:
    """Whether somebody between us and the model answered, with a page for people."""
    start = body.lstrip()[:100].lower()
    return start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body"))


def shown(body: str) -> str:
    """The beginning of a body, on one line."""
    return " ".join(body[: 4 * _SHOWN].split())[:_SHOWN]


def _text(content: object) -> str:
    """The text of a message; some servers send it in parts."""
    if isinstance(content, list):
        return "".join(
            str(part["text"]) for part in content if isinstance(part, dict) and "text" in part
        )
    return content if isinstance(content, str) else ""


def _count(usage: object, name: str) -> int:
    value: Any = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) else 0


def _seconds(retry_after: str | None) -> float | None:
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None  # A date: our own back-off will do.
