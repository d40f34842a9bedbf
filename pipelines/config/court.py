"""The court: prompts, miners, annotators and the data set that comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class SourceConfig:
    """One source of prompts (docs/prompts.md): a format, and files or a Hub data set in it."""

    format: str = MISSING
    """A module of ``judge_lightning/court/sources/formats/``."""
    family: str = MISSING
    """What its prompts are called in tables, and by ``eval.headline``."""
    split: str | None = None
    """Force all of the source's prompts into one split (``eval`` keeps it out of the court)."""
    count: int = 0
    """0 takes everything."""
    path: str | None = None
    """A local file, or several by a pattern; else ``hub``."""
    hub: str | None = None
    """A Hub data set by name, or a folder that is laid out like one."""
    subset: str | None = None
    """Of the Hub data set, likewise the next two."""
    hub_split: str = "train"
    revision: str | None = None
    prompt_field: str = "prompt"
    """Likewise ``reference_field``: for the format ``jsonl``."""
    reference_field: str = "reference"
    checker: str | None = None
    """Who says whether an answer is right: a file of ``judge_lightning/court/checkers/``; None: the
    format's own. ``none``: the answers are never checked, nor mined."""
    licence: str | None = None
    """For the dataset card, where the format does not know it."""


@dataclass
class FilterConfig:
    """Which prompts are left out. The defaults leave out nothing but what is the same."""

    minimum_characters: int = 1
    """Shorter prompts go."""
    maximum_characters: int = 0
    """0 sets no limit."""
    languages: list[str] = field(default_factory=list)
    """ISO 639-1 codes; empty takes every language."""
    near_duplicates: float = 0.0
    """Jaccard similarity of word shingles from which two prompts are one; 0 looks for none."""
    decontaminate: list[str] = field(default_factory=list)
    """Sources of ``data.sources`` whose prompts no prompt of the court may overlap with."""
    ngram: int = 13
    """Words in a row that a prompt must not share with those."""


@dataclass
class DataConfig:
    name: str = MISSING
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    """By name; of prompts that are alike the first source's stays, and held-out ones before all."""
    seed: int = 0
    """Another one splits otherwise."""
    shares: dict[str, float] = field(
        default_factory=lambda: {"train": 0.6, "validation": 0.1, "calibration": 0.1, "eval": 0.2}
    )
    """Share of prompts per split, by hash of the prompt's text."""
    filters: FilterConfig = field(default_factory=FilterConfig)
    max_rejected: float = 0.05
    """*(free)* The run ends when a larger share of prompts or answers cannot be used."""


@dataclass
class ChatConfig:
    """A model that is talked to: loaded here, or behind an OpenAI-compatible endpoint."""

    kind: str = "local"
    """``local`` or ``endpoint``."""
    model: str = "target"
    """Local: ``target``, ``draft`` or a model path; endpoint: the name that it serves."""
    base_url: str | None = None
    """The endpoint's address, up to ``/v1``."""
    api_key_env: str | None = "OPENAI_API_KEY"
    """The environment variable that holds the key, which itself is never configured; None: the
    server asks for none."""
    concurrency: int = 8
    """*(free)* Requests at a time."""
    retries: int = 5
    """*(free)*"""
    timeout_seconds: float = 120.0
    """*(free)*"""
    prompt_price: float = 0.0
    """*(free)* Per million tokens, likewise ``completion_price``: for the cost."""
    completion_price: float = 0.0


@dataclass
class DrafterConfig:
    """Who writes the wrong answers.

    ``kind`` ``local``: ``model`` is ``draft``, ``target`` or a model path. ``endpoint``: the model
    behind ``endpoint``. ``text``: answers that exist already, in the JSON Lines file ``path``;
    fields may be dotted paths (``*.solution``: the field of every object in the line).
    """

    kind: str = "local"
    model: str = "draft"
    temperature: float = 0.0
    samples: int = 1
    """Answers to each prompt."""
    endpoint: ChatConfig | None = None
    path: str | None = None
    prompt_field: str = "prompt"
    answer_field: str = "answer"


@dataclass
class MineConfig:
    name: str = MISSING
    drafters: dict[str, DrafterConfig] = field(default_factory=dict)
    """By name, under which their answers are kept."""
    max_new_tokens: int = 200
    """Of one answer."""
    shard_size: int = 256
    """Prompts per shard, the unit of resuming."""
    batch_size: int = 64
    """*(free)*"""
    seed: int = 0
    """Of sampled answers."""
    minimum_tuples: int = 0
    """The stage fails, naming the remedy, when fewer (correct, wrong) pairs were found."""
    target_answers: bool = True
    """Whether the target answers too; else right answers are the drafters' and the references."""
    reference_answers: bool = False
    """Whether the references count as right answers: they are worked out, as answers are."""
    longest: int = 0
    """Prompt and answer together have at most this many tokens; 0: what the target can read."""
    checker_chat: ChatConfig | None = None
    """Who decides about answers whose checker is ``prompted``."""
    allow_code: bool = False
    """*(free)* Agrees to running generated code, for ``unit_tests`` (docs/sandbox.md)."""


@dataclass
class AnnotateConfig:
    name: str = MISSING
    """The annotator: a module of ``judge_lightning/court/annotators/``."""
    options: dict[str, Any] = field(default_factory=dict)
    """The annotator's own."""
    chat: ChatConfig | None = None
    """Who marks mistakes for the annotator ``llm``."""
    check_right: bool = True
    """Whether right answers are looked at too, and left out where they hold a mistake."""
    batch_size: int = 32
    """*(free)*"""
    after_mistake: str = "ignored"
    """What follows the first mistake: ``ignored`` or ``wrong`` (labelled 0)."""


@dataclass
class DatasetConfig:
    """What of the annotated tuples becomes the data set, and what is added."""

    maximum_tuples: int = 0
    """0 keeps all."""
    reviews: list[str] = field(default_factory=list)
    """Files of people's decisions, which overrule the annotator's."""
    guarded: str | None = None
    """A JSON Lines file of continuations that must never be accepted, merged as mistakes
    (docs/dataset.md); ``micro:flagged_train`` is the embedded one."""
