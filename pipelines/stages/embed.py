"""embed: the frozen target's states of all layers at every labelled token."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.inference import check_inference, inference_settings
from pipelines.judge_heads import embeds_draft
from pipelines.pair import model_settings, target_shape
from pipelines.stage import Stage, StageContext
from pipelines.stand_in import model_fingerprint, seed_of

if TYPE_CHECKING:
    from judge_lightning.embeddings import Embedder

_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}
_UNKNOWN_COUNT = 1000
"""Prompts that a source with no stated count is taken to have, for the disk estimate."""


class Embed(Stage):
    """Writes ``shard-<number>.safetensors`` and ``index.json``."""

    name = "embed"
    version = 3
    reads = ("dataset",)
    in_shards = True

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The target, and how its states are stored; the draft, where a head reads it too."""
        drafted = {"draft": model_settings(seed_of(config.pair.draft))}
        return {
            "target": model_settings(seed_of(config.pair.target)),
            "dtype": config.embed.dtype,
            "shard_tokens": config.embed.shard_tokens,
            **(drafted if embeds_draft(config) else {}),
            **inference_settings(config),
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses a dtype that is no float type and sizes that hold nothing."""
        check_inference(config)
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
        layers += embeds_draft(config)  # The draft is seldom wider than its target.
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
        from judge_lightning.embedding_shards import plan_shards, write_embeddings

        config = context.config
        dataset = context.inputs["dataset"]
        total = sum(1 for _ in plan_shards(read_dataset(dataset), config.embed.shard_tokens))
        drafted = embeds_draft(config)
        shards = write_embeddings(
            partial(_open_embedder, config),
            read_dataset(dataset),
            context.work,
            dtype=config.embed.dtype,
            shard_tokens=config.embed.shard_tokens,
            target=model_fingerprint(seed_of(config.pair.target)),
            draft=model_fingerprint(seed_of(config.pair.draft)) if drafted else None,
            crew=context.crew,
        )
        tokens = mistakes = mismatches = 0
        for shard in context.recorder.progress(shards, total=total, unit="shard"):
            tokens += shard.tokens
            mistakes += shard.mistakes
            mismatches += shard.mismatches
        context.recorder.metric("shards", total)
        context.recorder.metric("tokens", tokens)
        context.recorder.metric("mistake_tokens", mistakes)
        if drafted:
            context.recorder.metric("mismatched_tokens", mismatches)


def _open_embedder(config: RunConfig) -> Embedder:
    from judge_lightning.embeddings import Embedder
    from pipelines.inference import open_state_reader

    return Embedder(open_state_reader(config), config.embed.dtype)


STAGE = Embed()
