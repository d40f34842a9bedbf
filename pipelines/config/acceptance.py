"""How much of any text the target's verification accepts: which texts, on which prompts."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class TextConfig:
    """A text that is offered to the target as if it were a draft (docs/acceptance.md)."""

    kind: str = MISSING
    """``drafter``: answers that the stage mine holds. ``paraphrase``: right answers of the micro
    world, said in a dialect. ``reference``: the prompts' own references. ``jsonl``: a file."""
    author: str | None = None
    """Whose mined answers; None: the text's own name. For ``drafter``."""
    dialect: str = "draft"
    """Likewise ``samples``, sayings of each answer: for ``paraphrase``."""
    samples: int = 1
    path: str | None = None
    """A JSON Lines file; fields may be dotted paths. For ``jsonl``, as are the next three."""
    prompt_field: str = "prompt"
    answer_field: str = "answer"
    prompts: str = "file"
    """``file``: all of its lines. ``run``: answers to the run's prompts, which the annotator can
    label."""


@dataclass
class AcceptanceConfig:
    name: str = MISSING
    texts: dict[str, TextConfig] = field(default_factory=dict)
    """Empty: the run has no such stage."""
    splits: list[str] = field(default_factory=lambda: ["calibration"])
    """Whose prompts: those that the judge was not trained on."""
    prompts: int | None = None
    """At most so many of the run's prompts, and of each file's, spread evenly; None: all."""
    draft_length: int = 16
    """M: the text is offered so many tokens at a time."""
    labelled: bool = True
    """Whether the annotator (``annotate``) says which tokens are correct; else nobody knows."""
    judge: bool = True
    """Whether the judge's verdicts are measured too, which needs one: the run's, or
    ``engine.judge_path``."""
    shard_size: int = 32
    """Prompts per shard, the unit of resuming."""
    batch_size: int = 32
    """*(free)* Answers per forward pass."""
