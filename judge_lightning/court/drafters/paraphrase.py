"""Paraphrases of the micro world: right answers by construction, said in some dialect."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judge_lightning.court.drafters.drafts import Bench, Drafts
from judge_lightning.court.records import Prompt
from judge_lightning.court.rejects import Rejected
from judge_lightning.errors import UserError
from judge_lightning.micro.dialects import DIALECTS
from judge_lightning.micro.grammar import render
from judge_lightning.micro.world import problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ParaphraseAuthor:
    """Says the right answer to a prompt of the micro world, choosing the words as a dialect does.

    What is said depends on the prompt, the dialect, the sample's number and the seed alone.

    Args:
        dialect: A name in ``DIALECTS``.
        samples: Sayings of each answer.
    """

    def __init__(
        self,
        author: str,
        tokenizer: PreTrainedTokenizerBase,
        *,
        dialect: str,
        samples: int = 1,
        seed: int = 0,
        longest: int = 0,
    ) -> None:
        self._bench = Bench(author, tokenizer, longest)
        self._dialect = DIALECTS[dialect]
        self._samples = samples
        self._seed = seed

    def write(self, prompts: Sequence[Prompt]) -> Drafts:
        """``samples`` answers to every prompt.

        Raises:
            UserError: A prompt is not of the micro world.
        """
        drafts = Drafts()
        for prompt in prompts:
            if prompt.meta.get("checker") != "micro":
                raise UserError(
                    f"acceptance.texts.{self._bench.author}.kind",
                    f"paraphrases are known of the micro world only, not of prompt {prompt.id}",
                    "give the text as jsonl",
                )
            pool = prompt.meta.get("pool", "court")
            asked = problem(prompt.family, int(prompt.meta["index"]), pool)
            room = self._bench.room(prompt)
            for sample in range(self._samples):
                chance = random.Random(f"{self._seed}:{self._dialect.name}:{prompt.id}:{sample}")
                text = "".join(render(asked.answers, self._dialect.chooser(chance)))
                draft = self._bench.read(prompt, sample, text, room=room)
                if isinstance(draft, Rejected):
                    drafts.rejected.append(draft)
                else:
                    drafts.written.append(draft)
        return drafts
