"""Between text and tokens: the prompt as the models read it, the answer as people do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The token ids of one user turn, up to where the answer begins.

    The chat template is applied where the tokenizer has one; mining, embedding and decoding
    all go through here, so that a judge meets the prefix that it was trained on.
    """
    if tokenizer.chat_template is None:
        return list(tokenizer(text)["input_ids"])
    rendered: Any = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )
    return list(rendered["input_ids"])


def answer_text(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """The answer as people read it: no special tokens, no cleaned-up spaces."""
    text = tokenizer.decode(
        list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    assert isinstance(text, str)
    return text
