"""The decoders that a judge is compared with, by the names used in configs and reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

ALONE = ("target", "draft")
"""Those that propose nothing: a cycle is a token."""

HEADLINE = ("exact", "judge")
"""The two whose comparison a report is about."""

ENGINE_KINDS = ("eager", "compiled", "auto")

Rules = Mapping[str, Any]
"""More decoders: their names, and each one's acceptance rule as ``make_rule`` reads it."""

NO_RULES: Rules = {}

_NAME = re.compile(r"[A-Za-z0-9_]+")
"""Names of decoders are parts of file names, and end where a dash begins."""


def is_speculative(name: str) -> bool:
    """Whether a decoder proposes blocks and so has cycles to speak of."""
    return name not in ALONE


def in_usual_order(names: Iterable[str]) -> list[str]:
    """Each name once: the four of ``DECODERS`` in their order, then the others as they come."""
    found = dict.fromkeys(names)
    return [*(name for name in DECODERS if name in found), *(n for n in found if n not in DECODERS)]


def check_decoders(
    names: Sequence[str], rules: Rules = NO_RULES, *, lossless: bool = False
) -> None:
    """Checks the decoders of a comparison.

    Args:
        names: Out of ``DECODERS`` and the names of ``rules``.
        rules: All of them are checked, also those that ``names`` leaves out.
        lossless: Whether nothing but the target's own output will do. The target and the draft
            alone, who are there to be compared with, are let be.

    Raises:
        UserError: A decoder does not exist, stands twice, has a rule that makes no sense, is lossy
            where it must not be, or the target is missing.
    """
    _check_rules(rules)
    for name in names:
        if name not in DECODERS and name not in rules:
            known = ", ".join([*DECODERS, *rules])
            remedy = f"use {known}, or describe it in verifier.rules"
            raise UserError("verifier.decoders", f"there is no decoder {name!r}", remedy)
        if names.count(name) > 1:
            raise UserError("verifier.decoders", f"{name!r} stands twice", "name each decoder once")
    if "target" not in names:
        raise UserError(
            "verifier.decoders",
            "the target alone is missing, which speed and quality are compared with",
            "add 'target'",
        )
    lossy = [name for name in names if lossless and not _is_lossless(name, rules)]
    if lossy:
        problem = f"{', '.join(lossy)} may write what the target would not"
        raise UserError(
            "verifier.lossless", problem, "leave that out, or use verifier.lossless=false"
        )


def needing_judge(names: Sequence[str], rules: Rules = NO_RULES) -> list[str]:
    """Which of the decoders have a judge in their rule."""
    return [name for name in names if name == "judge" or (name in rules and is_judged(rules[name]))]


def is_judged(spec: Any) -> bool:
    """Whether a rule has a judge in it."""
    from judge_lightning.decoding.verifiers.registry import needs_head

    return needs_head(spec)


def reading_draft(names: Sequence[str], rules: Rules = NO_RULES) -> list[str]:
    """Which of the decoders read the draft's probabilities when decoding greedily too."""
    used = [name for name in names if name in rules]
    if not used:  # Saves importing torch for a plan.
        return []
    from judge_lightning.decoding.verifiers.registry import reads_draft

    return [name for name in used if reads_draft(rules[name])]


def describe_decoder(name: str, rules: Rules = NO_RULES) -> str:
    """What a decoder with a rule of ``rules`` does; empty for one of ``DECODERS``."""
    from judge_lightning.decoding.verifiers.registry import describe_rule

    return describe_rule(rules[name]) if name in rules else ""


def check_engine(kind: str, temperature: float, reading: Sequence[str] = ()) -> None:
    """Raises UserError for an engine that does not exist or cannot do here what is asked for.

    ``reading`` are the decoders that read the draft's probabilities or states.
    """
    from judge_lightning.decoding.compiler import compiler_problem

    if kind not in ENGINE_KINDS:
        known = ", ".join(ENGINE_KINDS)
        raise UserError("engine.kind", f"there is no engine {kind!r}", f"use one of {known}")
    if kind != "compiled":
        return
    if temperature > 0:
        problem = f"compiled decodes greedily alone, engine.temperature is {temperature}"
        raise UserError("engine.kind", problem, "use eager or auto")
    if reading:
        readers = ", ".join(reading)
        problem = f"compiled has no probabilities and states of the draft, which {readers} reads"
        raise UserError("engine.kind", problem, "use eager or auto")
    missing = compiler_problem()
    if missing is not None:
        raise UserError(
            "engine.kind", f"compiled needs a C++ compiler: {missing}", "use eager or auto"
        )


def choose_engine(
    kind: str, temperature: float, *, on_gpu: bool, reading: Sequence[str] = ()
) -> str:
    """``auto`` is ``compiled`` where the CPU decodes greedily and can compile, else ``eager``.

    ``reading`` are the decoders that read the draft's probabilities or states: they all take
    ``eager``, since decoders that are timed side by side have one engine.
    """
    from judge_lightning.decoding.compiler import compiler_problem

    if kind != "auto":
        return kind
    usable = temperature == 0 and not on_gpu and not reading and compiler_problem() is None
    return "compiled" if usable else "eager"


def build_decoder(
    name: str,
    pair: Pair,
    head: JudgeHead | None,
    draft_length: int | DraftLength,
    engine: str | Engine = "eager",
    *,
    rules: Rules = NO_RULES,
) -> AutoregressiveDecoder | SpeculativeDecoder:
    """Makes one of ``DECODERS``, or one with a rule of its own, over the pair's models.

    ``head`` is used by ``judge``, at its own threshold, and by rules that have a judge in them;
    ``draft_length`` is the number of tokens proposed per cycle, or a policy. ``engine`` is
    ``eager``, ``compiled``, or one that several decoders share.

    Raises:
        UserError: The name is unknown, or a judge is needed and none was given.
    """
    from judge_lightning.decoding.autoregressive import AutoregressiveDecoder
    from judge_lightning.decoding.decoder import SpeculativeDecoder
    from judge_lightning.decoding.verifiers.registry import make_rule

    if name == "target":
        return AutoregressiveDecoder(pair.target, engine)
    if name == "draft":
        return AutoregressiveDecoder(pair.draft, engine)
    if name not in HEADLINE and name not in rules:
        known = ", ".join([*DECODERS, *rules])
        raise UserError("decoder", f"there is no {name!r}", f"use one of {known}")
    if name == "judge" and head is None:
        raise UserError("judge", "the judge decoder was given no judge", "name a judge's folder")
    verifier = make_rule(rules.get(name, name), head, f"verifier.rules.{name}")
    return SpeculativeDecoder(pair.target, pair.draft, verifier, draft_length, engine)


def _check_rules(rules: Rules) -> None:
    if not rules:
        return
    from judge_lightning.decoding.verifiers.registry import check_rule

    for name, spec in rules.items():
        field = f"verifier.rules.{name}"
        if name in DECODERS:
            raise UserError(field, f"{name!r} is a decoder of its own", "choose another name")
        if not _NAME.fullmatch(name):
            raise UserError(field, f"{name!r} is no name", "use letters, digits and _")
        check_rule(spec, field)


def _is_lossless(name: str, rules: Rules) -> bool:
    from judge_lightning.decoding.verifiers.registry import is_lossless

    return name in ALONE or is_lossless(rules.get(name, name))
