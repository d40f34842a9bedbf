"""Whether the target still comes to a right result from the beginning of an answer.

Tokens are continued, never text, so that a beginning may end anywhere. A try depends on the
prompt, the tokens, its number and the seed: not on what else is tried with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from judge_lightning.court.annotators import Case
from judge_lightning.court.batches import Continuation, Writer, open_writer
from judge_lightning.court.prompting import answer_text, render_prompt
from judge_lightning.court.records import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RETRACTIONS = ("no,", "wait", "actually", "sorry", "correction", "scratch that", "let me correct")
"""How a speaker begins to take back the last words, whatever dashes stand in front."""


@dataclass(frozen=True)
class Beginning:
    """The first tokens of an answer. A stop token among them has been removed."""

    prompt: Prompt
    token_ids: tuple[int, ...]


@dataclass(frozen=True)
class Ending:
    """How the target went on, up to and with its stop token.

    ``retracts``: it begins by taking back what stood before it. ``right``: with the beginning
    it makes a right answer.
    """

    token_ids: list[int]
    right: bool
    retracts: bool

    @property
    def recovers(self) -> bool:
        """A right result for which the beginning did not have to be taken back.

        A target that corrects a mistake at once proves that there is one.
        """
        return self.right and not self.retracts


@dataclass(frozen=True)
class Tries:
    """How often and how the target goes on: greedily once, or by drawing ``rollouts`` times."""

    rollouts: int = 1
    temperature: float = 0.0
    max_new_tokens: int = 256
    retractions: tuple[str, ...] | None = None
    """None: ``RETRACTIONS``."""
    seed: int = 0
    batch_size: int = 32


class Recovery:
    """Continues beginnings with one model, each of them once however often it is asked for."""

    def __init__(
        self,
        model: PreTrainedModel | Writer,
        tokenizer: PreTrainedTokenizerBase,
        check: Callable[[Prompt, str], bool],
        tries: Tries,
    ) -> None:
        self._tokenizer = tokenizer
        self._check = check
        self._tries = tries
        self._writer = open_writer(model, tokenizer, tries.batch_size)
        self._retraction = _retraction(
            RETRACTIONS if tries.retractions is None else tries.retractions
        )
        self._known: dict[tuple[str, tuple[int, ...]], list[Ending]] = {}
        self._prompt_ids: dict[str, list[int]] = {}

    def endings(self, beginnings: Sequence[Beginning]) -> list[list[Ending]]:
        """``rollouts`` endings of every beginning, in order."""
        missing = {
            (beginning.prompt.id, beginning.token_ids): beginning
            for beginning in beginnings
            if (beginning.prompt.id, beginning.token_ids) not in self._known
        }
        rows = [(b, n) for b in missing.values() for n in range(self._tries.rollouts)]
        asked = [self._asked(beginning, number) for beginning, number in rows]
        for (beginning, _), tokens in zip(rows, self._writer.write(asked), strict=True):
            key = (beginning.prompt.id, beginning.token_ids)
            self._known.setdefault(key, []).append(self._ending(beginning, tokens))
        return [self._known[b.prompt.id, b.token_ids] for b in beginnings]

    def shares(self, beginnings: Sequence[Beginning]) -> list[float]:
        """The share of endings of every beginning that recover."""
        return [
            sum(ending.recovers for ending in endings) / len(endings)
            for endings in self.endings(beginnings)
        ]

    def is_stop(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return token in self._writer.stops

    def beginning(self, case: Case, count: int) -> Beginning:
        """The first ``count`` tokens of a case's answer, up to a stop token among them."""
        token_ids = case.answer.token_ids[:count]
        stop = next((n for n, token in enumerate(token_ids) if token in self._writer.stops), count)
        return Beginning(case.prompt, tuple(token_ids[:stop]))

    def _ids(self, beginning: Beginning) -> list[int]:
        prompt = beginning.prompt
        if prompt.id not in self._prompt_ids:
            self._prompt_ids[prompt.id] = render_prompt(self._tokenizer, prompt.text)
        return [*self._prompt_ids[prompt.id], *beginning.token_ids]

    def _asked(self, beginning: Beginning, number: int) -> Continuation:
        ids = self._ids(beginning)
        tries = self._tries
        room = tries.max_new_tokens
        if self._writer.positions:
            room = min(room, self._writer.positions - len(ids))
        name = f"{tries.seed}:try:{beginning.prompt.id}:{beginning.token_ids}:{number}"
        return Continuation(ids, max(1, room), tries.temperature, name)

    def _ending(self, beginning: Beginning, token_ids: list[int]) -> Ending:
        text = answer_text(self._tokenizer, [*beginning.token_ids, *token_ids])
        added = answer_text(self._tokenizer, token_ids)
        return Ending(
            token_ids,
            right=self._check(beginning.prompt, text),
            retracts=bool(beginning.token_ids) and self._retraction.match(added) is not None,
        )


def _retraction(phrases: Sequence[str]) -> re.Pattern[str]:
    """Matches a text that begins with one of the phrases; nothing where there are none."""
    if not phrases:
        return re.compile(r"(?!)")
    said = "|".join(re.escape(p) + (r"\b" if p[-1:].isalnum() else "") for p in phrases)
    return re.compile(rf"[\s\-–—.…(]*(?:{said})", re.IGNORECASE)
