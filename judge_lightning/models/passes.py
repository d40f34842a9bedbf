"""How much memory forward passes take beside the weights. All results are bytes.

Notation: B rows, T tokens of each that are read now, S tokens of each that they look at (cached
ones included), D width, I the widest linear output of a block, Q and K numbers of a token's
queries and keys in one layer, V vocabulary, w bytes of a number. A pass keeps nothing for
gradients, so what counts is the block at its largest moment, not the sum over blocks; blocks
run one after another, so every device that holds one needs it once.
"""

from __future__ import annotations

from judge_lightning.models.parts import PassShape

_FLOAT32 = 4
_INT32 = 4
_ID = 8


def block_bytes(shape: PassShape, rows: int, tokens: int, seen: int) -> int:
    """The largest moment of one block, and what stays alive beside it.

    Beside it, all along: the token embeddings, the rotary cosines and sines and the ids,
    B T (w D + 2 w h + 8). The moments:

    - norm: block input, residual and output (3 w D), and three float32 tensors (input, square,
      product): B T (3 w D + 12 D).
    - rotation: block input and normed state, queries, and three products of their size while
      ``q cos + rotate(q) sin`` is made, keys and values: w B T (2 D + 4 Q + 2 K).
    - attention: block input, normed state, queries and result, w B T (2 D + 2 Q); keys and
      values widened to all query heads where the kernel does not share them, 2 w B S Q; the
      cache that grows by a copy of one layer's keys or values, w B S K.
    - MLP: block input, residual and normed state; gate, up and their product:
      w B T (3 D + 3 I). Without a gate, an activation that is written out in PyTorch (GPT-2's
      GELU) has five tensors of that size at once: w B T (3 D + 5 I).
    - quantized layers: see ``_quantized_bytes``; they happen inside the MLP.

    The mask, where a batch is padded, is one truth value and one number a pair of tokens of a
    row: B T S (1 + w). A kernel that writes out all attention weights (none of PyTorch's fused
    ones does) would need w B heads T S more, which is not counted.
    """
    b, t, s, w = rows, tokens, seen, shape.number
    d, i, q, k = shape.width, shape.widest, shape.queries, shape.keys
    beside = b * t * (w * d + 2 * w * shape.head + _ID)
    norm = b * t * (3 * w * d + 3 * _FLOAT32 * d)
    rotation = w * b * t * (2 * d + 4 * q + 2 * k)
    attention = w * b * (t * (2 * d + 2 * q) + s * (2 * q + k))
    mlp = w * b * t * (3 * d + (3 if shape.gated else 5) * i) + _quantized_bytes(shape, b * t)
    mask = b * t * s * (1 + w) if b > 1 else 0
    return beside + max(norm, rotation, attention, mlp) + mask


def logit_bytes(shape: PassShape, rows: int, tokens: int, kept: int) -> int:
    """Logits of the ``kept`` last tokens of each row, in w and twice in float32 (the
    probabilities that are drawn from): B n V (w + 8), n = all T where a model gives them all.
    """
    count = tokens if shape.all_logits else kept
    return rows * count * shape.vocabulary * (shape.number + 2 * _FLOAT32) if kept else 0


def state_bytes(shape: PassShape, tokens: int) -> int:
    """One layer's embeddings of ``tokens`` tokens: w D each."""
    return shape.number * shape.width * tokens


def _quantized_bytes(shape: PassShape, tokens: int) -> int:
    """What a quantized linear layer needs beside its inputs and outputs.

    int8 (bitsandbytes): the input in 8 bits and the product in int32: tokens I (1 + 4).
    nf4, int8wo: the matrix back in w-byte numbers: w times the largest one.
    """
    if shape.quantization == "int8":
        return tokens * shape.widest * (1 + _INT32)
    return shape.largest_matrix * shape.number
