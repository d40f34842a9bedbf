"""A model behind an OpenAI-compatible endpoint: a service, or a server such as vLLM's.

Every sample is one request: not all servers give several. What is worth a retry is retried with
growing pauses; what is not, or not any more, becomes a failure with its reason.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from judge_lightning.court.chat import Completion, Failure, Question, Reply, Usage
from judge_lightning.court.chat.journal import Journal
from judge_lightning.court.chat.replies import (
    BROKE_OFF,
    NO_CONNECTION,
    NOT_JSON,
    PASSING,
    TIMED_OUT,
    TroubleError,
    read_completion,
    shown,
    status_trouble,
)
from judge_lightning.errors import UserError

NO_KEY = "none"
"""Sent to servers that ask for no key."""
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_WAIT = 0.5, 60.0, 300.0
_SHORTEST_KEY = 8
"""A shorter key is no secret, and its letters are everywhere."""
_HIDDEN = "[key]"
_LOOK_SECONDS = 10.0
_AHEAD = 4
"""Requests that may wait behind the oldest unanswered one, as a multiple of the concurrency."""


class EndpointChat:
    """Asks an endpoint, several questions at a time.

    Args:
        model: The name that the endpoint serves.
        api_key: None: it asks for none. The key appears in no message.
        concurrency: Requests at a time.
        retries: Tries after the first one.
        timeout_seconds: Without a sign of life, for one try.
        prompt_price: Per million tokens, likewise ``completion_price``.
        journal: Finds completions of an earlier attempt and keeps the new ones.
        name: What the endpoint is called in errors (a configuration field).
        give_up_after: The endpoint is given up when so many questions in a row failed for a
            passing reason, each after its retries.
        pause: Waits between tries.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        api_key: str | None = None,
        *,
        concurrency: int = 8,
        retries: int = 5,
        timeout_seconds: float = 120.0,
        prompt_price: float = 0.0,
        completion_price: float = 0.0,
        seed: int = 0,
        journal: Journal | None = None,
        name: str = "endpoint",
        give_up_after: int = 16,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        from openai import OpenAI

        self.usage = Usage()
        self._model = model
        self._key = api_key or NO_KEY
        self._base_url = base_url
        self._concurrency = concurrency
        self._retries = retries
        self._timeout = timeout_seconds
        self._prices = (prompt_price, completion_price)
        self._seed = seed
        self._journal = journal
        self._name = name
        self._give_up_after = give_up_after
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._limit_field = "max_tokens"
        self._client = OpenAI(
            base_url=base_url, api_key=self._key, max_retries=0, timeout=timeout_seconds
        )

    def look(self) -> None:
        """Asks for the list of models, to see that somebody is there and takes the key.

        Any answer but a refused key will do: not every server keeps such a list.

        Raises:
            UserError: Nobody answers, or the key is refused.
        """
        import openai

        try:
            self._client.with_options(timeout=min(_LOOK_SECONDS, self._timeout)).models.list()
        except openai.AuthenticationError as error:
            raise self._key_refused(error.status_code) from None
        except openai.APIConnectionError as error:
            raise UserError(
                f"{self._name}.base_url",
                f"{self._base_url} does not answer ({self._without_key(_cause(error))})",
                "start the server, or mend the address",
            ) from None
        except openai.OpenAIError:
            return
        except ValueError:
            return  # The list is no JSON.

    def ask(self, questions: Sequence[Question]) -> Iterator[Reply]:
        """Answers in the questions' order, one reply per sample in each.

        Raises:
            UserError: The key is refused, the account is empty, or the endpoint is down.
        """
        self._stopping.clear()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="endpoint")
        waiting: deque[list[Future[Completion | Failure]]] = deque()
        try:
            for question in questions:
                while sum(map(len, waiting)) >= _AHEAD * self._concurrency:
                    yield [future.result() for future in waiting.popleft()]
                waiting.append(
                    [pool.submit(self._answer, question, n) for n in range(question.samples)]
                )
            while waiting:
                yield [future.result() for future in waiting.popleft()]
        finally:
            self._stopping.set()
            pool.shutdown(cancel_futures=True)

    def _answer(self, question: Question, sample: int) -> Completion | Failure:
        kept = self._journal.find(self._model, question, sample) if self._journal else None
        if kept is not None:
            self._count(requests=1, said=kept)
            return kept
        trouble = TroubleError(NO_CONNECTION, "not asked")
        for attempt in range(self._retries + 1):
            if self._stopping.is_set():
                break
            self._count(requests=1, retries=int(attempt > 0))
            try:
                said = self._request(question, sample)
            except TroubleError as met:
                trouble = met
                if trouble.reason not in PASSING:
                    break
                if attempt < self._retries:
                    self._pause(_pause_seconds(attempt, trouble.wait))
                continue
            if self._journal:
                self._journal.keep(self._model, question, sample, said)
            self._count(said=said)
            self._in_a_row = 0
            return said
        return self._failure(trouble)

    def _request(self, question: Question, sample: int) -> Completion:
        import openai

        limit_field = self._limit_field
        arguments: dict[str, Any] = {limit_field: question.max_new_tokens}
        if question.temperature > 0:
            arguments["seed"] = _seed_of(self._seed, question.id, sample)
        try:
            response = self._client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=[
                    {"role": message.role, "content": message.content}  # type: ignore[misc]
                    for message in question.messages
                ],
                temperature=question.temperature,
                **arguments,
            )
        except openai.APITimeoutError:
            raise TroubleError(TIMED_OUT, f"no answer within {self._timeout:g} s") from None
        except openai.APIConnectionError as error:
            reason = NO_CONNECTION if _never_connected(error) else BROKE_OFF
            raise TroubleError(reason, self._without_key(_cause(error))) from None
        except openai.APIStatusError as error:
            body = self._without_key(error.response.text)
            if limit_field == "max_tokens" and "max_completion_tokens" in body:
                # Reasoning models refuse the name that everybody else knows.
                self._limit_field = "max_completion_tokens"
                return self._request(question, sample)
            if error.status_code == 401:
                raise self._key_refused(401) from None
            if "insufficient_quota" in body:
                raise UserError(
                    self._name,
                    f"the account has nothing left ({shown(body)})",
                    "top it up and run again: what was answered is kept",
                ) from None
            raise status_trouble(
                error.status_code, body, error.response.headers.get("retry-after")
            ) from None
        except openai.OpenAIError as error:
            raise TroubleError(NOT_JSON, self._without_key(_cause(error))) from None
        return read_completion(self._without_key(response.http_response.text))

    def _failure(self, trouble: TroubleError) -> Failure:
        with self._lock:
            self.usage.failures += 1
            passing = trouble.reason in PASSING
            self._in_a_row = self._in_a_row + 1 if passing else 0
            given_up = 0 < self._give_up_after <= self._in_a_row
        if given_up:
            self._stopping.set()
            raise UserError(
                self._name,
                f"{self._give_up_after} questions in a row got no answer, the last one because"
                f" of: {trouble.reason} ({trouble.detail})",
                "see to the endpoint and run again: what was answered is kept",
            )
        return Failure(trouble.reason, trouble.detail)

    def _key_refused(self, status: int) -> UserError:
        self._stopping.set()
        return UserError(
            f"{self._name}.api_key_env",
            f"{self._base_url} refuses the key (HTTP {status})",
            "put a valid key into that environment variable",
        )

    def _count(
        self, *, requests: int = 0, retries: int = 0, said: Completion | None = None
    ) -> None:
        with self._lock:
            self.usage.requests += requests
            self.usage.retries += retries
            if said is not None:
                self.usage.prompt_tokens += said.prompt_tokens
                self.usage.completion_tokens += said.completion_tokens
                counts = (said.prompt_tokens, said.completion_tokens)
                cost = sum(p * n for p, n in zip(self._prices, counts, strict=True))
                self.usage.cost += cost / 1_000_000

    def _without_key(self, text: str) -> str:
        """Some servers send back what they were sent."""
        return text.replace(self._key, _HIDDEN) if len(self._key) >= _SHORTEST_KEY else text


def _pause_seconds(attempt: int, wait: float | None) -> float:
    """What the endpoint asks for, else twice as long every time, so that it can recover; a random
    part keeps those that failed together from coming back together."""
    if wait is not None:
        return min(wait, _LONGEST_WAIT)
    pause: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
    return pause * random.uniform(0.75, 1.25)


def _never_connected(error: Exception) -> bool:
    # By name: the client's HTTP library is not the same in all its versions.
    return any(kind.__name__ == "ConnectError" for kind in type(error.__cause__).__mro__)


def _cause(error: Exception) -> str:
    cause = error.__cause__ or error
    return (str(cause).strip().splitlines() or [""])[0] or type(cause).__name__


def _seed_of(seed: int, question: str, sample: int) -> int:
    """31 bits, which every server takes."""
    digest = hashlib.sha256(f"{seed}:{question}:{sample}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
