"""What the configured annotator may use: the pair, a chat, the checker, its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from judge_lightning.court.annotators import Tools
from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.pair import load_pair_model, load_pair_tokenizer
from pipelines.stand_in import seed_of

if TYPE_CHECKING:
    from judge_lightning.court.chat import Chat


def annotator_tools(config: RunConfig) -> Tools:
    """The tools of a run. Models are loaded when the annotator first asks for them."""
    from judge_lightning.court.checkers import check

    return Tools(
        tokenizer=load_pair_tokenizer(config),
        check=check,
        load_target=lambda: load_pair_model(config, seed_of(config.pair.target)),
        load_draft=lambda: load_pair_model(config, seed_of(config.pair.draft)),
        load_chat=lambda: _load_chat(config),
        options=config.annotate.options,
        seed=config.seed,
        batch_size=config.annotate.batch_size,
    )


def _load_chat(config: RunConfig) -> Chat:
    if config.annotate.chat is None:
        raise UserError(
            "annotate.chat", f"{config.annotate.name} asks a model, and none is named", "name one"
        )
    raise NotImplementedError
