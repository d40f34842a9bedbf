"""The prompts' own references as answers: they are worked out, and right by definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judge_lightning.court.drafters.drafts import Bench, Drafts
from judge_lightning.court.records import Prompt
from judge_lightning.court.rejects import Rejected

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ReferenceAuthor:
    """Answers every prompt with its reference."""

    def __init__(
        self, author: str, tokenizer: PreTrainedTokenizerBase, *, longest: int = 0
    ) -> None:
        self._bench = Bench(author, tokenizer, longest)

    def write(self, prompts: Sequence[Prompt]) -> Drafts:
        """One answer to every prompt."""
        drafts = Drafts()
        for prompt in prompts:
            draft = self._bench.read(prompt, 0, prompt.reference)
            if isinstance(draft, Rejected):
                drafts.rejected.append(draft)
            else:
                drafts.written.append(draft)
        return drafts
