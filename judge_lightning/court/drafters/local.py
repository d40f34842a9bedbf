"""Answers of a local model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from judge_lightning.court.batches import Continuation, Writer, open_writer
from judge_lightning.court.checkers import load_checkers
from judge_lightning.court.drafters.drafts import TOO_LONG, Bench, Draft, Drafts, check_drafts
from judge_lightning.court.prompting import answer_text, render_prompt
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.court.rejects import Rejected


@dataclass(frozen=True)
class Drafter:
    """How one author writes: greedy at ``temperature`` 0, else ``samples`` draws a prompt."""

    author: str
    temperature: float = 0.0
    samples: int = 1


class LocalAuthor:
    """A model that answers prompts in batches: a loaded one, or one in another engine.

    An answer depends on its prompt, its author, its sample number and the seed, never on the
    batch that it was written in.

    Args:
        batch_size: The most rows of a batch; fewer where the memory is smaller.
        seed: Changes what a temperature above 0 draws.
        longest: Tokens of prompt and answer together; 0: what the model itself can read.
    """

    def __init__(
        self,
        model: PreTrainedModel | Writer,
        tokenizer: PreTrainedTokenizerBase,
        drafter: Drafter,
        *,
        max_new_tokens: int,
        batch_size: int,
        seed: int = 0,
        longest: int = 0,
    ) -> None:
        self._writer = open_writer(model, tokenizer, batch_size)
        limits = [limit for limit in (longest, self._writer.positions) if limit]
        self._bench = Bench(drafter.author, tokenizer, min(limits, default=0))
        self._drafter = drafter
        self._max_new_tokens = max_new_tokens
        self._seed = seed

    def write(self, prompts: Sequence[Prompt]) -> Drafts:
        """``samples`` answers to every prompt, in the prompts' order, all held in memory."""
        drafts = Drafts()
        asked: list[tuple[Prompt, int, int | None]] = []
        continuations = []
        for prompt in prompts:
            ids = render_prompt(self._bench.tokenizer, prompt.text)
            room = self._bench.longest - len(ids) if self._bench.longest else None
            if room is not None and room < 1:
                drafts.rejected += self._too_long(prompt, len(ids))
                continue
            # One token more than fits shows that the answer would not have ended there.
            limit = min(self._max_new_tokens, room + 1) if room else self._max_new_tokens
            for sample in range(self._drafter.samples):
                name = f"{self._seed}:{self._drafter.author}:{prompt.id}:{sample}"
                continuations.append(Continuation(ids, limit, self._drafter.temperature, name))
                asked.append((prompt, sample, room))
        for (prompt, sample, room), ids in zip(
            asked, self._writer.write(continuations), strict=True
        ):
            fitting = self._bench.fit(self._draft(prompt, sample, ids), room=room)
            if isinstance(fitting, Rejected):
                drafts.rejected.append(fitting)
            else:
                drafts.written.append(fitting)
        return drafts

    def _draft(self, prompt: Prompt, sample: int, ids: list[int]) -> Draft:
        text = answer_text(self._bench.tokenizer, ids)
        return Draft(prompt, sample, text, ids, bool(ids) and ids[-1] in self._writer.stops)

    def _too_long(self, prompt: Prompt, tokens: int) -> list[Rejected]:
        detail = f"the prompt alone has {tokens} of {self._bench.longest} tokens"
        return [
            self._bench.reject(prompt, sample, TOO_LONG, detail=detail)
            for sample in range(self._drafter.samples)
        ]


def generate_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    drafter: Drafter,
    *,
    max_new_tokens: int,
    batch_size: int,
    seed: int = 0,
) -> list[Answer]:
    """Writes and checks ``drafter.samples`` answers to every prompt, in the prompts' order.

    What is empty, too long, or cannot be checked is left out. The answers of one call are held
    in memory: call it with one shard of prompts at a time.

    Args:
        batch_size: The most rows per forward pass.
        seed: Changes what a temperature above 0 draws.
    """
    author = LocalAuthor(
        model, tokenizer, drafter, max_new_tokens=max_new_tokens, batch_size=batch_size, seed=seed
    )
    answers, _ = check_drafts(drafter.author, author.write(prompts), load_checkers())
    return answers
