"""Pairs with stand-ins: models grown into a larger shape, whose speed is measured.

A grown model says what its seed says, so the court, the training and the calibration use the
seed; only what decodes wears the shape. Whatever is shown of such a pair says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.models.fingerprint import fingerprint
from judge_lightning.models.location import locate
from judge_lightning.models.shape import LlamaShape, grown_fingerprint
from pipelines.config import ModelConfig, PairConfig, RunConfig


def seed_of(model: ModelConfig) -> ModelConfig:
    """The model that a stand-in was grown from; any other model is its own seed."""
    return replace(model, grow=None)


def describe_stand_in(pair: PairConfig) -> str:
    """What of a pair is a stand-in, in words; empty where both models are what they are."""
    return "; ".join(
        f"{role} is {model.path} grown to {model.grow.describe()}"
        for role, model in _models(pair)
        if model.grow is not None
    )


def timed_run(config: RunConfig) -> RunConfig | None:
    """The run whose speed is measured in place of this one's: its models in a stand-in's shapes.

    The models are the run's own, so the tokens are the same whatever the pair. None where speed
    is that of the run's pair: no stand-in is configured for it, or it is one itself.
    """
    worn = config.speed.pair
    if worn is None or describe_stand_in(config.pair):
        return None
    pair = replace(
        config.pair,
        name=worn.name,
        target=_dressed(config.pair.target, worn.target),
        draft=_dressed(config.pair.draft, worn.draft),
    )
    engine = replace(config.engine, kind=config.speed.engine, shard_size=config.speed.shard_size)
    return replace(config, pair=pair, engine=engine)


def model_fingerprint(model: ModelConfig) -> str:
    """Identifies a model's weights, tokenizer and the shape that it was grown into."""
    seed = fingerprint(model.path, model.revision)
    return seed if model.grow is None else grown_fingerprint(seed, model.grow)


def check_stand_ins(pair: PairConfig) -> None:
    """Raises UserError unless every shape can hold its seed and both vocabularies are as large."""
    vocabularies: dict[str, int | None] = {}
    for role, model in _models(pair):
        if model.grow is not None:
            try:
                vocabularies[role] = model.grow.resolve(_seed_shape(model)).vocab_size
            except UserError as error:
                raise UserError(f"pair.{role}.{error.field}", error.problem, error.remedy) from None
        else:
            vocabularies[role] = described(model).get("vocab_size")
    if describe_stand_in(pair) and vocabularies["target"] != vocabularies["draft"]:
        raise UserError(
            "pair.draft.grow.vocab_size",
            f"{vocabularies['draft']} is not the target's {vocabularies['target']}",
            "grow both vocabularies to the same size",
        )


def described(model: ModelConfig) -> dict[str, Any]:
    """A model's config, from its folder; of a Hub model, the configured ``shape``."""
    located = locate(model.path)
    if isinstance(located, Path):
        config: dict[str, Any] = json.loads((located / "config.json").read_text(encoding="utf-8"))
        return config
    return dict(model.shape)


def grow_judge(
    folder: Path, target: ModelConfig, into: Path, draft: ModelConfig | None = None
) -> Path:
    """Writes the judge of a stand-in's seed as a judge of the stand-in; returns its folder.

    Args:
        draft: The draft that it decodes with, which a judge may read and which may be grown too.

    Raises:
        UserError: The judge cannot be read, was not trained on the seed, or cannot be grown.
    """
    from judge_lightning.heads import JudgeHead
    from judge_lightning.models.growth import grow_head

    head = JudgeHead.from_pretrained(folder, expected_target=model_fingerprint(seed_of(target)))
    drafted: dict[str, Any] = {}
    if draft is not None and head.reads_draft_embedding and draft.grow is not None:
        width = draft.grow.resolve(_seed_shape(draft)).hidden_size
        drafted = {"draft_hidden_size": width, "draft": model_fingerprint(draft)}
    if target.grow is not None:
        seed, itself = _seed_shape(target), model_fingerprint(target)
        grown = grow_head(head, target.grow, seed, itself, **drafted)
    elif drafted:
        grown = head.widened(replace(head.config, **drafted))
    else:
        return folder
    grown.save_pretrained(into)
    return into


def _dressed(model: ModelConfig, worn: ModelConfig) -> ModelConfig:
    return replace(worn, path=model.path, revision=model.revision, shape=model.shape)


def _seed_shape(model: ModelConfig) -> LlamaShape:
    config = described(model)
    if not config:
        raise UserError("shape", f"is not given for {model.path}", "give the fields of its config")
    return LlamaShape.of(config)


def _models(pair: PairConfig) -> Iterator[tuple[str, ModelConfig]]:
    yield from (("target", pair.target), ("draft", pair.draft))
