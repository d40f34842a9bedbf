"""A model that is loaded here, talked to like one behind an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from judge_lightning.court.batches import Continuation, Writer, open_writer
from judge_lightning.court.chat import Completion, Failure, Message, Question, Reply, Usage
from judge_lightning.court.prompting import answer_text

_BATCHES_AHEAD = 16
"""Batches' worth of questions that are sorted by length together."""


class LocalChat:
    """Asks a loaded model, in batches. A reply depends on its question and the seed alone.

    Args:
        batch_size: The most rows of a batch; fewer where the memory is smaller.
        seed: Changes what a temperature above 0 draws.
    """

    def __init__(
        self,
        model: PreTrainedModel | Writer,
        tokenizer: PreTrainedTokenizerBase,
        *,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        self.usage = Usage()
        self._tokenizer = tokenizer
        self._writer = open_writer(model, tokenizer, batch_size)
        self._window = _BATCHES_AHEAD * batch_size
        self._seed = seed

    def ask(self, questions: Sequence[Question]) -> Iterator[Reply]:
        """Answers in the questions' order; a question that leaves no room fails."""
        for start in range(0, len(questions), self._window):
            yield from self._replies(questions[start : start + self._window])

    def _replies(self, questions: Sequence[Question]) -> Iterator[Reply]:
        prompts = [render_messages(self._tokenizer, question.messages) for question in questions]
        rooms = [
            self._room(question, len(ids)) for question, ids in zip(questions, prompts, strict=True)
        ]
        asked = [
            Continuation(
                ids, room, question.temperature, f"{self._seed}:chat:{question.id}:{sample}"
            )
            for question, ids, room in zip(questions, prompts, rooms, strict=True)
            for sample in range(question.samples if room > 0 else 0)
        ]
        written = iter(self._writer.write(asked))
        for question, ids, room in zip(questions, prompts, rooms, strict=True):
            if room > 0:
                yield [self._completion(len(ids), next(written)) for _ in range(question.samples)]
                continue
            detail = f"{len(ids)} of {self._writer.positions} tokens are the question's"
            self.usage.failures += question.samples
            yield [Failure("longer than the context", detail)] * question.samples

    def _room(self, question: Question, prompt: int) -> int:
        if not self._writer.positions:
            return question.max_new_tokens
        return min(question.max_new_tokens, self._writer.positions - prompt)

    def _completion(self, prompt: int, ids: list[int]) -> Completion | Failure:
        self.usage.requests += 1
        self.usage.prompt_tokens += prompt
        self.usage.completion_tokens += len(ids)
        text = answer_text(self._tokenizer, ids)
        if not text.strip():
            self.usage.failures += 1
            return Failure("empty answer", f"{len(ids)} tokens")
        return Completion(text, ids[-1] in self._writer.stops, prompt, len(ids))


def render_messages(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    """The token ids of a conversation, up to where the answer begins.

    A template that knows no system message gets it in front of the first user message; a model
    without a template reads the contents with a blank line between them.
    """
    if tokenizer.chat_template is None:
        return list(tokenizer("\n\n".join(message.content for message in messages))["input_ids"])
    try:
        return _templated(tokenizer, messages)
    except TemplateError:
        if len(messages) < 2 or messages[0].role != "system":
            raise
        system, first, *others = messages
        joined = Message(first.role, f"{system.content}\n\n{first.content}")
        return _templated(tokenizer, [joined, *others])


def _templated(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    rendered: Any = tokenizer.apply_chat_template(
        [{"role": message.role, "content": message.content} for message in messages],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )
    return list(rendered["input_ids"])
