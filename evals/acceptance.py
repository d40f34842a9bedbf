"""How much of a text a target's verification accepts, and how much of what it rejects is right.

Text stands for a draft: the target has read each token behind the text's own tokens
(``judge_lightning.teacher_forcing``). ``q`` of a text is a point mass, so sampling at temperature 1
accepts a token with probability min(1, p/q) = p.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evals.scored_text import ScoredAnswer, kept_per_cycle, run_lengths
from evals.statistics import Estimate, ratio
from judge_lightning.court.labels import CORRECT, MISTAKE

RANKS = ((1, 1), (2, 2), (3, 3), (4, 10), (11, None))
"""Groups of ranks, both ends included."""
_WIDTHS = (5, 10, 20, 50, 100, 200, 500, 1000)
_MOST_BINS = 16


@dataclass(frozen=True)
class RuleStatistics:
    """What one rule accepts of a text.

    Attributes:
        acceptance: Share of accepted tokens.
        run: Mean length of a run, in tokens.
        accepted_per_cycle: Tokens kept of each draft of M, where the target's own token takes the
            place of the text's next one after each.
        runs: How many runs there are of each length, by length.
    """

    acceptance: Estimate
    run: Estimate
    accepted_per_cycle: Estimate
    runs: dict[int, int]


@dataclass(frozen=True)
class PositionBin:
    """Tokens at the places ``first`` to ``last`` of their answers, counted from 1."""

    first: int
    last: int
    tokens: int
    standard: Estimate
    judge: Estimate | None


@dataclass(frozen=True)
class RankBin:
    """Tokens of the ranks ``first`` to ``last`` (None: all from there on) in the target's order.

    ``correct`` and ``mistakes`` count the tokens that are known to be; ``kept_correct`` and
    ``kept_mistakes`` those of them that standard rule or judge keeps.
    """

    first: int
    last: int | None
    tokens: int
    share: float
    correct: int
    mistakes: int
    kept_correct: int
    kept_mistakes: int


@dataclass(frozen=True)
class TextStatistics:
    """One text under one target. Standard errors are over prompts; None where nothing is known.

    Attributes:
        standard: The greedy standard rule.
        judge: Standard rule or judge; None without a judge.
        sampled: Share of tokens that sampling at temperature 1 accepts.
        rejected: Tokens that the standard rule rejects, ``rejected_known`` of them with a label.
        rejected_correct: Of the rejected tokens with a label, the share that is correct.
        correct_rejected: Of the correct tokens, the share that the standard rule rejects.
        mistakes_accepted: Of the mistakes, the share that the standard rule accepts.
        rescued: Of the correct tokens that the standard rule rejects, the judge's share.
        mistakes_kept: Of the mistakes, the share that standard rule or judge keeps.
    """

    prompts: int
    answers: int
    tokens: int
    correct: int
    mistakes: int
    standard: RuleStatistics
    judge: RuleStatistics | None
    sampled: Estimate
    rejected: int
    rejected_known: int
    rejected_correct: Estimate | None
    correct_rejected: Estimate | None
    mistakes_accepted: Estimate | None
    rescued: Estimate | None
    mistakes_kept: Estimate | None
    by_position: list[PositionBin]
    by_rank: list[RankBin]


@dataclass(frozen=True)
class AcceptanceRate:
    """Counts of answers, tokens and tokens that the standard rule accepts."""

    answers: int
    tokens: int
    accepted: int


def acceptance_rate(answers: Iterable[ScoredAnswer]) -> AcceptanceRate:
    """What can be said of a text in one pass without a judge."""
    counts: Counter[str] = Counter()
    for answer in answers:
        kept = answer.standard()
        counts.update(answers=1, tokens=len(kept), accepted=sum(kept))
    return AcceptanceRate(counts["answers"], counts["tokens"], counts["accepted"])


def position_width(longest: int) -> int:
    """The width of position bins at which ``longest`` tokens have at most 16 of them."""
    return next((width for width in _WIDTHS if longest <= width * _MOST_BINS), longest)


def text_statistics(
    answers: Iterable[ScoredAnswer],
    *,
    draft_length: int,
    position_bin: int,
    threshold: float | None = None,
) -> TextStatistics:
    """Reads a text's answers once and counts.

    Args:
        draft_length: M of ``accepted_per_cycle``.
        position_bin: Tokens per bin of positions.
        threshold: The judge's; None leaves the judge out.

    Raises:
        ValueError: There is no token.
    """
    count = _Counting(draft_length, position_bin, threshold)
    for answer in answers:
        count.add(answer)
    if not count.answers:
        raise ValueError("statistics need at least one answer")
    return count.statistics()


class _Shares:
    """Sums above and below of named ratios, by prompt: a prompt's tokens are not independent."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, list[float]]] = defaultdict(dict)

    def add(self, name: str, prompt: str, above: float, below: float) -> None:
        sums = self._sums[name].setdefault(prompt, [0.0, 0.0])
        sums[0] += above
        sums[1] += below

    def known(self, name: str) -> Estimate | None:
        rows = [sums for sums in self._sums[name].values() if sums[1]]
        return ratio([a for a, _ in rows], [b for _, b in rows]) if rows else None

    def __getitem__(self, name: str) -> Estimate:
        estimate = self.known(name)
        assert estimate is not None, name
        return estimate

    def names(self, prefix: str) -> list[str]:
        return [name for name in self._sums if name.startswith(prefix)]


@dataclass
class _Counting:
    draft_length: int
    position_bin: int
    threshold: float | None
    answers: int = 0
    shares: _Shares = field(default_factory=_Shares)
    counts: Counter[str] = field(default_factory=Counter)
    runs: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    prompts: set[str] = field(default_factory=set)

    def add(self, answer: ScoredAnswer) -> None:
        if not answer.token_ids:
            return
        self.answers += 1
        self.prompts.add(answer.prompt_id)
        rules = {"standard": answer.standard()}
        if self.threshold is not None:
            rules["judge"] = answer.judged(self.threshold)
        for rule, kept in rules.items():
            self._add_rule(rule, answer.prompt_id, kept)
        total = len(answer.token_ids)
        self.shares.add("sampled", answer.prompt_id, sum(answer.probabilities), total)
        for place in range(total):
            self._add_token(answer, place, {rule: kept[place] for rule, kept in rules.items()})

    def _add_rule(self, rule: str, prompt: str, kept: Sequence[bool]) -> None:
        runs = run_lengths(kept)
        cycles = kept_per_cycle(kept, self.draft_length)
        self.runs[rule].update(runs)
        self.shares.add(f"{rule}/acceptance", prompt, sum(kept), len(kept))
        self.shares.add(f"{rule}/run", prompt, sum(runs), len(runs))
        self.shares.add(f"{rule}/cycle", prompt, sum(cycles), len(cycles))

    def _add_token(self, answer: ScoredAnswer, place: int, kept: dict[str, bool]) -> None:
        prompt, label = answer.prompt_id, answer.labels[place]
        standard, either = kept["standard"], kept.get("judge", kept["standard"])
        group = next(
            i for i, (_, last) in enumerate(RANKS) if not last or answer.ranks[place] <= last
        )
        position = place // self.position_bin
        counts, shares = self.counts, self.shares
        counts.update(("tokens", f"rank{group}", f"position{position}"))
        for rule, yes in kept.items():
            shares.add(f"position{position}/{rule}", prompt, yes, 1)
        if not standard:
            counts["rejected"] += 1
        if label == CORRECT:
            counts.update(("correct", f"rank{group}/correct"))
            counts[f"rank{group}/kept_correct"] += either
            shares.add("correct_rejected", prompt, not standard, 1)
            if not standard:
                shares.add("rescued", prompt, either, 1)
        elif label == MISTAKE:
            counts.update(("mistakes", f"rank{group}/mistakes"))
            counts[f"rank{group}/kept_mistakes"] += either
            shares.add("mistakes_accepted", prompt, standard, 1)
            shares.add("mistakes_kept", prompt, either, 1)
        if not standard and label in (CORRECT, MISTAKE):
            counts["rejected_known"] += 1
            shares.add("rejected_correct", prompt, label == CORRECT, 1)

    def statistics(self) -> TextStatistics:
        judged = self.threshold is not None
        counts, shares = self.counts, self.shares
        return TextStatistics(
            prompts=len(self.prompts),
            answers=self.answers,
            tokens=counts["tokens"],
            correct=counts["correct"],
            mistakes=counts["mistakes"],
            standard=self._rule("standard"),
            judge=self._rule("judge") if judged else None,
            sampled=shares["sampled"],
            rejected=counts["rejected"],
            rejected_known=counts["rejected_known"],
            rejected_correct=shares.known("rejected_correct"),
            correct_rejected=shares.known("correct_rejected"),
            mistakes_accepted=shares.known("mistakes_accepted"),
            rescued=shares.known("rescued") if judged else None,
            mistakes_kept=shares.known("mistakes_kept") if judged else None,
            by_position=self._positions(),
            by_rank=[self._rank(group) for group in range(len(RANKS))],
        )

    def _rule(self, rule: str) -> RuleStatistics:
        shares = self.shares
        return RuleStatistics(
            shares[f"{rule}/acceptance"],
            shares[f"{rule}/run"],
            shares[f"{rule}/cycle"],
            dict(sorted(self.runs[rule].items())),
        )

    def _positions(self) -> list[PositionBin]:
        width = self.position_bin
        numbers = range(len([name for name in self.shares.names("position") if "standard" in name]))
        return [
            PositionBin(
                number * width + 1,
                (number + 1) * width,
                self.counts[f"position{number}"],
                self.shares[f"position{number}/standard"],
                self.shares.known(f"position{number}/judge"),
            )
            for number in numbers
        ]

    def _rank(self, group: int) -> RankBin:
        name, counts = f"rank{group}", self.counts
        first, last = RANKS[group]
        return RankBin(
            first,
            last,
            counts[name],
            counts[name] / counts["tokens"],
            counts[f"{name}/correct"],
            counts[f"{name}/mistakes"],
            counts[f"{name}/kept_correct"],
            counts[f"{name}/kept_mistakes"],
        )
