"""How many held-out problems a micro model gets right."""

from __future__ import annotations

from itertools import islice

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from judge_lightning.court.drafters import Drafter, generate_answers
from judge_lightning.court.sources import Source

_LONGEST_ANSWER = 220
_BATCH = 64


def share_right(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, family: str, count: int
) -> float:
    """Share of ``count`` held-out problems of a family that greedy decoding gets right.

    The problems come from the court pool, which no micro model was trained on.
    """
    source = Source("examination", "micro", family, count=count)
    answers = generate_answers(
        model,
        tokenizer,
        list(islice(source.prompts(), count)),
        Drafter("examinee"),
        max_new_tokens=_LONGEST_ANSWER,
        batch_size=_BATCH,
    )
    return sum(answer.right for answer in answers) / count
