"""Whether a draft's tokens are the target's: the tokenizers, and the sizes of the models.

Two different things. *Tokenizers* have to give every token the same id. The *rows* of the
embeddings and logits may differ: many checkpoints pad them to a round number, and not every
size of a family to the same one (Qwen2.5: 151,936 up to 3B, 152,064 from 7B on, for 151,665
tokens). Padding ids have no token, so a decoder ignores those that only one model has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_vocabularies(target: PreTrainedTokenizerBase, draft: PreTrainedTokenizerBase) -> None:
    """Raises UserError, naming the first difference, unless every token has the same id in both."""
    ours, theirs = target.get_vocab(), draft.get_vocab()
    if ours == theirs:
        return
    different = {number for _, number in ours.items() ^ theirs.items()}
    first = min(different)
    ours_by_id = {number: token for token, number in ours.items()}
    theirs_by_id = {number: token for token, number in theirs.items()}
    raise UserError(
        "pair.draft",
        f"its tokenizer differs from the target's in {len(different)} ids, first in {first}:"
        f" {theirs_by_id.get(first)!r} in the draft, {ours_by_id.get(first)!r} in the target",
        "choose a draft with the target's tokenizer",
    )


PADDING = 1024
"""More rows than that no family pads its embeddings with."""


def check_padding(target: int, draft: int) -> None:
    """Refuses models whose numbers of logits differ by more than padding can explain.

    All that can be known of two models without their tokenizers.

    Raises:
        UserError: They have different vocabularies.
    """
    if abs(target - draft) > PADDING:
        raise UserError(
            "pair.draft",
            f"its vocabulary has {draft} rows, the target's {target}: more than padding explains",
            "choose a draft with the target's tokenizer",
        )


def check_vocabulary_sizes(
    tokenizer: PreTrainedTokenizerBase, rows: Mapping[str, int], *, grown: Sequence[str]
) -> None:
    """Refuses models that have no room for the tokenizer, and grown ones of different sizes.

    Args:
        tokenizer: The one that both share.
        rows: The logits of each model, by role (``target``, ``draft``).
        grown: The roles that are stand-ins. A grown model's new ids stand for the tokens of the
            model whose shape it wears, so both sides have to wear as many.

    Raises:
        UserError: A token has no row, or a stand-in's vocabulary is not the other model's.
    """
    # Tokens that were added later, such as a padding token, are often never read.
    added = tokenizer.get_added_vocab()
    ids = (number for token, number in tokenizer.get_vocab().items() if token not in added)
    largest = max(ids, default=0)
    for role, count in rows.items():
        if count <= largest:
            raise UserError(
                f"pair.{role}",
                f"its vocabulary has {count} rows, the tokenizer has the id {largest}",
                "use the tokenizer that the model was trained with",
            )
    if grown and rows["target"] != rows["draft"]:
        raise UserError(
            f"pair.{grown[-1]}.grow.vocab_size",
            f"the draft's vocabulary has {rows['draft']} rows, the target's {rows['target']}",
            "grow both vocabularies to the same size",
        )
