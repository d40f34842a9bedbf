"""Acceptance rules side by side: what each keeps, what it gets right, and which no other beats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.decoders import NO_RULES, Rules, describe_decoder, is_speculative, needing_judge
from evals.generations import Generation, Timing
from evals.speed import accepted_counts
from evals.statistics import Estimate, interval, paired_difference, ratio

OWN_NAMES = {"exact": "standard rule", "judge": "judge, calibrated threshold"}


@dataclass(frozen=True)
class RulePoint:
    """One rule on one set of prompts.

    Attributes:
        decoder: Its name in the run.
        rule: The rule in words.
        judged: Whether a trained judge is part of it.
        right: Share of right answers, with ``right_low`` and ``right_high`` (Wilson, 95 %).
        change: Right answers, this rule minus the target alone, paired by prompt.
        accepted_per_cycle: Draft tokens kept in a cycle; its standard error is over prompts, as is
            that of ``tokens_per_second``.
        on_front: No other rule keeps as many tokens and gets as many answers right, and more of
            one of the two. By the figures themselves, not by their intervals.
        on_speed_front: The same with tokens per second.
    """

    decoder: str
    rule: str
    judged: bool
    prompts: int
    right: float
    right_low: float
    right_high: float
    change: float
    change_stderr: float
    accepted_per_cycle: float
    accepted_stderr: float
    tokens_per_second: float
    tokens_per_second_stderr: float
    on_front: bool
    on_speed_front: bool


def rule_points(
    generations: Mapping[str, Sequence[Generation]],
    timings: Sequence[Timing],
    family: str,
    rules: Rules = NO_RULES,
) -> list[RulePoint]:
    """Every speculative decoder on one family's prompts, the one that keeps most first.

    Args:
        generations: Per decoder, the same prompts in the same order; ``target`` among them.
        timings: Of all of them.
        family: Which prompts.
        rules: The acceptance rules of decoders that are not among the four, by name.
    """
    seconds = {(timing.decoder, timing.prompt_id): timing.seconds for timing in timings}
    chosen = {
        name: [row for row in rows if row.family == family] for name, rows in generations.items()
    }
    target = [float(row.right) for row in chosen["target"]]
    names = [name for name, rows in chosen.items() if rows and is_speculative(name)]
    kept = {name: _kept(chosen[name]) for name in names}
    speed = {name: _speed(chosen[name], seconds) for name in names}
    right = {name: [float(row.right) for row in chosen[name]] for name in names}
    share = {name: math.fsum(right[name]) / len(right[name]) for name in names}
    front = pareto_front([(kept[name].value, share[name]) for name in names])
    speed_front = pareto_front([(speed[name].value, share[name]) for name in names])
    judged = needing_judge(names, rules)
    points = []
    for name, best, fastest in zip(names, front, speed_front, strict=True):
        low, high = interval(sum(right[name]), len(right[name]))
        change = paired_difference(right[name], target)
        points.append(
            RulePoint(
                decoder=name,
                rule=OWN_NAMES.get(name) or describe_decoder(name, rules),
                judged=name in judged,
                prompts=len(right[name]),
                right=share[name],
                right_low=low,
                right_high=high,
                change=change.value,
                change_stderr=change.stderr,
                accepted_per_cycle=kept[name].value,
                accepted_stderr=kept[name].stderr,
                tokens_per_second=speed[name].value,
                tokens_per_second_stderr=speed[name].stderr,
                on_front=best,
                on_speed_front=fastest,
            )
        )
    return sorted(points, key=lambda point: (-point.accepted_per_cycle, -point.right, point.rule))


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points no other one matches in both values and exceeds in one; more is better."""
    return [not any(x >= a and y >= b and (x > a or y > b) for x, y in points) for a, b in points]


def _kept(rows: Sequence[Generation]) -> Estimate:
    counts = [accepted_counts(row) for row in rows]
    return ratio([sum(one) for one in counts], [len(one) for one in counts])


def _speed(rows: Sequence[Generation], seconds: Mapping[tuple[str, str], float]) -> Estimate:
    spent = [seconds[row.decoder, row.prompt_id] for row in rows]
    return ratio([len(row.token_ids) for row in rows], spent)
