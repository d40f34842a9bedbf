"""How fast a pair decodes, from its passes: a model alone, and cycles of drafts and a check."""

from __future__ import annotations

from dataclasses import dataclass

from judge_lightning.models.pass_time import Engine, pass_time
from judge_lightning.models.size import ModelSize


@dataclass(frozen=True)
class Acceptance:
    """Draft tokens that a rule keeps of a cycle, on average. ``source``: who says so."""

    rule: str
    kept: float
    source: str


PAPER = "arXiv 2501.19309, 8B to 405B; assumed for every pair"
ASSUMED = (Acceptance("exact", 6.3, PAPER), Acceptance("judge", 19.7, PAPER))
"""The paper's m*. Its 8B to 70B row is not known here."""


@dataclass(frozen=True)
class Rate:
    """Seconds of a decoder's cycle (a pass, where nothing is drafted) and the tokens it yields."""

    decoder: str
    seconds: float
    tokens: float
    derivation: str

    @property
    def tokens_per_second(self) -> float:
        """Of one prompt at a time."""
        return self.tokens / self.seconds


def plain(name: str, size: ModelSize, engine: Engine, context: int) -> Rate:
    """A model that writes a token a pass."""
    one = pass_time(size, engine, tokens=1, context=context)
    return Rate(name, one.seconds, 1.0, one.formula())


def speculative(
    target: ModelSize,
    draft: ModelSize,
    engine: Engine,
    *,
    acceptance: Acceptance,
    draft_length: int,
    context: int,
) -> Rate:
    """M passes of the draft and one of the target over M + 1 tokens; the target adds a token.

    The judge's product of one vector and the block's states is left out: it is a millionth of a
    pass.
    """
    step = pass_time(draft, engine, tokens=1, context=context)
    check = pass_time(target, engine, tokens=draft_length + 1, context=context)
    kept = min(acceptance.kept, float(draft_length))
    seconds = draft_length * step.seconds + check.seconds
    derivation = (
        f"{draft_length} drafts of {1000 * step.seconds:.3g} ms and a check in"
        f" {1000 * check.seconds:.3g} ms: {1000 * seconds:.3g} ms for {kept:g} + 1 tokens"
    )
    return Rate(acceptance.rule, seconds, kept + 1, derivation)


def decoder_rates(
    target: ModelSize,
    draft: ModelSize,
    engine: Engine,
    *,
    draft_length: int,
    context: int,
    assumed: tuple[Acceptance, ...] = ASSUMED,
) -> dict[str, Rate]:
    """The four decoders of the headline table."""
    rates = [plain("target", target, engine, context), plain("draft", draft, engine, context)]
    rates += [
        speculative(
            target, draft, engine, acceptance=one, draft_length=draft_length, context=context
        )
        for one in assumed
    ]
    return {rate.decoder: rate for rate in rates}
