"""MT-Bench: the questions, how they are answered, and who grades the answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from pipelines.config.court import ChatConfig


@dataclass
class MTBenchConfig:
    """Two-turn answers, graded by a model (docs/mt_bench.md)."""

    name: str = MISSING
    grader: ChatConfig | None = None
    """Who grades; None: the run has no such stages."""
    path: str | None = None
    """A file of MT-Bench's questions; None: ``hub``."""
    hub: str = "HuggingFaceH4/mt_bench_prompts"
    hub_split: str = "train"
    revision: str | None = None
    categories: list[str] | None = None
    """None: all of them."""
    questions: int | None = None
    """At most so many, spread evenly over the categories; None: all."""
    decoders: list[str] | None = None
    """Some of ``verifier.decoders``, ``target`` among them; None: all."""
    sampling: str = "greedy"
    """``greedy``, or ``category``: at each category's temperature, as MT-Bench's own answers."""
    max_new_tokens: int = 1024
    """Of one answer."""
    grading: list[str] = field(default_factory=lambda: ["single", "pairwise"])
    """``single``: every answer gets 1 to 10. ``pairwise``: every answer against the target's, asked
    in both orders."""
    grade_tokens: int = 1024
    """Of one of the grader's replies."""
    ask_again: int = 2
    """How often a reply without a grade is answered with a reminder."""
    max_ungraded: float = 0.05
    """*(free)* The run ends when a larger share of verdicts is missing."""
    batch_size: int = 8
    """*(free)* A local grader's replies at a time."""
