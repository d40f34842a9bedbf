"""The decoders that a judge is compared with, by the names used in configs and reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from judge_lightning.decoding.autoregressive import AutoregressiveDecoder
    from judge_lightning.decoding.decoder import SpeculativeDecoder
    from judge_lightning.decoding.draft_length import DraftLength
    from judge_lightning.decoding.engine import Engine
    from judge_lightning.heads import JudgeHead
    from judge_lightning.models.pair import Pair

DECODERS = ("target", "draft", "exact", "judge")
"""Target alone, draft alone, standard speculative decoding, judge decoding."""

SPECULATIVE = ("exact", "judge")
"""Those that propose blocks and so have cycles to speak of."""


ENGINE_KINDS = ("eager", "compiled", "auto")


def check_decoders(names: Sequence[str]) -> None:
    """Raises UserError for a decoder that does not exist, stands twice, or misses its baseline."""
    known = ", ".join(DECODERS)
    for name in names:
        if name not in DECODERS:
            raise UserError("verifier.decoders", f"there is no decoder {name!r}", f"use {known}")
        if names.count(name) > 1:
            raise UserError("verifier.decoders", f"{name!r} stands twice", "name each decoder once")
    if "target" not in names:
        raise UserError(
            "verifier.decoders",
            "the target alone is missing, which speed and quality are compared with",
            "add 'target'",
        )


def check_engine(kind: str, temperature: float) -> None:
    """Raises UserError for an engine that does not exist or cannot do here what is asked for."""
    from judge_lightning.decoding.compiler import compiler_problem

    if kind not in ENGINE_KINDS:
        known = ", ".join(ENGINE_KINDS)
        raise UserError("engine.kind", f"there is no engine {kind!r}", f"use one of {known}")
    if kind != "compiled":
        return
    if temperature > 0:
        problem = f"compiled decodes greedily alone, engine.temperature is {temperature}"
        raise UserError("engine.kind", problem, "use eager or auto")
    missing = compiler_problem()
    if missing is not None:
        raise UserError(
            "engine.kind", f"compiled needs a C++ compiler: {missing}", "use eager or auto"
        )


def choose_engine(kind: str, temperature: float, *, on_gpu: bool) -> str:
    """``auto`` is ``compiled`` where the CPU decodes greedily and can compile, else ``eager``."""
    from judge_lightning.decoding.compiler import compiler_problem

    if kind != "auto":
        return kind
    usable = temperature == 0 and not on_gpu and compiler_problem() is None
    return "compiled" if usable else "eager"


def build_decoder(
    name: str,
    pair: Pair,
    head: JudgeHead | None,
    draft_length: int | DraftLength,
    engine: str | Engine = "eager",
) -> AutoregressiveDecoder | SpeculativeDecoder:
    """Makes one of ``DECODERS`` over the pair's models.

    ``head`` is used, at its own threshold, by ``judge`` alone; ``draft_length`` is the number
    of tokens proposed per cycle by ``exact`` and ``judge``, or a policy. ``engine`` is ``eager``,
    ``compiled``, or one that several decoders share.

    Raises:
        UserError: The name is unknown, or ``judge`` was asked for without a head.
    """
    from judge_lightning.decoding.autoregressive import AutoregressiveDecoder
    from judge_lightning.decoding.decoder import SpeculativeDecoder
    from judge_lightning.verifiers import Exact, Judge

    if name == "target":
        return AutoregressiveDecoder(pair.target, engine)
    if name == "draft":
        return AutoregressiveDecoder(pair.draft, engine)
    if name == "exact":
        return SpeculativeDecoder(pair.target, pair.draft, Exact(), draft_length, engine)
    if name != "judge":
        raise UserError("decoder", f"there is no {name!r}", f"use one of {', '.join(DECODERS)}")
    if head is None:
        raise UserError("judge", "the judge decoder was given no judge", "name a judge's folder")
    verifier = Judge(head, head.config.threshold)
    return SpeculativeDecoder(pair.target, pair.draft, verifier, draft_length, engine)
