"""Where the target stops coming to a right result, going on from the answer's beginning.

Needs no reference solution and no knowledge of the domain, only a checker and a target that
solves the task. The recovery curve is searched in O(log n) generations (``court/curves.py``).
A right answer is looked at, too, at O(log n) places: a mistake in it was made up for later.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from judge_lightning.court.annotators import Annotator, Case, Finding, Mistake, Tools, read_options
from judge_lightning.court.curves import Curve, run_searches, search_fall
from judge_lightning.court.labels import token_spans
from judge_lightning.court.steps import step_spans
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GRANULARITIES = ("tokens", "steps")


@dataclass(frozen=True)
class OPTIONS:
    """How often the target goes on from a beginning, and where answers are cut.

    ``k`` tries per beginning at ``temperature``; greedily there is one. ``granularity``
    ``tokens`` marks a token, ``steps`` a line or a sentence, in fewer generations. A result is
    within reach where a share of ``threshold`` of the tries is right. ``checks`` beginnings more
    are tried to see whether the curve falls once. A try that begins with one of
    ``retractions`` takes the beginning back and does not count (None: English phrases).
    """

    k: int = 1
    temperature: float = 0.0
    granularity: str = "tokens"
    threshold: float = 0.5
    checks: int = 2
    max_new_tokens: int = 256
    retractions: list[str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.retractions, (list, type(None))):
            problem, remedy = f"{self.retractions!r} is no list", "give [] to have none"
            raise UserError("annotate.options.retractions", problem, remedy)
        if self.granularity not in GRANULARITIES:
            problem = f"unknown value {self.granularity!r}"
            raise _refused("granularity", problem, f"one of {list(GRANULARITIES)}")
        if self.k < 1 or self.max_new_tokens < 1:
            name = "k" if self.k < 1 else "max_new_tokens"
            raise _refused(name, "must be positive", "give 1 or more")
        if self.k > 1 and self.temperature <= 0:
            problem = f"{self.k} greedy tries are all the same"
            raise _refused("k", problem, "give k=1 or a temperature above 0")
        if self.temperature < 0 or self.checks < 0:
            name = "temperature" if self.temperature < 0 else "checks"
            raise _refused(name, "is negative", "give 0 or more")
        if not 0 < self.threshold <= 1:
            raise _refused("threshold", f"{self.threshold} is no share", "above 0, 1 at most")


def build(tools: Tools) -> Annotator:
    """The annotator; the target is loaded for the first answers."""
    options = read_options(tools.options, OPTIONS)
    load_target = cache(tools.load_target)

    def annotate(cases: Sequence[Case]) -> list[Finding]:
        from judge_lightning.court.recovery import Recovery, Tries

        retractions = None if options.retractions is None else tuple(options.retractions)
        tries = Tries(
            rollouts=options.k,
            temperature=options.temperature,
            max_new_tokens=options.max_new_tokens,
            retractions=retractions,
            seed=tools.seed,
            batch_size=tools.batch_size,
        )
        recovery = Recovery(load_target(), tools.tokenizer, tools.check, tries)
        cuts = [_cut(tools.tokenizer, case, options.granularity) for case in cases]

        def shares_of(asked: list[tuple[int, int]]) -> list[float]:
            return recovery.shares(
                [recovery.beginning(cuts[n].case, cuts[n].ends[place]) for n, place in asked]
            )

        searches = [
            search_fall(
                len(cut.ends) - 1,
                cut.whole,
                threshold=options.threshold,
                checks=options.checks,
            )
            for cut in cuts
        ]
        curves = run_searches(searches, shares_of)
        return [_finding(*one, options) for one in zip(cuts, curves, strict=True)]

    return annotate


@dataclass(frozen=True)
class _Cut:
    """An answer cut into units; ``ends[n]`` is how many tokens its first n units have."""

    case: Case
    ends: list[int]
    spans: list[tuple[int, int]]

    @property
    def whole(self) -> float | None:
        """Whether the whole answer is right; unknown where it was cut off and may go on."""
        answer = self.case.answer
        return float(answer.right) if answer.right or answer.finished else None

    def characters(self, unit: int) -> tuple[int, int]:
        """The range of a unit without the blanks around it; empty where it has no text."""
        start = self.spans[self.ends[unit]][0]
        end = self.spans[self.ends[unit + 1] - 1][1]
        return start, max(start, end)


def _cut(tokenizer: PreTrainedTokenizerBase, case: Case, granularity: str) -> _Cut:
    spans = token_spans(tokenizer, case.answer.token_ids)
    ends = list(range(len(spans) + 1))
    if granularity == "steps":
        last = [end for _, end in step_spans(case.answer.text)]
        closes = {bisect_left(spans, end, key=lambda span: span[1]) + 1 for end in last}
        ends = sorted({0, len(spans), *closes})
    return _Cut(case, ends, spans)


def _finding(cut: _Cut, curve: Curve, options: OPTIONS) -> Finding:
    generations = options.k * len(curve.shares)
    before = curve.before
    if before is None:
        if cut.case.answer.right:
            return Finding(None, generations=generations)
        return Finding(None, False, generations, "cut off before a mistake")
    if before == 0 and curve.shares[0] < options.threshold:
        return Finding(None, False, generations, "the target does not solve it")
    start, end = cut.characters(before)
    evidence = _evidence(cut, curve, options.k)
    mistake = Mistake(start, end, curve.confidence, evidence)
    return Finding(mistake, True, generations, "" if curve.monotone else "curve not monotone")


def _evidence(cut: _Cut, curve: Curve, k: int) -> str:
    before = curve.before
    assert before is not None
    start, end = cut.characters(before)
    said = repr(cut.case.answer.text[start:end]) if start < end else "the answer's end"
    shares = ", ".join(
        f"{cut.ends[place]}: {round(share * k)}/{k}" for place, share in curve.shares.items()
    )
    evidence = f"the target comes to a right result from before {said}, not from behind it"
    if not curve.monotone:
        evidence += "; the curve is not monotone"
    return f"{evidence} (right by tokens given: {shares})"


def _refused(option: str, problem: str, remedy: str) -> UserError:
    return UserError(f"annotate.options.{option}", problem, remedy)
