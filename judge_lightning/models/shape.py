"""The shape of a Llama, and what a growth asks for: plain numbers, without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from judge_lightning.errors import UserError

_GROWTH_METHOD = 1
"""Raised when a grown model's weights come to mean something else: part of fingerprints."""
_ONLY_UPWARDS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "head_dim",
    "vocab_size",
)


@dataclass(frozen=True)
class LlamaShape:
    """The sizes that make a Llama's cost, under the names of ``LlamaConfig``."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    tie_word_embeddings: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LlamaShape:
        """Reads the shape from a model's config (``config.json``, or ``config.to_dict()``).

        Raises:
            UserError: It is no Llama, or one with biases, which growth does not know.
        """
        kind = config.get("model_type")
        if kind != "llama":
            raise UserError("grow", f"the seed is of type {kind!r}", "grow a model of type llama")
        for name in ("attention_bias", "mlp_bias"):
            if config.get(name):
                raise UserError("grow", f"the seed has {name}", "grow a Llama without biases")
        heads = int(config["num_attention_heads"])
        return cls(
            hidden_size=int(config["hidden_size"]),
            intermediate_size=int(config["intermediate_size"]),
            num_hidden_layers=int(config["num_hidden_layers"]),
            num_attention_heads=heads,
            num_key_value_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or config["hidden_size"] // heads),
            vocab_size=int(config["vocab_size"]),
            tie_word_embeddings=bool(config.get("tie_word_embeddings", False)),
        )

    @property
    def queries_per_key(self) -> int:
        """Query heads that share one key/value head."""
        return self.num_attention_heads // self.num_key_value_heads


@dataclass
class Growth:
    """The larger shape that a seed model shall wear; None keeps the seed's own size.

    The fields are those of ``LlamaConfig``. ``built_layers`` builds only so many of the
    shape's ``num_hidden_layers``, for a device that cannot hold them all.
    """

    hidden_size: int | None = None
    intermediate_size: int | None = None
    num_hidden_layers: int | None = None
    num_attention_heads: int | None = None
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    vocab_size: int | None = None
    tie_word_embeddings: bool | None = None
    built_layers: int | None = None

    def resolve(self, seed: LlamaShape) -> LlamaShape:
        """The shape that is built, with the seed's sizes where none is asked for.

        Raises:
            UserError: The shape cannot hold the seed's function; the field is named.
        """
        given = {name: value for name, value in asdict(self).items() if value is not None}
        cut = given.pop("built_layers", None)
        shape = LlamaShape(**{**asdict(seed), **given})
        if cut is not None:
            if not seed.num_hidden_layers <= cut <= shape.num_hidden_layers:
                raise _refused(
                    "built_layers",
                    cut,
                    f"give the seed's {seed.num_hidden_layers} to {shape.num_hidden_layers}",
                )
            shape = LlamaShape(**{**asdict(shape), "num_hidden_layers": cut})
        _check(seed, shape)
        return shape

    def describe(self) -> str:
        """What is asked for in a few words (``8192 wide, 40 of 80 layers``)."""
        layers = self.num_hidden_layers
        built = f"{self.built_layers} of " if self.built_layers is not None else ""
        parts = [
            f"{self.hidden_size} wide" if self.hidden_size is not None else "",
            f"{built}{layers} layers" if layers is not None else "",
        ]
        return ", ".join(part for part in parts if part) or "another shape"


def key_value_copies(seed: LlamaShape, shape: LlamaShape) -> int:
    """How many grown key/value heads each of the seed's needs, to serve all its query heads."""
    return -(-seed.queries_per_key // shape.queries_per_key)


def grown_layer(layer: int, seed_layers: int, layers: int) -> int:
    """Where block ``layer`` (0-based) of the seed stands among the ``layers`` grown blocks.

    The seed's blocks are spread: each is the last of its stretch, so that a layer keeps its
    relative depth and the last one stays the last.
    """
    return (layer + 1) * layers // seed_layers - 1


def grown_fingerprint(seed: str, growth: Growth) -> str:
    """SHA-256 (hex) that identifies a grown model by its seed's fingerprint and its shape."""
    asked = {name: value for name, value in asdict(growth).items() if value is not None}
    text = json.dumps({"seed": seed, "method": _GROWTH_METHOD, **asked}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _check(seed: LlamaShape, shape: LlamaShape) -> None:
    for name in _ONLY_UPWARDS:
        smallest, value = getattr(seed, name), getattr(shape, name)
        if value < smallest:
            raise _refused(name, value, f"the seed has {smallest}: give at least that")
    heads, keys = shape.num_attention_heads, shape.num_key_value_heads
    if keys < 1 or heads % keys:
        raise _refused("num_key_value_heads", keys, f"give a divisor of the {heads} heads")
    if shape.hidden_size % heads:
        raise _refused(
            "num_attention_heads", heads, f"give a divisor of the width {shape.hidden_size}"
        )
    needed = seed.num_key_value_heads * key_value_copies(seed, shape)
    if keys < needed:
        raise _refused(
            "num_key_value_heads",
            keys,
            f"with {shape.queries_per_key} query heads each, the seed's"
            f" {seed.num_key_value_heads} key/value heads need at least {needed}",
        )
    if shape.head_dim % 2:
        raise _refused("head_dim", shape.head_dim, "rotary positions need an even number")
    if shape.tie_word_embeddings and not seed.tie_word_embeddings:
        raise _refused("tie_word_embeddings", True, "the seed's embeddings are not tied: leave it")


def _refused(name: str, value: Any, remedy: str) -> UserError:
    return UserError(f"grow.{name}", f"{value} cannot hold the seed's function", remedy)
