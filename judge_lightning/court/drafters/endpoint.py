"""Answers of a model that is talked to: another service's, or a server of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judge_lightning.court.chat import Chat, Failure, Message, Question
from judge_lightning.court.drafters.drafts import TOO_LONG, Bench, Drafts
from judge_lightning.court.records import Prompt
from judge_lightning.court.rejects import Rejected

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ChatAuthor:
    """Puts each prompt to a chat as one user message.

    The text is read with the target's tokenizer, and ends in its end token where the model
    ended it.

    Args:
        max_new_tokens: As the asked model counts them.
        longest: Tokens of prompt and answer together, as the target counts; 0 sets no limit.
    """

    def __init__(
        self,
        author: str,
        chat: Chat,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        samples: int = 1,
        longest: int = 0,
    ) -> None:
        self._bench = Bench(author, tokenizer, longest)
        self._chat = chat
        self._max_new_tokens = max_new_tokens
        self._temperature = temperature
        self._samples = samples

    def write(self, prompts: Sequence[Prompt]) -> Drafts:
        """``samples`` answers to every prompt. A prompt that leaves no room is not asked."""
        drafts = Drafts()
        asked: list[tuple[Prompt, int | None]] = []
        for prompt in prompts:
            room = self._bench.room(prompt)
            if room is not None and room < 1:
                drafts.rejected += [
                    self._bench.reject(prompt, sample, TOO_LONG, detail="the prompt alone")
                    for sample in range(self._samples)
                ]
            else:
                asked.append((prompt, room))
        replies = self._chat.ask([self._question(prompt) for prompt, _ in asked])
        for (prompt, room), reply in zip(asked, replies, strict=True):
            for sample, said in enumerate(reply):
                if isinstance(said, Failure):
                    drafts.rejected.append(
                        self._bench.reject(prompt, sample, said.reason, detail=said.detail)
                    )
                    continue
                draft = self._bench.read(
                    prompt, sample, said.text, finished=said.finished, room=room
                )
                if isinstance(draft, Rejected):
                    drafts.rejected.append(draft)
                else:
                    drafts.written.append(draft)
        return drafts

    def _question(self, prompt: Prompt) -> Question:
        return Question(
            id=f"{self._bench.author}:{prompt.id}",
            messages=(Message("user", prompt.text),),
            max_new_tokens=self._max_new_tokens,
            temperature=self._temperature,
            samples=self._samples,
        )
