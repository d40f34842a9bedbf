"""What the configured annotator may use: the pair, a chat, the checker, its options."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from judge_lightning.court.annotators import Tools, check_annotator
from judge_lightning.errors import UserError
from pipelines.config import ChatConfig, RunConfig
from pipelines.inference import open_text_model
from pipelines.pair import load_pair_tokenizer
from pipelines.stand_in import seed_of

if TYPE_CHECKING:
    from judge_lightning.court.chat import Chat
    from judge_lightning.court.records import Prompt


def check_annotating(config: RunConfig) -> None:
    """Refuses an annotator or an option that does not exist, and ``llm`` without a model."""
    check_annotator(config.annotate.name, config.annotate.options)
    if config.annotate.name == "llm":
        from pipelines.chat import validate_chat

        validate_chat("annotate.chat", _chat_config(config))


def annotator_settings(config: RunConfig) -> dict[str, Any]:
    """What of the annotator can change a result. The pair is in ``mine``'s key already."""
    options = config.annotate.options
    settings: dict[str, Any] = {"name": config.annotate.name, "options": options}
    if options.get("temperature"):
        settings["seed"] = config.seed
    if config.annotate.name == "llm":
        from pipelines.chat import chat_settings

        settings["chat"] = chat_settings(config, _chat_config(config))
    return settings


def annotator_tools(config: RunConfig) -> Tools:
    """The tools of a run. Models are loaded when the annotator first asks for them."""
    return Tools(
        tokenizer=load_pair_tokenizer(config),
        check=_checker(config),
        load_target=lambda: open_text_model(config, seed_of(config.pair.target)),
        load_chat=lambda: _load_chat(config, "annotate.chat", _chat_config(config)),
        options=config.annotate.options,
        seed=config.seed,
        batch_size=config.annotate.batch_size,
    )


def _checker(config: RunConfig) -> Callable[[Prompt, str], bool]:
    """The court's checkers as ``mine`` has them."""
    from judge_lightning.court.checkers import load_checkers

    load = None
    if config.mine.checker_chat is not None:
        load = partial(_load_chat, config, "mine.checker_chat", config.mine.checker_chat)
    checkers = load_checkers(load, os.cpu_count() or 1, config.mine.allow_code)
    return checkers.check


def _chat_config(config: RunConfig) -> ChatConfig:
    if config.annotate.chat is None:
        raise UserError("annotate.chat", "is not given, and llm asks a model", "name a model")
    return config.annotate.chat


def _load_chat(config: RunConfig, field: str, chat: ChatConfig) -> Chat:
    from pipelines.chat import load_chat

    return load_chat(config, field, chat)
