"""Rules by name: every module here with a ``RULE`` is one, adding one touches nothing else.

A rule is written as in a configuration: a name, ``{name: options}``, or a composition,
``{any_of: [rule, rule]}`` and ``{all_of: [rule, rule]}``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge_lightning.decoding.verifiers.compose import AllOf, AnyOf, Standard
from judge_lightning.decoding.verifiers.rule import TokenRule
from judge_lightning.decoding.verifiers.verdict import Verifier
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig, JudgeHead

RuleSpec = str | Mapping[str, Any]
_PACKAGE = __name__.rpartition(".")[0]
_COMPOSED = {"any_of": AnyOf, "all_of": AllOf}
_HEAD = "head"
# As parts, rules vote; these two stand for themselves where they are no parts.
_AS_PARTS = {"exact": "standard", "judge": "judge_alone"}


def rule_names() -> list[str]:
    """The rules that exist, compositions apart."""
    folder = str(Path(__file__).parent)
    names = (module.name for module in pkgutil.iter_modules([folder]))
    return sorted(name for name in names if hasattr(_module(name), "RULE"))


def make_rule(spec: RuleSpec, head: JudgeHead | None = None, field: str = "verifier") -> Verifier:
    """Makes a rule.

    Args:
        spec: As in a configuration.
        head: For rules that have a judge in them.
        field: Where the spec stands, for messages.

    Raises:
        UserError: There is no such rule or option, an option's value makes no sense, or a judge
            is needed and none was given.
    """
    name, options = _read(spec, field)
    if name in _COMPOSED:
        return _COMPOSED[name]([_part(one, head, field) for one in _parts(name, options, field)])
    return _made(name, options, head, field)


def needs_head(spec: RuleSpec, field: str = "verifier") -> bool:
    """Whether a judge is part of the rule."""
    name, options = _read(spec, field)
    if name in _COMPOSED:
        return any(needs_head(one, field) for one in _parts(name, options, field))
    return _HEAD in inspect.signature(_rule(name, field)).parameters


def needs_mismatch_head(spec: RuleSpec, field: str = "verifier") -> bool:
    """Whether the rule is for a judge that was trained on mismatches alone."""
    name, options = _read(spec, field)
    if name in _COMPOSED:
        return any(needs_mismatch_head(one, field) for one in _parts(name, options, field))
    return bool(getattr(_rule(name, field), "needs_mismatch_head", False))


def is_lossless(spec: RuleSpec, field: str = "verifier") -> bool:
    """Whether the rule keeps the target's own output. No composition does."""
    name, _ = _read(spec, field)
    return name not in _COMPOSED and bool(_rule(name, field).lossless)


def reads_draft(spec: RuleSpec, field: str = "verifier") -> bool:
    """Whether the rule needs the draft's probabilities when decoding greedily too."""
    return bool(make_rule(spec, _any_head(), field).reads_draft)


def check_rule(spec: RuleSpec, field: str = "verifier") -> None:
    """Raises UserError, as ``make_rule`` would, for a rule that cannot be made with any judge."""
    make_rule(spec, _any_head(), field)


def describe_rule(spec: RuleSpec, field: str = "verifier") -> str:
    """The rule in a few characters: ``judge, threshold 0.5``, ``any_of(exact, top_k, k 2)``."""
    name, options = _read(spec, field)
    if name in _COMPOSED:
        parts = (describe_rule(one, field) for one in _parts(name, options, field))
        return f"{name}({'; '.join(parts)})"
    return ", ".join([name, *(f"{option} {value}" for option, value in options.items())])


def _any_head() -> JudgeHead:
    return JudgeHead(HeadConfig(1, 0, 1))


def _made(name: str, options: Mapping[str, Any], head: JudgeHead | None, field: str) -> Verifier:
    rule = _rule(name, field)
    _check_options(name, options, rule, field)
    if _HEAD not in inspect.signature(rule).parameters:
        made: Verifier = rule(**options)
        return made
    if head is None:
        raise UserError(field, f"{name} was given no judge", "name a judge's folder")
    judged: Verifier = rule(head, **options)
    return judged


def _check_options(name: str, options: Any, rule: Any, field: str) -> None:
    if not isinstance(options, Mapping):
        remedy = f"write {name}: {{OPTION: VALUE}}"
        raise UserError(f"{field}.{name}", f"is {options!r}", remedy)
    known = {
        option: parameter
        for option, parameter in inspect.signature(rule).parameters.items()
        if option != _HEAD
    }
    for option, value in options.items():
        if option not in known:
            remedy = f"its options are {', '.join(known)}" if known else "it has no options"
            raise UserError(f"{field}.{name}.{option}", "there is no such option", remedy)
        whole = known[option].annotation in ("int", int)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            remedy = f"give a {'whole ' if whole else ''}number"
            raise UserError(f"{field}.{name}.{option}", f"is {value!r}", remedy)
    for option, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and option not in options:
            raise UserError(f"{field}.{name}.{option}", "it has no value", "give one")


def _part(spec: RuleSpec, head: JudgeHead | None, field: str) -> TokenRule:
    name, options = _read(spec, field)
    if name == "exact":
        return Standard()
    rule = make_rule({_AS_PARTS.get(name, name): options}, head, field)
    if not isinstance(rule, TokenRule):
        raise UserError(
            field, f"{name} judges whole blocks and cannot be composed", "compose other rules"
        )
    return rule


def _parts(name: str, options: Any, field: str) -> list[RuleSpec]:
    if not isinstance(options, list) or not options:
        raise UserError(f"{field}.{name}", f"is {options!r}", f"give a list: {name}: [exact, ...]")
    return list(options)


def _read(spec: RuleSpec, field: str) -> tuple[str, Any]:
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise UserError(field, f"{spec!r} is no rule", "write NAME or {NAME: {OPTION: VALUE}}")
    ((name, options),) = spec.items()
    return str(name), options or {}


def _rule(name: str, field: str) -> Any:
    if name not in rule_names():
        known = ", ".join([*rule_names(), *_COMPOSED])
        raise UserError(field, f"there is no rule {name!r}", f"use one of {known}")
    return _module(name).RULE


def _module(name: str) -> Any:
    return importlib.import_module(f"{_PACKAGE}.{name}")
