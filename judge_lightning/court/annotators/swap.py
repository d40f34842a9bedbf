"""Which of the answer's tokens may stand in the target's own answer: AutoJudge's search.

AutoJudge (arXiv 2504.20039, algorithm 1) goes through the tokens at which a draft differs from
the target's answer, from the left. It puts the draft's token in the place of the target's and
lets the target go on. If the result stays right, the token is unimportant and the new answer
replaces the old one; if not, the token is important and the target's stays.

Here the draft's tokens are those of the answer that is looked at, whoever wrote it, so the search
is over with the first important one: behind it the answer says something else than the target.
That token is the mistake, and those before it are known to be fine. Every token at which the two
differ costs one generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from judge_lightning.court.annotators import Annotator, Case, Finding, Mistake, Tools, read_options
from judge_lightning.court.labels import token_spans
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from judge_lightning.court.recovery import Beginning, Recovery


@dataclass(frozen=True)
class OPTIONS:
    """How long the target may go on.

    A result that the target reaches by beginning with one of ``retractions`` does not count,
    because it takes the token back (None: English phrases; empty: as in AutoJudge, it counts).
    """

    max_new_tokens: int = 256
    retractions: list[str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.retractions, (list, type(None))):
            problem, remedy = f"{self.retractions!r} is no list", "give [] to have none"
            raise UserError("annotate.options.retractions", problem, remedy)
        if self.max_new_tokens < 1:
            raise UserError("annotate.options.max_new_tokens", "must be positive", "give 1 or more")


@dataclass(frozen=True)
class Swap:
    """A token of the answer in the place of the target's, and whether the result stays right."""

    place: int
    token: int
    target_token: int | None
    important: bool


@dataclass
class Walk:
    """How far an answer has been gone through. ``current`` is the target's latest answer to it."""

    case: Case
    beginning: Beginning
    current: list[int] | None = None
    solved: bool = True
    swaps: list[Swap] = field(default_factory=list)
    generations: int = 1

    def add(self, place: int, right: bool, ending: Sequence[int] | None = None) -> None:
        """Notes what came of a swap; ``ending`` is how the target went on from it."""
        assert self.current is not None
        given = self.case.answer.token_ids
        target_token = self.current[place] if place < len(self.current) else None
        self.swaps.append(Swap(place, given[place], target_token, not right))
        if ending is not None:
            self.generations += 1
        if right:
            self.current = [*given[: place + 1], *(ending or ())]

    def next_difference(self) -> int | None:
        """The first place, behind what was tried, at which the answer differs from the target's.

        None: they do not differ, or an important token was found.
        """
        assert self.current is not None
        if self.swaps and self.swaps[-1].important:
            return None
        given = self.case.answer.token_ids
        start = self.swaps[-1].place + 1 if self.swaps else 0
        for place in range(start, len(given)):
            if place >= len(self.current) or given[place] != self.current[place]:
                return place
        return None


def build(tools: Tools) -> Annotator:
    """The annotator; the target is loaded for the first answers."""
    options = read_options(tools.options, OPTIONS)
    load_target = cache(tools.load_target)

    def annotate(cases: Sequence[Case]) -> list[Finding]:
        from judge_lightning.court.recovery import Recovery, Tries

        tries = Tries(
            max_new_tokens=options.max_new_tokens,
            retractions=None if options.retractions is None else tuple(options.retractions),
            batch_size=tools.batch_size,
        )
        recovery = Recovery(load_target(), tools.tokenizer, tools.check, tries)
        return [_finding(walk, tools) for walk in search(cases, recovery)]

    return annotate


def search(cases: Sequence[Case], recovery: Recovery) -> list[Walk]:
    """Goes through all answers side by side, one swap of each at a time."""
    walks = [Walk(case, recovery.beginning(case, 0)) for case in cases]
    for walk, (ending,) in zip(walks, recovery.endings([w.beginning for w in walks]), strict=True):
        walk.current, walk.solved = ending.token_ids, ending.right
    going = [walk for walk in walks if walk.solved]
    while going:
        places = [(walk, walk.next_difference()) for walk in going]
        tried: list[tuple[Walk, int]] = []
        for walk, place in places:
            if place is None:
                continue
            if recovery.is_stop(walk.case.answer.token_ids[place]):
                # Nothing can follow: the answer itself is what the swap makes.
                walk.add(place, walk.case.answer.right)
            else:
                tried.append((walk, place))
        endings = recovery.endings([recovery.beginning(w.case, p + 1) for w, p in tried])
        for (walk, place), (ending,) in zip(tried, endings, strict=True):
            walk.add(place, ending.recovers, ending.token_ids)
        going = [walk for walk, _ in tried]
    return walks


def _finding(walk: Walk, tools: Tools) -> Finding:
    if not walk.solved:
        return Finding(None, False, walk.generations, "the target does not solve it")
    answer = walk.case.answer
    if not walk.swaps or not walk.swaps[-1].important:
        if answer.right:
            return Finding(None, generations=walk.generations)
        return Finding(None, False, walk.generations, "cut off before a mistake")
    *fine, wrong = walk.swaps
    start, end = token_spans(tools.tokenizer, answer.token_ids)[wrong.place]
    said, instead = (
        "nothing" if token is None else repr(tools.tokenizer.decode([token]))
        for token in (wrong.token, wrong.target_token)
    )
    evidence = f"token {wrong.place}, {said} for the target's {instead}, makes the result wrong"
    if fine:
        evidence += "; unimportant: " + ", ".join(str(swap.place) for swap in fine)
    return Finding(Mistake(start, max(start, end), 1.0, evidence), True, walk.generations)
