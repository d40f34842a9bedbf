"""Growing a trained Llama into a larger Llama shape without changing its function.

The grown model costs what its shape costs and says what its seed says: a *stand-in* for a
model that is not at hand. How each size grows:

- **width**: the residual stream is padded with zeros. Over D instead of d numbers, the mean
  square of an RMS norm is d/D of the seed's, so its weights are scaled by sqrt(d/D) and its
  epsilon by d/D.
- **head size**: zeros at new query positions. The seed's rotary frequencies theta^(-2i/h) are
  among the grown theta^(-2j/h') at j = i h'/h where that is whole; otherwise theta becomes
  theta^(h'/h), whose first h/2 frequencies are the seed's. The query is scaled by
  sqrt(h'/h), because attention divides by sqrt(h').
- **heads**: a seed's key/value head is copied until its query heads find room beside copies;
  the output projection ignores all other heads.
- **MLP width and depth**: the down projection ignores new units; added blocks have a zero
  output and down projection and so pass the residual stream on as it is.
- **vocabulary**: the logits of new ids get -10,000, by a buffer that the head adds; they take
  no probability, and those of the seed's ids are what they were.

All other weights that cannot reach the output are random: many zeros elsewhere would cost a
device less than a trained model does.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.models.growth_weights import WeightWriter
from judge_lightning.models.shape import Growth, LlamaShape, grown_layer

UNUSED_LOGIT = -10_000.0
"""Added to the logits of ids that the seed does not have; fits float16."""
_SPREAD = 0.02
"""Standard deviation of the random weights, Llama's own at initialisation."""
_ELEMENTWISE_ROPE = ("default", "linear", "llama3")
"""Kinds that change each frequency by itself, so that it may move to another position."""


def grown_config(seed: LlamaConfig, growth: Growth) -> LlamaConfig:
    """The grown model's config: the seed's with another shape, epsilon and rotary base.

    Raises:
        UserError: The seed is no plain Llama, or the shape cannot hold its function.
    """
    old = LlamaShape.of(seed.to_dict())
    new = growth.resolve(old)
    config = copy.deepcopy(seed)
    for name, value in asdict(new).items():
        setattr(config, name, value)
    config.rms_norm_eps = seed.rms_norm_eps * old.hidden_size / new.hidden_size
    rope: Any = seed.rope_parameters
    config.rope_parameters = _rope(dict(rope), old.head_dim, new.head_dim)
    return config


def grown_shell(config: LlamaConfig, used_ids: int, dtype: torch.dtype) -> LlamaForCausalLM:
    """A grown config's model on the meta device: shapes and dtypes without memory.

    ``used_ids`` is the seed's vocabulary size.
    """
    with torch.device("meta"):
        model: LlamaForCausalLM = LlamaForCausalLM._from_config(config, dtype=dtype)
        if used_ids < config.vocab_size:
            model.lm_head = _PaddedHead(config.hidden_size, config.vocab_size, dtype)
            if config.tie_word_embeddings:
                model.lm_head.weight = model.model.embed_tokens.weight
    return model


@torch.no_grad()
def grow(
    seed: LlamaForCausalLM,
    growth: Growth,
    *,
    dtype: torch.dtype = torch.float32,
    places: Mapping[str, Any] | None = None,
    finish_block: Callable[[nn.Module], None] | None = None,
    random_seed: int = 0,
) -> LlamaForCausalLM:
    """Builds the grown model module by module; no weight is ever held twice or in another dtype.

    Args:
        seed: A trained model, on any device.
        growth: The shape to grow into.
        dtype: Of the grown weights; the seed's are scaled in float32 and rounded to it once.
        places: Where the modules go, as an accelerate device map (module name to device, ``""``
            for all); None: the CPU.
        finish_block: What is done to each block once it has its weights (quantization).
        random_seed: Of the weights that do not matter; the same seed, shape, dtype and kind of
            device give the same weights.

    Returns:
        In eval mode. Its logits over the seed's ids are the seed's up to rounding.

    Raises:
        UserError: The seed is no plain Llama, or the shape cannot hold its function.
    """
    config = grown_config(seed.config, growth)
    model = grown_shell(config, seed.config.vocab_size, dtype)
    writer = WeightWriter(LlamaShape.of(seed.config.to_dict()), LlamaShape.of(config.to_dict()))
    randomise = _Randomiser(places or {"": "cpu"}, random_seed)
    inner, old = model.model, seed.model
    count = len(inner.layers)
    seed_blocks = {
        grown_layer(layer, len(old.layers), count): block for layer, block in enumerate(old.layers)
    }
    randomise("model.embed_tokens", inner.embed_tokens)
    writer.embeddings(inner.embed_tokens.weight, old.embed_tokens.weight)
    for number, block in enumerate(inner.layers):
        randomise(f"model.layers.{number}", block)
        writer.block(block, seed_blocks.get(number))
        if finish_block is not None:
            finish_block(block)
    randomise("model.norm", inner.norm)
    writer.norm(inner.norm.weight, old.norm.weight)
    if config.tie_word_embeddings:
        model.lm_head.weight = inner.embed_tokens.weight
    else:
        randomise("lm_head", model.lm_head)
        writer.head(model.lm_head.weight, seed.lm_head.weight)
    if isinstance(model.lm_head, _PaddedHead):
        model.lm_head.silence(seed.config.vocab_size)
    # Its frequencies are no weights: they are computed, and computed on no meta device.
    inner.rotary_emb = LlamaRotaryEmbedding(config).to(randomise.device_of("model.rotary_emb"))
    model.generation_config = copy.deepcopy(seed.generation_config)
    return model.eval()


def grow_head(
    head: JudgeHead,
    growth: Growth,
    seed: LlamaShape,
    target: str = "",
    *,
    draft_hidden_size: int | None = None,
    draft: str = "",
) -> JudgeHead:
    """A judge of the seed as a judge of the grown model: the same verdict on every token.

    The grown embedding is the seed's followed by zeros, so the weights are padded with zeros;
    the layers move with their blocks (``shape.grown_layer``).

    Args:
        head: Trained on the seed.
        growth: What the seed was grown into.
        seed: The seed's shape.
        target: The grown model's fingerprint, for the new head's configuration.
        draft_hidden_size: The width of the draft that it decodes with, for a head that reads the
            draft's states; None where it is the one of training.
        draft: That draft's fingerprint, likewise.

    Raises:
        UserError: The head does not fit the seed, its kind cannot be grown, or the shape cannot
            hold the seed.
    """
    head.check_fits(seed.hidden_size, seed.num_hidden_layers)
    shape = growth.resolve(seed)
    layers = [
        grown_layer(layer, seed.num_hidden_layers, shape.num_hidden_layers)
        for layer in head.layers_read
    ]
    config = replace(
        head.config,
        hidden_size=shape.hidden_size,
        layer=layers[-1],
        layers=tuple(layers) if head.several_layers else (),
        layers_of_target=shape.num_hidden_layers,
        target=target,
    )
    if head.reads_draft_embedding and draft_hidden_size is not None:
        config = replace(config, draft_hidden_size=draft_hidden_size, draft=draft)
    return head.widened(config).eval()


class _PaddedHead(nn.Linear):
    """An output head whose logits of unused ids are pressed down by a buffer, not by weights."""

    unused: Tensor

    def __init__(self, width: int, vocabulary: int, dtype: torch.dtype) -> None:
        super().__init__(width, vocabulary, bias=False, dtype=dtype)
        self.register_buffer("unused", torch.zeros(vocabulary, dtype=dtype), persistent=False)

    def silence(self, used: int) -> None:
        """Leaves only the first ``used`` ids with a chance."""
        self.unused = self.weight.new_zeros(len(self.weight))
        self.unused[used:] = UNUSED_LOGIT

    def forward(self, states: Tensor) -> Tensor:
        """Maps (..., D) to logits (..., V')."""
        return nn.functional.linear(states, self.weight, self.unused)


class _Randomiser:
    """Gives modules of the meta device memory at their place, full of random numbers."""

    def __init__(self, places: Mapping[str, Any], seed: int) -> None:
        self._places = places
        self._seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def __call__(self, name: str, module: nn.Module) -> None:
        device = self.device_of(name)
        module.to_empty(device=device)
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        for parameter in module.parameters():
            parameter.normal_(0.0, _SPREAD, generator=self._generators[device])

    def device_of(self, name: str) -> torch.device:
        """The device of the nearest enclosing module that has a place."""
        while name not in self._places and name:
            name = name.rpartition(".")[0]
        return torch.device(self._places[name])


def _rope(parameters: dict[str, Any], old: int, new: int) -> dict[str, Any]:
    """The rotary parameters under which a head of ``new`` dimensions has the seed's frequencies."""
    if new == old:
        return parameters
    kind = parameters.get("rope_type", "default")
    if kind not in _ELEMENTWISE_ROPE:
        raise UserError(
            "grow.head_dim", f"{new} would change rotary positions of type {kind!r}", f"keep {old}"
        )
    if new % old == 0:
        return parameters
    theta = math.exp(min(math.log(parameters["rope_theta"]) * new / old, 700.0))
    if theta > torch.finfo(torch.float32).max:
        raise UserError(
            "grow.head_dim",
            f"{new} needs a rotary base beyond float32",
            f"give a multiple of the seed's {old}",
        )
    return {**parameters, "rope_theta": theta}
