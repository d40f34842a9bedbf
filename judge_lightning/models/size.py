"""How large a model is, before it is loaded or even downloaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.models.location import locate
from judge_lightning.models.parts import (
    DTYPE_BYTES,
    QUANTIZED_BYTES,
    Parts,
    PassShape,
    count_parts,
    head_size_of,
    key_heads_of,
    pass_shape,
)
from judge_lightning.models.shape import Growth

_KEEP = 8
_KEPT: dict[tuple[str, str, str | None, str], tuple[Any, int]] = {}
"""The last models that were built; they have no memory but their modules."""


@dataclass(frozen=True)
class ModelSize:
    """``parameters`` is a count (tied weights once), everything else is bytes.

    ``parts`` is the memory at the chosen dtype and quantization, ``cache_per_token`` that of
    keys and values of one token, ``download`` what is fetched from the Hub (0: it is here).
    ``shape`` is what a forward pass's memory depends on.
    """

    parameters: int
    parts: Parts
    cache_per_token: int
    download: int
    shape: PassShape

    @property
    def weights(self) -> int:
        """Bytes of all weights."""
        return self.parts.total


def measure_size(
    path: str,
    shape: Mapping[str, Any] | None = None,
    *,
    dtype: str = "float32",
    quantization: str | None = None,
    revision: str | None = None,
    growth: Growth | None = None,
) -> ModelSize:
    """Counts a model's weights exactly, by building it without memory (torch's meta device).

    Args:
        path: A folder, a Hub name or ``micro:<name>``.
        shape: The fields of the model's config with its ``model_type``; needed for a Hub name
            that is not in the local cache, so that no request is made.
        dtype: Of the weights that are not quantized, and of the cache.
        quantization: None, ``int8``, ``nf4`` or ``int8wo``: of all linear layers but the output
            head.
        revision: Of a Hub name.
        growth: What the model is grown into; the download stays the seed's.

    Raises:
        UserError: The shape is missing or wrong, the model cannot be grown as asked
            for, or dtype or quantization is unknown.
    """
    if dtype not in DTYPE_BYTES:
        raise UserError("dtype", f"{dtype!r} is unknown", f"use {', '.join(DTYPE_BYTES)}")
    if quantization is not None and quantization not in QUANTIZED_BYTES:
        raise UserError(
            "quantization", f"{quantization!r} is unknown", "use null, int8, nf4 or int8wo"
        )
    model, download = _built(path, json.dumps(dict(shape or {})), revision, growth)
    number = DTYPE_BYTES[dtype]
    return ModelSize(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        parts=count_parts(model, number, quantization),
        cache_per_token=cache_per_token(model.config) * number,
        download=download,
        shape=pass_shape(model, number, quantization),
    )


def _built(path: str, shape: str, revision: str | None, growth: Growth | None) -> tuple[Any, int]:
    """The model on the meta device, grown if asked for, and the bytes of its download.

    The last few are kept: finding what fits asks for the same model in several dtypes.
    """
    key = (path, shape, revision, repr(growth))
    if key not in _KEPT:
        if len(_KEPT) >= _KEEP:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[key] = _build(path, json.loads(shape), revision, growth)
    return _KEPT[key]


def _build(
    path: str, shape: Mapping[str, Any], revision: str | None, growth: Growth | None
) -> tuple[Any, int]:
    import torch
    from transformers import AutoModelForCausalLM

    located = locate(path)
    config = _config(located, shape, revision)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    download = _download(located, model.num_parameters(), config, revision)
    if growth is not None:
        from judge_lightning.models.growth import grown_config, grown_shell

        model = grown_shell(grown_config(config, growth), config.vocab_size, torch.float32)
    return model, download


def _config(located: Path | str, shape: Mapping[str, Any] | None, revision: str | None) -> Any:
    from transformers import AutoConfig

    name = str(located)
    if shape:
        fields = dict(shape)
        if "model_type" not in fields:
            raise UserError(name, "its shape has no model_type", "add it, for example llama")
        try:
            return AutoConfig.for_model(fields.pop("model_type"), **fields)
        except (TypeError, ValueError) as error:
            raise UserError(
                name, f"its shape is wrong ({error})", "give its config's fields"
            ) from error
    try:
        return AutoConfig.from_pretrained(
            located, revision=revision or "main", local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise UserError(
            name,
            "its shape is unknown without a download",
            "give the fields of its config as shape",
        ) from error


def cache_per_token(config: Any) -> int:
    """Numbers that all layers keep of one token."""
    config = config.get_text_config(decoder=True)
    return 2 * int(config.num_hidden_layers) * key_heads_of(config) * head_size_of(config)


def _download(located: Path | str, parameters: int, config: Any, revision: str | None) -> int:
    """Bytes of a Hub checkpoint that is not in the local cache, in the dtype it was saved in."""
    if isinstance(located, Path) or _in_hub_cache(located, revision):
        return 0
    saved = str(config.dtype or "bfloat16").removeprefix("torch.")
    return parameters * DTYPE_BYTES.get(saved, 2)


def _in_hub_cache(name: str, revision: str | None) -> bool:
    """Whether all weight files of a model have been downloaded before."""
    from huggingface_hub import try_to_load_from_cache

    def cached(file: str) -> str | None:
        found = try_to_load_from_cache(name, file, revision=revision or "main")
        return found if isinstance(found, str) else None

    index = cached("model.safetensors.index.json")
    if index is None:
        return cached("model.safetensors") is not None
    shards = set(json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"].values())
    return all(cached(shard) for shard in shards)
