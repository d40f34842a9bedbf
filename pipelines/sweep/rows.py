"""One row a job: what told it apart, and what came out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.decoders import is_speculative
from pipelines.sweep.jobs import Job, axes_of


@dataclass(frozen=True)
class FamilyNumbers:
    """One decoder on one family of prompts in one job.

    Attributes:
        exact: Draft tokens that standard speculative decoding accepts in a cycle; None where it
            did not run. ``kept``: those of ``decoder``; None where that has no cycles.
        right: Share of right answers of ``decoder``, with its standard error.
        target: The target's alone.
        change: ``right - target``, paired over the prompts; its standard error beside it.
        draft: The draft's alone.
        shifted: Whether decoding warned of these prompts; None where nobody looked.
        speedup: Of ``decoder`` over the target alone on these prompts; None where it was not
            measured on them.
    """

    prompts: int
    decoder: str
    exact: float | None
    kept: float | None
    right: float
    right_stderr: float
    target: float
    change: float | None
    change_stderr: float | None
    draft: float | None
    shifted: bool | None
    speedup: float | None = None


@dataclass(frozen=True)
class Row:
    """One job.

    Attributes:
        number: From 1; pictures name a job by it.
        values: What told the job apart, in the order of the sweep's axes.
        failed: Why there are no numbers; None for a job that is done.
        views: By family, those that the sweep shows, and where it is about several decoders by
            family and decoder.
        recall: Share of held-out mistakes that the judge rejects at its threshold.
        safety: By category, what the judge says of flagged texts; None where nobody asked.
    """

    number: int
    job: str
    values: tuple[Any, ...]
    failed: str | None
    views: Mapping[str, FamilyNumbers]
    layer: int | None = None
    parameters: int | None = None
    auroc: float | None = None
    average_precision: float | None = None
    threshold: float | None = None
    recall: float | None = None
    tuples: int | None = None
    stand_in: bool = False
    safety: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Sweep:
    """All jobs of a multirun."""

    exp: str
    title: str
    question: str
    beside: str | None
    axes: Mapping[str, str]
    rows: Sequence[Row]
    jobs: Sequence[Job]

    @property
    def done(self) -> list[Row]:
        """The rows that have numbers."""
        return [row for row in self.rows if row.failed is None]

    @property
    def views(self) -> list[str]:
        """What is shown, a family at a time, the headline's first."""
        return list(dict.fromkeys(name for row in self.done for name in row.views))

    def as_json(self) -> dict[str, Any]:
        """What the page says, under the names of its parts; ``stages`` holds nothing here."""
        return {
            "schema": 1,
            "exp": self.exp,
            "title": self.title,
            "question": self.question,
            "axes": dict(self.axes),
            "jobs": [
                {**asdict(row), "values": dict(zip(self.axes, row.values, strict=True))}
                for row in self.rows
            ],
            "stages": {},
        }


def make_sweep(jobs: Sequence[Job]) -> Sweep:
    """Puts the jobs' numbers side by side."""
    axes = axes_of(list(jobs))
    first = jobs[0].settings
    exp = str(first.get("exp"))
    return Sweep(
        exp=exp,
        title=str(first.get("sweep.title") or exp),
        question=str(first.get("sweep.question") or ""),
        beside=first.get("sweep.beside"),
        axes=axes,
        rows=[_row_or_failure(number, job, axes) for number, job in enumerate(jobs, start=1)],
        jobs=list(jobs),
    )


def _row_or_failure(number: int, job: Job, axes: Mapping[str, str]) -> Row:
    try:
        return _row(number, job, axes)
    except (KeyError, TypeError, AttributeError) as error:
        values = tuple(job.value(field) for field in axes.values())
        lacks = f"its summary.json is of another version ({error} is missing or odd)"
        return Row(number, job.name, values, lacks, {})


def _row(number: int, job: Job, axes: Mapping[str, str]) -> Row:
    values = tuple(job.value(field) for field in axes.values())
    summary = job.summary
    if job.failed is not None or "decode" not in summary:
        return Row(number, job.name, values, job.failed, {})
    families = job.settings.get("sweep.families") or [summary["verdict"]["family"]]
    decoders = job.settings.get("sweep.decoders") or [_decoder_of(summary)]
    views = {
        family if len(decoders) == 1 else f"{family}, {decoder}": _numbers(summary, family, decoder)
        for decoder in decoders
        for family in families
        if decoder in summary["families"].get(family, {})
    }
    judge = summary.get("judge") or {}
    court = summary.get("court") or {}
    tuples = (court.get("dataset") or court.get("annotate") or {}).get("tuples")
    return Row(
        number,
        job.name,
        values,
        None,
        views,
        layer=judge.get("layer"),
        parameters=judge.get("parameters"),
        auroc=judge.get("auroc"),
        average_precision=judge.get("average_precision"),
        threshold=judge.get("threshold"),
        recall=judge.get("recall"),
        tuples=None if tuples is None else int(tuples),
        stand_in=bool(summary.get("stand_in")) or bool(summary["speed"]["stand_in"]),
        safety=(summary.get("safety") or {}).get("categories"),
    )


def _decoder_of(summary: Mapping[str, Any]) -> str:
    return next((name for name in ("judge", "exact") if name in summary["decode"]), "target")


def _numbers(summary: Mapping[str, Any], family: str, decoder: str) -> FamilyNumbers:
    rows = summary["families"][family]
    change = summary.get("changes", {}).get(family, {}).get(decoder)
    shift = summary.get("shift", {}).get(decoder, {}).get(family)

    def kept(name: str) -> float | None:
        return rows[name]["accepted_per_cycle"] if name in rows and is_speculative(name) else None

    return FamilyNumbers(
        prompts=rows["target"]["prompts"],
        decoder=decoder,
        exact=kept("exact"),
        kept=kept(decoder),
        right=rows[decoder]["right"],
        right_stderr=rows[decoder]["right_stderr"],
        target=rows["target"]["right"],
        change=None if change is None else change["value"],
        change_stderr=None if change is None else change["stderr"],
        draft=rows["draft"]["right"] if "draft" in rows else None,
        shifted=None if shift is None else bool(shift["shifted"]),
        speedup=_speedup(summary, family, decoder),
    )


def _speedup(summary: Mapping[str, Any], family: str, decoder: str) -> float | None:
    """Of the headline family it may be a stand-in's; others have one where it is the pair's own."""
    at_home = family == summary["verdict"]["family"]
    measured = summary["decode"] if at_home else summary["families"][family]
    value = measured.get(decoder, {}).get("speedup")
    return None if value is None else float(value)


def show_value(value: object) -> str:
    """A setting as one reads it."""
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value)
