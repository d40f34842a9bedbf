"""Decoded answers for the page: each token with who kept it, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, repeat

from markupsafe import Markup

from evals.example_choice import (
    AS_IT_COMES,
    CHANGED,
    COST,
    ELSEWHERE,
    GAIN,
    GUARDED,
    AnswerCounts,
)
from evals.examples import Example
from pipelines.report.page import render_fragment, render_page, styles
from pipelines.report.token_facts import LEGEND, cycle_tip, fate_of, mark_of
from pipelines.report.token_text import Mark, direction

SCRIPT = "token_view.js"
"""Of the page: panel, filters and legend."""

REASONS = {
    AS_IT_COMES: "As it comes: the first held-out prompts, not selected",
    GUARDED: "The judge at work: the draft token that it refused most firmly",
    COST: "What it cost: the target alone is right here, judge decoding is not",
    GAIN: "What it gained: the target alone is wrong here, judge decoding is right",
    ELSEWHERE: "Outside the judge's training domain",
    CHANGED: "Put otherwise than by the target alone",
}
"""Why an answer is shown, in the order of the page."""

DRAWN = "Answers are drawn: two of them differ without any judge."
"""Each decoder draws from random numbers of its own."""

MOST_BYTES = 650_000
"""Of all answers on a page; the first is always shown."""
LONGEST = {"tokens": 1_000, "prompt": 4_000, "target": 8_000}
"""What of one answer is shown: its tokens, and characters of the texts around them."""


@dataclass(frozen=True)
class CycleView:
    """The tokens that one cycle added, and what is said of it."""

    tip: str
    marks: list[Mark]


@dataclass(frozen=True)
class TargetText:
    """The target's own answer, cut around the first word that judge decoding put otherwise; that
    word is empty where it has no such word."""

    before: str
    first: str
    after: str


@dataclass(frozen=True)
class AnswerView:
    """One example, ready for its template; ``drawn`` where decoding sampled it."""

    example: Example
    opened: bool = True
    drawn: bool = False

    @property
    def exact_cycles(self) -> int | None:
        """Of standard speculative decoding, where it wrote an answer of the same kind."""
        return None if self.drawn else self.example.exact_cycles

    @property
    def turned(self) -> str:
        """``wrong`` or ``right`` where the target alone is the other; else empty."""
        if self.example.right == self.example.target_right:
            return ""
        return "right" if self.example.right else "wrong"

    @property
    def reason(self) -> str:
        return REASONS.get(self.example.reason, self.example.reason)

    @property
    def outcome(self) -> str:
        """Right or wrong, in words."""
        now = "right" if self.example.right else "wrong"
        return f"turned {now}" if self.turned else now

    @cached_property
    def counts(self) -> Counter[str]:
        """Tokens by fate."""
        return Counter(fate_of(token) for token in self.example.tokens)

    @property
    def shares(self) -> list[tuple[str, float]]:
        """Of each fate, in percent."""
        total = max(1, len(self.example.tokens))
        return [(fate, 100 * self.counts[fate] / total) for fate, _ in LEGEND if self.counts[fate]]

    @property
    def direction(self) -> str:
        return direction(self.example.text)

    @property
    def prompt(self) -> str:
        return _shortened(self.example.prompt, LONGEST["prompt"])

    @property
    def cycles(self) -> list[CycleView]:
        """As far as the answer is shown."""
        shown: list[CycleView] = []
        room = LONGEST["tokens"]
        marks = iter(self._marks())
        proposed = chain(self.example.proposed or (), repeat(None))
        for number, tokens in enumerate(self.example.by_cycle()):
            tip = cycle_tip(number, tokens, next(proposed))
            part = [next(marks) for _ in tokens][:room]
            room -= len(part)
            shown.append(CycleView(tip, part))
        return [cycle for cycle in shown if cycle.marks]

    @property
    def cut(self) -> int:
        """Tokens at the end that are not shown."""
        return max(0, len(self.example.tokens) - LONGEST["tokens"])

    @property
    def target_text(self) -> TargetText:
        text, start, most = self.example.target_text, self._difference, LONGEST["target"]
        if start >= len(text):
            return TargetText(_shortened(text, most), "", "")
        start = max(text.rfind(" ", 0, start), text.rfind("\n", 0, start)) + 1
        word = next(iter(text[start:].split(maxsplit=1)), "")
        before, _, after = text[start:].partition(word) if word else ("", "", text[start:])
        before = text[max(0, start - most) : start] + before
        return TargetText(before, word, _shortened(after, most))

    @cached_property
    def _difference(self) -> int:
        """Characters up to the first that differs from the target's own answer."""
        pairs = zip(self.example.text, self.example.target_text, strict=False)
        shorter = min(len(self.example.text), len(self.example.target_text))
        return next((place for place, (one, other) in enumerate(pairs) if one != other), shorter)

    def _marks(self) -> Iterator[Mark]:
        tokens, threshold = self.example.tokens, self.example.threshold
        unmarked = self.example.changed
        ends = accumulate(len(token.text) for token in tokens)
        for place, (token, end) in enumerate(zip(tokens, ends, strict=True)):
            mark = mark_of(token, threshold, last=place == len(tokens) - 1)
            if unmarked and end > self._difference:
                mark, unmarked = replace(mark, style=f"{mark.style} first"), False
            yield mark


@dataclass(frozen=True)
class Choice:
    """A button of the filter: its value, its words, and how many answers it shows."""

    value: str
    label: str
    count: int


@dataclass(frozen=True)
class TokenView:
    """The section of a page: its answers as markup, and what can be chosen among them.

    ``drawn`` says what sampling means for a comparison; empty where decoding was greedy.
    """

    answers: list[Markup]
    counted: str
    drawn: str
    outcomes: list[Choice]
    families: list[Choice]
    legend: list[tuple[str, str, int]]


def token_view(
    examples: Sequence[Example],
    counts: Mapping[str, AnswerCounts],
    headline: str,
    temperature: float = 0.0,
) -> TokenView | None:
    """Prepares the section; None without an answer to show.

    Args:
        counts: Per family of prompts, all answers that there are.
        headline: The family that the page is about.
        temperature: At which the answers were decoded.
    """
    order = list(REASONS)
    ranked = sorted(
        examples,
        key=lambda one: order.index(one.reason) if one.reason in order else len(order),
    )
    answers: list[AnswerView] = []
    pieces: list[Markup] = []
    size = 0
    for example in ranked:
        fresh = example.reason not in {answer.example.reason for answer in answers}
        opened = fresh and example.reason in (AS_IT_COMES, GUARDED, COST)
        view = AnswerView(example, opened, temperature > 0)
        piece = render_fragment("token_answer.html.j2", answer=view)
        size += len(piece.encode(errors="replace"))
        if pieces and size > MOST_BYTES:
            break
        answers.append(view)
        pieces.append(piece)
    if not answers:
        return None
    fates = sum((answer.counts for answer in answers), Counter[str]())
    return TokenView(
        answers=pieces,
        counted=_counted(answers, counts, headline),
        drawn=DRAWN if temperature > 0 else "",
        outcomes=_outcomes(answers),
        families=_families(answers),
        legend=[(fate, meaning, fates[fate]) for fate, meaning in LEGEND],
    )


def answer_document(example: Example, temperature: float = 0.0) -> str:
    """One answer as an HTML document of its own: no script, no request."""
    answer = AnswerView(example, drawn=temperature > 0)
    return render_page(
        "token_document.html.j2",
        css=styles("report.css", "token_view.css"),
        answer=answer,
        legend=[(fate, meaning, answer.counts[fate]) for fate, meaning in LEGEND],
    )


def _counted(
    answers: Sequence[AnswerView], counts: Mapping[str, AnswerCounts], headline: str
) -> str:
    home = [answer for answer in answers if answer.example.family == headline]
    changed = sum(answer.example.changed for answer in home)
    shown = f"{len(answers)} answers are on this page, {len(home)} of them to {headline} prompts"
    there = counts.get(headline)
    if there is None:
        return f"{shown}; {changed} of those differ from the target's own."
    return (
        f"{shown}. In all there are {there.answers} to {headline} prompts, of which"
        f" {there.changed} differ from the target's own ({changed} of these are here),"
        f" {there.turned_wrong} turned wrong and {there.turned_right} turned right."
    )


def _outcomes(answers: Sequence[AnswerView]) -> list[Choice]:
    turned = Counter(answer.turned for answer in answers)
    return [
        Choice("all", "all", len(answers)),
        Choice("changed", "changed", sum(answer.example.changed for answer in answers)),
        Choice("wrong", "turned wrong", turned["wrong"]),
        Choice("right", "turned right", turned["right"]),
    ]


def _families(answers: Sequence[AnswerView]) -> list[Choice]:
    families = Counter(answer.example.family for answer in answers)
    if len(families) < 2:
        return []
    each = [Choice(family, family, count) for family, count in families.items()]
    return [Choice("", "all families", len(answers)), *each]


def _shortened(text: str, most: int) -> str:
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]} … and {left:,} characters more"
