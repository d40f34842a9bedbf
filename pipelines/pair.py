"""The configured pair, as the stages use it: what identifies it, and how to load it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import ModelConfig, PairConfig, RunConfig
from pipelines.durable import sha256_of_file
from pipelines.stand_in import described, model_fingerprint, seed_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from judge_lightning.models.pair import ModelSource, Pair

_LAYER_FIELDS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_LENGTH_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
_WIDTH_FIELDS = ("hidden_size", "n_embd", "d_model", "dim")


def model_settings(model: ModelConfig) -> dict[str, Any]:
    """What of a model can change a result: its content, not where it lies or on what it runs."""
    return {
        "fingerprint": model_fingerprint(model),
        "dtype": model.dtype,
        "quantization": model.quantization,
    }


def pair_settings(pair: PairConfig) -> dict[str, Any]:
    """The same of both models, and of the chat template where the pair brings its own.

    Raises:
        UserError: The chat template cannot be read.
    """
    return {
        "target": model_settings(pair.target),
        "draft": model_settings(pair.draft),
        "chat_template": template_digest(pair),
    }


def template_digest(pair: PairConfig) -> str | None:
    """Identifies the chat template where the pair brings its own.

    Raises:
        UserError: It cannot be read.
    """
    return _digest(pair.chat_template) if pair.chat_template else None


def named_model(config: RunConfig, name: str) -> ModelConfig:
    """The model that a drafter or a chat means: ``target``, ``draft``, or a model's path.

    A stand-in speaks as its seed does.
    """
    if name in ("target", "draft"):
        return seed_of(config.pair.target if name == "target" else config.pair.draft)
    return replace(ModelConfig(), path=name, dtype=config.pair.draft.dtype)


def target_context(config: RunConfig) -> int:
    """How many tokens the target can read, from its description; 0 when not known."""
    shape = described(seed_of(config.pair.target))
    shape = {**shape, **(shape.get("text_config") or {})}
    return next((int(shape[name]) for name in _LENGTH_FIELDS if shape.get(name)), 0)


def target_shape(config: RunConfig) -> tuple[int, int] | None:
    """Layers and hidden size of the target, from its description; None when not known yet.

    Of a stand-in they are the seed's, which is what the judge is trained on.
    """
    shape = described(config.pair.target)
    shape = {**shape, **(shape.get("text_config") or {})}
    layers = next((shape[name] for name in _LAYER_FIELDS if name in shape), None)
    width = next((shape[name] for name in _WIDTH_FIELDS if name in shape), None)
    return None if layers is None or width is None else (int(layers), int(width))


def pair_loader(config: RunConfig) -> Callable[[], Pair]:
    """What loads both models onto the run's device; picklable, for other processes."""
    from judge_lightning.models.pair import load_pair

    return partial(
        load_pair,
        model_source(config.pair.target),
        model_source(config.pair.draft),
        device=config.engine.device,
        chat_template=config.pair.chat_template,
    )


def load_pair_model(config: RunConfig, model: ModelConfig) -> PreTrainedModel:
    """Loads a configured model onto the run's device."""
    from judge_lightning.models.pair import load_model

    return load_model(model_source(model), config.engine.device)


def load_pair_tokenizer(config: RunConfig) -> PreTrainedTokenizerBase:
    """The pair's tokenizer, which is the target's, with the configured chat template."""
    from judge_lightning.models.pair import load_tokenizer

    target = config.pair.target
    return load_tokenizer(target.path, target.revision, config.pair.chat_template)


def model_source(model: ModelConfig) -> ModelSource:
    """Where a configured model comes from, and how it is held."""
    from judge_lightning.models.pair import ModelSource

    return ModelSource(
        model.path,
        model.revision,
        model.dtype,
        model.quantization,
        model.device_map,
        model.grow,
        model.tensor_parallel,
    )


def _digest(path: str) -> str:
    try:
        return sha256_of_file(Path(path))
    except OSError as error:
        raise UserError(
            "pair.chat_template", f"{path} cannot be read ({error.strerror})", "give a Jinja file"
        ) from error
