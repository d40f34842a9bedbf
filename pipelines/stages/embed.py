"""embed: the frozen target's states of all layers at every labelled token."""

from __future__ import annotations

from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.pair import load_pair_model, model_settings, target_shape
from pipelines.stage import Stage, StageContext
from pipelines.stand_in import model_fingerprint, seed_of

_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}
_UNKNOWN_COUNT = 1000
"""Prompts that a source with no stated count is taken to have, for the disk estimate."""


class Embed(Stage):
    """Writes ``shard-<number>.safetensors`` and ``index.json``."""

    name = "embed"
    version = 3
    reads = ("dataset",)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The target, and how its states are stored."""
        return {
            "target": model_settings(seed_of(config.pair.target)),
            "dtype": config.embed.dtype,
            "shard_tokens": config.embed.shard_tokens,
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses a dtype that is no float type and sizes that hold nothing."""
        if config.embed.dtype not in _BYTES:
            raise UserError(
                "embed.dtype", f"unknown value {config.embed.dtype!r}", f"one of {sorted(_BYTES)}"
            )
        for field in ("shard_tokens", "batch_size"):
            if getattr(config.embed, field) < 1:
                raise UserError(f"embed.{field}", "must be positive", "give 1 or more")

    def disk_bytes(self, config: RunConfig) -> int:
        """A tuple for every other court prompt, with answers of half the allowed length."""
        layers, width = target_shape(config) or (0, 0)
        prompts = sum(
            source.count or _UNKNOWN_COUNT
            for source in config.data.sources.values()
            if source.split != "eval"
        )
        tuples = config.dataset.maximum_tuples or prompts // 2
        token = layers * width * _BYTES[config.embed.dtype]
        return super().disk_bytes(config) + tuples * config.mine.max_new_tokens * token

    def run(self, context: StageContext) -> None:
        """Embeds the tuples shard by shard; complete shards are not computed again."""
        from judge_lightning.court.dataset.tables import read_dataset
        from judge_lightning.embeddings import embed_tuples, plan_shards

        config = context.config
        dataset = context.inputs["dataset"]
        groups = plan_shards(read_dataset(dataset), config.embed.shard_tokens)
        total = sum(1 for _ in groups)
        shards = embed_tuples(
            load_pair_model(config, seed_of(config.pair.target)),
            read_dataset(dataset),
            context.work,
            dtype=config.embed.dtype,
            shard_tokens=config.embed.shard_tokens,
            batch_size=config.embed.batch_size,
            target=model_fingerprint(seed_of(config.pair.target)),
        )
        tokens = mistakes = 0
        for shard in context.recorder.progress(shards, total=total, unit="shard"):
            tokens += shard.tokens
            mistakes += shard.mistakes
        context.recorder.metric("shards", total)
        context.recorder.metric("tokens", tokens)
        context.recorder.metric("mistake_tokens", mistakes)


STAGE = Embed()
