"""What the W&B report says in words and tables, from ``summary.json``; no W&B in here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.report.promise import NO_PROMISE

Summary = Mapping[str, Any]

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")
"""What Markdown, HTML in it, and W&B's formulas between dollars are begun with."""


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; every cell is shown as the text it is."""
    lines = [
        _line(columns),
        _line(["---"] * len(columns)),
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines)


def plain(value: object) -> str:
    """A value as text that Markdown leaves alone, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(value).split()))


def headline_table(summary: Summary) -> str:
    """Decoders with what they keep, how often they are right, and how fast they are."""
    measured = summary.get("speed") or {}
    where = " (stand-in)" if measured.get("stand_in") else ""
    rows = [
        [
            name,
            number(row.get("accepted_per_cycle") or None),
            with_error(row.get("right"), row.get("right_stderr")),
            number(row.get("tokens_per_second"), digits=0),
            number(row.get("speedup")),
        ]
        for name, row in summary.get("decode", {}).items()
    ]
    columns = ("decoder", "accepted per cycle", "right", f"tokens/s{where}", f"speed-up{where}")
    return markdown_table(columns, rows)


def sources(summary: Summary) -> str:
    """On what the numbers were measured."""
    verdict, measured = summary.get("verdict", {}), summary.get("speed") or {}
    parts = [
        f"{verdict.get('prompts')} held-out {verdict.get('family')!r} prompts of the pair"
        f" {summary.get('pair')}, draft length {verdict.get('draft_length')}, one prompt at a time"
    ]
    if measured.get("stand_in"):
        parts.append(
            f"speed on the stand-in {measured['pair']} ({measured['prompts']} prompts):"
            f" {measured['description']}"
        )
    return "; ".join(parts) + "."


def tasks_table(summary: Summary) -> str:
    """Every task's score by decoder, with standard errors."""
    decoders = list(summary.get("decode", {}))
    rows = [
        [task, *(with_error(*_scored(found.get(name))) for name in decoders)]
        for task, found in summary.get("evaluate", {}).items()
    ]
    return markdown_table(["task", *decoders], rows)


def judge_table(summary: Summary) -> str:
    """The judge in numbers, as measured on the calibration split."""
    judge = summary.get("judge", {})
    named = (
        *("head", "layer", "layers", "parameters", "threshold", "rule"),
        *("auroc", "average_precision", "recall", "kept", "mistakes", "correct"),
    )
    rows = [
        [name.replace("_", " "), number(judge[name], 4)]
        for name in named
        if judge.get(name) is not None
    ]
    return markdown_table(("judge", "value"), rows)


def court_table(summary: Summary) -> str:
    """What the court counted, stage by stage."""
    rows = [
        [stage, name.replace("_", " "), number(value, 4)]
        for stage, numbers in summary.get("court", {}).items()
        for name, value in numbers.items()
    ]
    return markdown_table(("stage", "what", "value"), rows)


def promise(summary: Summary) -> str:
    """What the judge's threshold promises, and where prompts were unlike the calibration's."""
    certificate = summary.get("judge", {}).get("certificate") or {}
    said = str(certificate.get("in_words") or NO_PROMISE)
    strange = sorted(
        {
            family
            for families in (summary.get("shift") or {}).values()
            for family, found in families.items()
            if isinstance(found, Mapping) and found.get("shifted")
        }
    )
    if strange:
        said += (
            f" The {' and '.join(strange)} prompts are unlike those that the judge was calibrated"
            " on, and for them it promises nothing in any case."
        )
    return said


def is_cached(summary: Summary, stage: str) -> bool:
    """Whether a run found the stage's artifact, and so has logged no curves of it."""
    return bool(summary.get("stages", {}).get(stage, {}).get("cached"))


def where_it_was_trained(run: str | None) -> str:
    """Where the training's curves are of a judge that the run found in the store.

    Args:
        run: W&B's id of the run that trained it; None where it is not known.
    """
    known = f" W&B knows that run as {run}." if run else ""
    return (
        "The judge was in the store already. Its training curves are with the run that has trained"
        f" it: in its W&B run and in its metrics.jsonl.{known}"
    )


def stages_table(summary: Summary) -> str:
    """Every stage with its key, by which the store and W&B know its artifact."""
    rows = [[stage, one["key"][:8]] for stage, one in summary.get("stages", {}).items()]
    return markdown_table(("stage", "key"), rows)


def _scored(found: Mapping[str, Any] | None) -> tuple[float | None, float | None]:
    return (found["value"], found["stderr"]) if found else (None, None)


def number(value: object, digits: int = 2) -> str:
    """A number for a cell: whole ones without digits behind the point; None is empty."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.{digits}f}"


def with_error(value: float | None, stderr: float | None) -> str:
    """A share in per cent with its standard error; empty where one of them is not known."""
    return "" if value is None or stderr is None else f"{value:.1%} ± {stderr * 100:.1f}"


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(plain(cell) for cell in cells)} |"
