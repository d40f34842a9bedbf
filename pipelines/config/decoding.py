"""Decoding: who answers, how fast, and what is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from pipelines.config.models import PairConfig


@dataclass
class VerifierConfig:
    name: str = MISSING
    decoders: list[str] = field(default_factory=lambda: ["target", "draft", "exact", "judge"])
    """``target``, ``draft``, ``exact``, ``judge``, and names of ``rules``."""
    rules: dict[str, Any] = field(default_factory=dict)
    """More decoders: a name, and an acceptance rule (docs/rules.md): ``NAME``,
    ``{NAME: {OPTION: VALUE}}`` or ``{any_of: [RULE, RULE]}``."""
    lossless: bool = False
    """*(free)* Refuses decoders whose output may differ from the target's own."""


@dataclass
class EngineConfig:
    name: str = MISSING
    kind: str = "eager"
    """*(free)* ``eager``, ``compiled``, or ``auto``: compiled where the CPU decodes greedily and a
    C++ compiler is at hand. Both write the same tokens; as between devices, a judge's
    probabilities may differ in the sixth digit."""
    draft_length: int | str = 16
    """Tokens proposed per cycle, or ``auto``: as many as are worth it, block by block."""
    longest_draft: int = 32
    """Most tokens of a block; for ``auto``."""
    draft_cost: float = 0.1
    """One more proposed token in units of a target pass (``benchmarks.adaptive_length`` measures
    it); for ``auto``."""
    look_every: int = 1
    """``auto`` may end a block after every so many tokens. On a GPU each look at the draft's
    confidence waits for the device: 4 costs little there."""
    max_new_tokens: int = 200
    """Of one answer."""
    temperature: float = 0.0
    """0 is greedy."""
    device: str = "auto"
    """*(free)*"""
    workers: int = 0
    """*(free)* Decoding processes side by side; 0: one per two GPUs or one per CPU core."""
    shard_size: int = 32
    """Prompts per shard, the unit of resuming."""
    prompts: int | None = None
    """Answer at most so many held-out prompts of each family, spread evenly; None: all."""
    families: list[str] | None = None
    """Answer these families' prompts alone, the headline's among them; None: all."""
    share_baselines: bool = False
    """Decode what asks no judge in a stage of its own (baseline), which the jobs of a sweep share.
    Speeds then come from different moments."""
    judge_path: str | None = None
    """Decode with this judge folder instead of the trained one."""


@dataclass
class SpeedConfig:
    """Speed measured apart, on a stand-in for the run's pair (docs/standins.md)."""

    name: str = MISSING
    pair: PairConfig | None = None
    """The shapes that the run's own models wear; None, or a run whose pair is a stand-in, takes
    speed from the decode stage."""
    prompts: int = 10
    """How many of the held-out headline prompts, spread evenly; all where there are fewer."""
    engine: str = "eager"
    """*(free)* As ``engine.kind``; all decoders have the same."""
    shard_size: int = 5
    """Prompts per shard, the unit of resuming."""


@dataclass
class EvalConfig:
    name: str = MISSING
    tasks: list[str] = field(default_factory=list)
    """``micro_word`` ..., ``llama3_gsm8k`` ..., or tasks and groups of lm-eval
    (docs/evaluating.md)."""
    limit: int | None = None
    """The first so many documents of each task; None: all."""
    num_fewshot: int | None = None
    """Examples in the prompt, for tasks that have any; None: as many as the task's file says."""
    seed: int = 1234
    """Of the choice of examples, where a task draws them."""
    confidence: float = 0.95
    """Of the intervals of differences to the target alone."""
    headline: str = MISSING
    """The prompt family whose numbers stand in the headline table."""
    data_dir: str | None = None
    """*(free)* A folder with the files of the public benchmarks, in place of the Hub; their
    contents are part of the key."""
    allow_code: bool = False
    """*(free)* Agrees to running generated code in the sandbox, which HumanEval and MBPP need."""
    chat_template: bool = True
    """Render prompts as a conversation."""
    multiturn: bool = True
    """Examples are turns of the conversation; else they stand in its first one."""
    system_instruction: str | None = None
    """The system prompt."""
    truncate: bool = False
    """Cut documents that are longer than the context on their left, instead of refusing them."""
    batch_size: int | None = None
    """*(free)* Rows a forward pass for tasks that compare likelihoods; None chooses."""
