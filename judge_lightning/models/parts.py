"""What a model consists of, in bytes and in sizes: plain numbers, counted on the meta device."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float64": 8}
QUANTIZED_BYTES = {"int8": 1.0, "nf4": 0.5 + 4 / 64, "int8wo": 1.0}
"""Per weight; nf4 carries one float32 scale per 64 weights, both int8 one per output row."""
_ROW_BYTES = {"int8": 4, "nf4": 0, "int8wo": 5}
"""Per output row: the scale in float32, and torchao's zero point in 8 bits."""
_ENDLESS = 2**40


@dataclass(frozen=True)
class Parts:
    """Bytes of a model's weights in the order in which they run; the blocks are kept whole.

    ``embeddings`` is all before the blocks, ``head`` all behind them: the final norm and the
    output head, unless that is tied to the embeddings.
    """

    embeddings: int
    blocks: tuple[int, ...]
    head: int

    @property
    def total(self) -> int:
        """Bytes of all weights."""
        return self.embeddings + sum(self.blocks) + self.head


@dataclass(frozen=True)
class PassShape:
    """The sizes that one forward pass's memory depends on.

    Attributes:
        width: D, numbers of a token's hidden state.
        widest: I, outputs of a block's widest linear layer.
        gated: Two layers of a block are that wide: gate and up projection.
        queries: Numbers of a token's queries, heads times head size.
        keys: Numbers of a token's keys (the values are as many) in one layer.
        head: h, numbers of one attention head.
        vocabulary: V, logits of a token.
        number: Bytes of one activation.
        largest_matrix: Weights of the largest quantized matrix; 0 where none is.
        quantization: None, ``int8``, ``nf4`` or ``int8wo``.
        all_logits: The model cannot leave out the logits of a prompt.
        longest: The positions that the model has.
    """

    width: int
    widest: int
    gated: bool
    queries: int
    keys: int
    head: int
    vocabulary: int
    number: int
    largest_matrix: int
    quantization: str | None
    all_logits: bool
    longest: int


def count_parts(model: Any, number: int, quantization: str | None) -> Parts:
    """Bytes of a built model's parts at ``number`` bytes a weight that is not quantized.

    Quantized are all linear layers but the output head, as transformers does it.
    """
    from judge_lightning.models.hidden_states import decoder_blocks

    quantized = {id(layer.weight) for layer in linear_layers(model)} if quantization else set()
    blocks = decoder_blocks(model)
    block_of = {id(p): number for number, block in enumerate(blocks) for p in block.parameters()}
    weights = [0.0] * (len(blocks) + 2)
    place = 0
    for parameter in model.parameters():  # In order, tied ones once.
        count: float = parameter.numel() * number
        if quantization is not None and id(parameter) in quantized:
            count = parameter.numel() * QUANTIZED_BYTES[quantization]
            count += parameter.shape[0] * _ROW_BYTES[quantization]
        if id(parameter) in block_of:
            weights[1 + block_of[id(parameter)]] += count
            place = -1
        else:
            weights[place] += count
    first, *middle, last = map(round, weights)
    return Parts(first, tuple(middle), last)


def pass_shape(model: Any, number: int, quantization: str | None) -> PassShape:
    """Reads from a built model what one of its forward passes needs memory for."""
    import torch

    from judge_lightning.models.hidden_states import decoder_blocks

    config = model.config.get_text_config(decoder=True)
    heads, head_size = config.num_attention_heads, head_size_of(config)
    width = int(config.hidden_size)
    block = decoder_blocks(model)[0]
    outputs = [m.out_features for m in block.modules() if isinstance(m, torch.nn.Linear)]
    linear = linear_layers(model) if quantization else []
    return PassShape(
        width=width,
        widest=max(outputs, default=4 * width),
        gated=bool(outputs) and outputs.count(max(outputs)) > 1,
        queries=heads * head_size,
        keys=key_heads_of(config) * head_size,
        head=head_size,
        vocabulary=int(config.vocab_size),
        number=number,
        largest_matrix=max((layer.weight.numel() for layer in linear), default=0),
        quantization=quantization,
        all_logits="logits_to_keep" not in inspect.signature(model.forward).parameters,
        longest=int(getattr(config, "max_position_embeddings", None) or _ENDLESS),
    )


def linear_layers(model: Any) -> list[nn.Linear]:
    """The layers that quantization replaces: all linear ones but the output head."""
    import torch

    head = model.get_output_embeddings()
    return [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]


def key_heads_of(config: Any) -> int:
    """Key/value heads of a text config."""
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def head_size_of(config: Any) -> int:
    """Numbers of one attention head of a text config."""
    given = getattr(config, "head_dim", None)
    return int(given or config.hidden_size // config.num_attention_heads)
