"""A chat whose completions are kept as they arrive: for a local model, which keeps none itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from judge_lightning.court.chat import Chat, Completion, Question, Reply, Usage
from judge_lightning.court.chat.journal import Journal


class KeptChat:
    """Asks a chat what the journal does not know, a few questions at a time.

    A question counts as answered when all of its samples are. Found completions count in
    ``usage`` like new ones, so that it says what everything took.

    Args:
        chat: Who is asked.
        model: Identifies the model in the journal, such as its fingerprint.
        window: Questions that are asked together, and that a kill can cost.
    """

    def __init__(self, chat: Chat, journal: Journal, model: str, window: int) -> None:
        self._chat = chat
        self._journal = journal
        self._model = model
        self._window = window
        self._found = Usage()

    @property
    def usage(self) -> Usage:
        """Counts of all questions so far, those found included."""
        asked, found = self._chat.usage, self._found
        return Usage(
            requests=asked.requests + found.requests,
            retries=asked.retries,
            failures=asked.failures,
            prompt_tokens=asked.prompt_tokens + found.prompt_tokens,
            completion_tokens=asked.completion_tokens + found.completion_tokens,
            cost=asked.cost,
        )

    def ask(self, questions: Sequence[Question]) -> Iterator[Reply]:
        """Answers in the questions' order."""
        for start in range(0, len(questions), self._window):
            yield from self._ask_some(questions[start : start + self._window])

    def _ask_some(self, questions: Sequence[Question]) -> list[Reply]:
        kept = [self._find(question) for question in questions]
        missing = [one for one, found in zip(questions, kept, strict=True) if found is None]
        replies = iter(list(self._chat.ask(missing)) if missing else [])
        answered: list[Reply] = []
        for question, found in zip(questions, kept, strict=True):
            if found is not None:
                answered.append(found)
                continue
            reply = next(replies)
            for sample, said in enumerate(reply):
                if isinstance(said, Completion):
                    self._journal.keep(self._model, question, sample, said)
            answered.append(reply)
        return answered

    def _find(self, question: Question) -> Reply | None:
        found = [
            self._journal.find(self._model, question, sample) for sample in range(question.samples)
        ]
        completions = [said for said in found if said is not None]
        if len(completions) < question.samples:
            return None
        for said in completions:
            self._found.requests += 1
            self._found.prompt_tokens += said.prompt_tokens
            self._found.completion_tokens += said.completion_tokens
        return [*completions]
