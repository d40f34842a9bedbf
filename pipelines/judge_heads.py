"""The configured kind of judge head: what it needs of the other stages, checked before work.

The paper's linear head is known here to need nothing, so that a plan with it imports no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from judge_lightning.errors import UserError
from pipelines.config import JudgeConfig, RunConfig
from pipelines.pair import target_shape
from pipelines.stand_in import describe_stand_in

if TYPE_CHECKING:
    from judge_lightning.heads import JudgeHead
    from judge_lightning.training import HeadKind

_PLAIN = "linear"


def head_kind(judge: JudgeConfig) -> HeadKind:
    """What is trained."""
    from judge_lightning.training import HeadKind

    return HeadKind(judge.head, dict(judge.options))


def embeds_draft(config: RunConfig) -> bool:
    """Whether the head to be trained reads the draft's states, so that they have to be stored."""
    if config.judge.head == _PLAIN:
        return False
    from judge_lightning.heads import head_class

    kind = head_class(config.judge.head)
    return kind.reads_draft_embedding or kind.mismatches_only


def check_head(config: RunConfig) -> None:
    """Raises UserError for a kind, an option or a layer that does not exist."""
    from judge_lightning.heads import head_class, read_options

    judge, shape = config.judge, target_shape(config)
    layers = None if shape is None else shape[0]
    options = read_options(judge.head, judge.options, layers)
    if judge.layer is None or layers is None:
        return
    candidates = head_class(judge.head).candidates(layers, options)
    if judge.layer % layers not in {read[-1] for read in candidates}:
        read = " and ".join(f"{list(one)}" for one in candidates)
        raise UserError(
            "judge.layer",
            f"is {judge.layer}, but a head of the kind {judge.head} reads {read} here",
            "use judge.layer=null, judge.options say what it reads",
        )


def decoding_head(config: RunConfig) -> type[JudgeHead]:
    """The class of the judge that decodes: of ``engine.judge_path``, else the trained one's.

    Raises:
        UserError: There is no such kind, or the judge's configuration cannot be read.
    """
    from judge_lightning.heads import head_class
    from judge_lightning.heads.files import read_config

    path = config.engine.judge_path
    if path is None:
        return head_class(config.judge.head)
    return head_class(read_config(Path(path)).kind, "engine.judge_path")


def decodes_with_draft_states(config: RunConfig) -> bool:
    """Whether the judge that decodes reads the draft's states."""
    if config.engine.judge_path is None and config.judge.head == _PLAIN:
        return False
    return decoding_head(config).reads_draft_embedding


def check_growable(config: RunConfig) -> None:
    """Raises UserError where a stand-in decodes with a judge that cannot be grown with it."""
    if describe_stand_in(config.pair) and not decoding_head(config).growable:
        raise UserError(
            "pair",
            f"{config.pair.name} is a stand-in, and a judge of the kind {config.judge.head} cannot"
            " be grown with it",
            "use another judge.head",
        )
