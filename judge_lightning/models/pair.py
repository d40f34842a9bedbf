"""Loading a draft/target pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from judge_lightning.errors import UserError
from judge_lightning.models.location import EMBEDDED, locate
from judge_lightning.models.quantization import check_quantization, quantization_config
from judge_lightning.models.shape import Growth
from judge_lightning.models.tensor_parallel import check_tensor_parallel, tensor_parallel_options
from judge_lightning.models.vocabulary import check_vocabularies, check_vocabulary_sizes


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from and how it is held in memory.

    ``path`` is a folder, a Hub name or ``micro:<name>``. ``quantization`` is None, ``int8`` or
    ``nf4`` (bitsandbytes), or ``int8wo`` (torchao). ``device_map`` None keeps the model on one
    device, ``auto`` spreads whole blocks over all GPUs (``models.placement``), anything else is
    transformers' own. ``tensor_parallel`` splits every block over the processes of ``torchrun``.
    ``grow`` makes a stand-in of it, in a larger shape (``models.growth``).
    """

    path: str
    revision: str | None = None
    dtype: str = "float32"
    quantization: str | None = None
    device_map: str | None = None
    grow: Growth | None = None
    tensor_parallel: bool = False


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
        UserError: A model cannot be found or loaded, or tokenizers or vocabularies differ.
    """
    target_source = _source(target, "target")
    if draft is None and not target_source.path.startswith(f"{EMBEDDED}:"):
        raise UserError("pair.draft", "is not given", "name a draft for this target")
    draft_source = _source(EMBEDDED if draft is None else draft, "draft")
    sources = {"target": target_source, "draft": draft_source}
    for source in sources.values():
        check_loadable(source)
    tokenizer = load_tokenizer(target_source.path, target_source.revision, chat_template)
    check_vocabularies(tokenizer, load_tokenizer(draft_source.path, draft_source.revision))
    check_vocabulary_sizes(
        tokenizer,
        {role: _rows(source) for role, source in sources.items()},
        grown=[role for role, source in sources.items() if source.grow is not None],
    )
    return Pair(load_model(target_source, device), load_model(draft_source, device), tokenizer)


def load_model(source: ModelSource, device: str = "auto") -> PreTrainedModel:
    """Loads one causal LM from safetensors, without running code from the Hub.

    Raises:
        UserError: It cannot be found or loaded, its dtype or quantization is unknown or not
            installed, it cannot be grown as asked for, or tensor parallelism is asked for
            outside of ``torchrun``.
    """
    check_loadable(source)
    if source.grow is not None:
        return _load_grown(source, source.grow, device)
    located = locate(source.path)
    if source.tensor_parallel:
        options = tensor_parallel_options()
    else:
        options = {"device_map": _device_map(source, device)}
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            located,
            revision=source.revision or "main",
            dtype=_dtype(source.dtype),
            quantization_config=quantization_config(source.quantization, _dtype(source.dtype)),
            use_safetensors=True,
            trust_remote_code=False,
            **options,
        )
    except (OSError, ValueError, ImportError) as error:
        raise UserError(source.path, _first_line(error), _HINT) from error
    model.eval()
    return model


def check_loadable(source: ModelSource) -> None:
    """Raises UserError for what can be known to fail before a file is read."""
    _dtype(source.dtype)
    check_quantization(source.quantization)
    if source.tensor_parallel:
        check_tensor_parallel(
            device_map=source.device_map,
            quantization=source.quantization,
            grown=source.grow is not None,
        )


def _device_map(source: ModelSource, device: str) -> Any:
    """Where the modules go. A model too large for all GPUs is left to transformers, which keeps
    the rest in the host's memory, unless it is quantized: then that is refused."""
    if source.device_map != "auto" or not torch.cuda.is_available():
        return {"": pick_device(device)} if source.device_map is None else source.device_map
    from judge_lightning.models.device_map import automatic_map, free_gpu_memory

    with torch.device("meta"):
        shell = AutoModelForCausalLM.from_config(_config(source), trust_remote_code=False)
    try:
        return automatic_map(shell, free_gpu_memory(), source.dtype, source.quantization)
    except UserError:
        if source.quantization is not None:
            raise
        return "auto"


def _load_grown(source: ModelSource, growth: Growth, device: str) -> PreTrainedModel:
    """Loads the seed in float32, so that its weights are rounded once, when they are grown."""
    from judge_lightning.models.stand_in import load_stand_in

    seed = load_model(ModelSource(source.path, source.revision), "cpu")
    return load_stand_in(
        seed,
        growth,
        dtype=_dtype(source.dtype),
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


def _config(source: ModelSource) -> Any:
    try:
        return AutoConfig.from_pretrained(
            locate(source.path), revision=source.revision or "main", trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise UserError(source.path, _first_line(error), _HINT) from error


def _rows(source: ModelSource) -> int:
    """How many logits the model has, as it will be loaded."""
    if source.grow is not None and source.grow.vocab_size is not None:
        return source.grow.vocab_size
    return int(_config(source).get_text_config(decoder=True).vocab_size)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".") or type(error).__name__
