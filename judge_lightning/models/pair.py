"""Loading a draft/target pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from judge_lightning.errors import UserError
from judge_lightning.models.location import EMBEDDED, locate
from judge_lightning.models.shape import Growth


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from and how it is held in memory.

    ``path`` is a folder, a Hub name or ``micro:<name>``. ``quantization`` is None, ``int8`` or
    ``nf4`` (bitsandbytes). ``device_map`` None keeps the model on one device, ``auto`` shards
    it over all GPUs. ``grow`` makes a stand-in of it, in a larger shape (``models.growth``).
    """

    path: str
    revision: str | None = None
    dtype: str = "float32"
    quantization: str | None = None
    device_map: str | None = None
    grow: Growth | None = None


@dataclass(frozen=True)
class Pair:
    """A target, a draft with the same vocabulary, and their tokenizer."""

    target: PreTrainedModel
    draft: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_pair(
    target: str | ModelSource = EMBEDDED,
    draft: str | ModelSource | None = None,
    *,
    device: str = "auto",
    chat_template: str | Path | None = None,
) -> Pair:
    """Loads a target and a draft, in eval mode.

    Args:
        target: A model; ``micro`` is the embedded one.
        draft: A model; None takes the embedded draft (the target must then be embedded too).
        device: Where models without a ``device_map`` go; ``auto``: the GPU where there is one.
        chat_template: A Jinja file that replaces the tokenizer's own template.

    Raises:
        UserError: A model cannot be found or loaded, or the vocabularies differ.
    """
    target_source = _source(target, "target")
    if draft is None and not target_source.path.startswith(f"{EMBEDDED}:"):
        raise UserError("pair.draft", "is not given", "name a draft for this target")
    draft_source = _source(EMBEDDED if draft is None else draft, "draft")
    tokenizer = load_tokenizer(target_source.path, target_source.revision, chat_template)
    check_vocabularies(tokenizer, load_tokenizer(draft_source.path, draft_source.revision))
    return Pair(load_model(target_source, device), load_model(draft_source, device), tokenizer)


def load_model(source: ModelSource, device: str = "auto") -> PreTrainedModel:
    """Loads one causal LM from safetensors, without running code from the Hub.

    Raises:
        UserError: It cannot be found or loaded, its dtype or quantization is unknown, or it
            cannot be grown as asked for.
    """
    if source.grow is not None:
        return _load_grown(source, source.grow, device)
    located = locate(source.path)
    place = {"": pick_device(device)} if source.device_map is None else source.device_map
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            located,
            revision=source.revision or "main",
            dtype=_dtype(source.dtype),
            quantization_config=_quantization(source),
            device_map=place,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, ImportError) as error:
        raise UserError(source.path, _first_line(error), _HINT) from error
    model.eval()
    return model


def _load_grown(source: ModelSource, growth: Growth, device: str) -> PreTrainedModel:
    """Loads the seed in float32, so that its weights are rounded once, when they are grown."""
    from judge_lightning.models.stand_in import load_stand_in

    dtype = _dtype(source.dtype)
    _quantization(source)
    seed = load_model(ModelSource(source.path, source.revision), "cpu")
    return load_stand_in(
        seed,
        growth,
        dtype=dtype,
        quantization=source.quantization,
        device=pick_device(device),
        device_map=source.device_map,
    )


def load_tokenizer(
    path: str, revision: str | None = None, chat_template: str | Path | None = None
) -> PreTrainedTokenizerBase:
    """Loads a model's tokenizer, with another chat template where a Jinja file is given.

    Raises:
        UserError: The tokenizer or the template cannot be read.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            locate(path), revision=revision or "main", trust_remote_code=False
        )
    except (OSError, ValueError, ImportError) as error:
        raise UserError(path, _first_line(error), _HINT) from error
    if chat_template is not None:
        try:
            tokenizer.chat_template = Path(chat_template).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError("pair.chat_template", str(error), "give a Jinja file") from error
    return tokenizer


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
        f"its vocabulary differs from the target's in {len(different)} ids, first in {first}:"
        f" {theirs_by_id.get(first)!r} in the draft, {ours_by_id.get(first)!r} in the target",
        "choose a draft with the target's tokenizer",
    )


def pick_device(device: str) -> str:
    """``auto`` is the GPU where there is one; any other name stays."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


_HINT = "check the name, the files, the revision and, for the Hub, the connection and the token"


def _source(model: str | ModelSource, role: str) -> ModelSource:
    if isinstance(model, ModelSource):
        return model
    return ModelSource(f"{EMBEDDED}:{role}" if model == EMBEDDED else model)


def _dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise UserError("dtype", f"{name!r} is unknown", "use float32, bfloat16 or float16")
    return dtype


def _quantization(source: ModelSource) -> BitsAndBytesConfig | None:
    settings: dict[str | None, dict[str, Any]] = {
        "int8": {"load_in_8bit": True},
        "nf4": {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_compute_dtype": _dtype(source.dtype),
        },
    }
    if source.quantization is None:
        return None
    if source.quantization not in settings:
        raise UserError(
            "quantization", f"{source.quantization!r} is unknown", "use null, int8 or nf4"
        )
    return BitsAndBytesConfig(**settings[source.quantization])


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".") or type(error).__name__
