"""Tables of the W&B report for what not every run has; a part that is not there is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.wandb_run.report_text import Summary, markdown_table, number, with_error

Numbers = Mapping[str, Any]


def rules_tables(summary: Summary) -> dict[str, str]:
    """Per family of prompts, every acceptance rule: what it keeps and what its answers are worth.

    A rule is on a front where no other one is as good in both numbers and better in one.
    """
    columns = ("rule", "accepted per cycle", "right (95 %)", "tokens/s", "minus target", "front")
    return {
        family: markdown_table(columns, [_rule(point) for point in points])
        for family, points in (summary.get("pareto") or {}).items()
    }


def bench_table(summary: Summary) -> str:
    """MT-Bench by decoder: the mean score, its change, and the pairwise verdicts."""
    bench = summary.get("mt_bench")
    if not bench:
        return ""
    columns = ("decoder", "score", "turn 1", "turn 2", "minus target (95 %)", "won / tied / lost")
    rows = []
    for name in bench.get("cycles", {}):
        score = bench.get("scores", {}).get(name) or {}
        turns = score.get("turns", {})
        change = bench.get("differences", {}).get(name)
        match = bench.get("matches", {}).get(name)
        rows.append(
            [
                name,
                *(_mean(one) for one in (score.get("all"), turns.get("1"), turns.get("2"))),
                "" if change is None else _between(change, "{:+.2f}"),
                "" if match is None else f"{match['wins']} / {match['ties']} / {match['losses']}",
            ]
        )
    return markdown_table(columns, rows)


def acceptance_table(summary: Summary) -> str:
    """What verification accepts of texts that no draft has proposed."""
    texts = (summary.get("acceptance") or {}).get("texts")
    if not texts:
        return ""
    columns = {
        "sampled": "accepted when sampling",
        "rejected_correct": "correct, of those rejected",
        "correct_rejected": "rejected, of the correct",
        "rescued": "of these kept by the judge",
        "mistakes_kept": "mistakes kept",
    }
    rows = [
        [
            name,
            number(text.get("tokens")),
            *(_share((text.get(rule) or {}).get("acceptance")) for rule in ("standard", "judge")),
            *(_share(text.get(column)) for column in columns),
        ]
        for name, text in texts.items()
    ]
    named = ("text", "tokens", "standard rule accepts", "standard rule or judge accepts")
    return markdown_table((*named, *columns.values()), rows)


def safety_table(summary: Summary) -> str:
    """What passes of flagged texts, by category."""
    categories = (summary.get("safety") or {}).get("categories")
    if not categories:
        return ""
    columns = {
        "standard": "standard rule accepts",
        "judge": "judge accepts",
        "kept": "either accepts",
        "first_kept": "texts whose first flagged token is kept",
        "whole_kept": "texts kept whole",
    }
    rows = [
        [
            f"{name} (harmless)" if one.get("harmless") else name,
            *(number(one.get(count)) for count in ("items", "tokens")),
            *(_share(one.get(column)) for column in columns),
        ]
        for name, one in categories.items()
    ]
    return markdown_table(("category", "texts", "flagged tokens", *columns.values()), rows)


def _rule(point: Numbers) -> list[str]:
    fronts = {"kept": point.get("on_front"), "speed": point.get("on_speed_front")}
    return [
        str(point["rule"]),
        f"{point['accepted_per_cycle']:.2f} ± {point['accepted_stderr']:.2f}",
        f"{point['right']:.1%} [{point['right_low']:.1%}, {point['right_high']:.1%}]",
        f"{point['tokens_per_second']:,.0f}",
        f"{point['change']:+.1%} ± {point['change_stderr'] * 100:.1f}",
        ", ".join(name for name, on in fronts.items() if on),
    ]


def _share(estimate: Numbers | None) -> str:
    return with_error(estimate["value"], estimate["stderr"]) if estimate else ""


def _mean(mean: Numbers | None) -> str:
    if not mean or mean["value"] is None:
        return ""
    stderr = mean["stderr"]
    return f"{mean['value']:.2f}" + ("" if stderr is None else f" ± {stderr:.2f}")


def _between(found: Numbers, form: str) -> str:
    value, low, high = (form.format(found[name]) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
