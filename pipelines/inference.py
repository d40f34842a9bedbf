"""The configured engine for writing and reading in bulk: what it is, and opening models in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import ModelConfig, RunConfig
from pipelines.judge_heads import embeds_draft
from pipelines.pair import load_pair_model, load_pair_tokenizer, model_source
from pipelines.stand_in import model_fingerprint, seed_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from judge_lightning.court.batches import Writer
    from judge_lightning.state_readers import StateReader
    from judge_lightning.vllm_engine.engine import VllmOptions

ENGINES = ("transformers", "vllm")


def inference_settings(config: RunConfig) -> dict[str, Any]:
    """What of it can change a result; nothing for transformers, which is the rule."""
    inference = config.inference
    if inference.engine == "transformers":
        return {}
    return {"inference": {"engine": inference.engine, "arguments": dict(inference.arguments)}}


def check_inference(config: RunConfig) -> None:
    """Raises UserError for an engine that does not exist or is not installed."""
    inference = config.inference
    if inference.engine not in ENGINES:
        raise UserError("inference.engine", f"unknown value {inference.engine!r}",
                        f"one of {list(ENGINES)}")  # fmt: skip
    if inference.tensor_parallel < 1:
        raise UserError("inference.tensor_parallel", "must be positive", "give 1 or more")
    if not 0 < inference.memory <= 1:
        raise UserError("inference.memory", f"{inference.memory} is no share", "above 0, 1 at most")
    if inference.engine == "vllm":
        from judge_lightning.vllm_engine.engine import check_vllm

        check_vllm()
    elif inference.arguments:
        raise UserError(
            "inference.arguments", "are vLLM's", "use inference=vllm, or leave them out"
        )


def open_text_model(config: RunConfig, model: ModelConfig) -> PreTrainedModel | Writer:
    """A model that is to write; ``close_models`` frees its memory."""
    if config.inference.engine == "transformers":
        return load_pair_model(config, model)
    from judge_lightning.vllm_engine.writer import VllmWriter

    return VllmWriter(model_source(model), load_pair_tokenizer(config), _options(config))


def open_state_reader(config: RunConfig) -> StateReader:
    """The frozen target that is to be read, and the draft where the head reads it too."""
    from judge_lightning.mismatches import DraftModel

    draft = None
    if embeds_draft(config):
        seed = seed_of(config.pair.draft)
        draft = DraftModel(load_pair_model(config, seed), model_fingerprint(seed))
    target = seed_of(config.pair.target)
    if config.inference.engine == "transformers":
        from judge_lightning.state_readers import LoadedModel

        return LoadedModel(load_pair_model(config, target), config.embed.batch_size, draft)
    from judge_lightning.vllm_engine.states import VllmStates

    return VllmStates(model_source(target), _options(config), draft)


def close_models(config: RunConfig) -> None:
    """Frees the memory of what is still open when a stage ends: the next one has its own models."""
    if config.inference.engine == "vllm":
        from judge_lightning.vllm_engine.engine import close_engine

        close_engine()


def _options(config: RunConfig) -> VllmOptions:
    from judge_lightning.vllm_engine.engine import VllmOptions

    inference = config.inference
    return VllmOptions(inference.tensor_parallel, inference.memory, dict(inference.arguments))
