"""The numbers of runs side by side: what each is called, how it is written, which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.decoders import in_usual_order, is_speculative
from pipelines.compare.runs import ComparedRun
from pipelines.report.wording import percent, points, with_error
from pipelines.sizes import in_bytes

Write = Callable[[float], str]
Path = tuple[str, ...]
"""Where a summary has something, outermost name first."""

_MORE, _NEITHER = 1, 0
"""Whether more of a number is better, or neither way is."""

_FURTHER = ("mt_bench", "acceptance", "safety")
"""Sections of a summary that not every run has; their numbers are shown by their names."""


@dataclass(frozen=True)
class Measure:
    """One number of every run.

    Attributes:
        section: What it is about: the judge, a decoder, the tasks, the cost.
        name: Where the summary has it, e.g. ``decode.judge.right``.
        label: What a table calls it.
        values: Run by run; None where a run does not have it.
        errors: The standard errors beside them; None where there is none.
        texts: As they are written.
        changes: The difference to the first run, as written; empty where there is none.
        better: Run by run, whether it is better than the first (1), worse (-1) or neither (0).
            Where there are standard errors, only what is larger than both together counts.
    """

    section: str
    name: str
    label: str
    values: list[float | str | None]
    errors: list[float | None]
    texts: list[str]
    changes: list[str]
    better: list[int]


@dataclass(frozen=True)
class _Kind:
    write: Write
    change: Write
    way: int


_SHARE = _Kind(percent, points, _MORE)
_COUNT = _Kind(lambda x: f"{x:g}", lambda x: f"{x:+g}", _NEITHER)
_AREA = _Kind(lambda x: f"{x:.3f}", lambda x: f"{x:+.3f}", _MORE)
_LAYER = _Kind(lambda x: f"{x:g}", lambda x: "", _NEITHER)
_PLACE = _Kind(lambda x: f"{x:.3g}", lambda x: f"{x:+.3g}", _NEITHER)
_TOKENS = _Kind(lambda x: f"{x:.2f}", lambda x: f"{x:+.2f}", _MORE)
_RATE = _Kind(lambda x: f"{x:.0f}", lambda x: f"{x:+.0f}", _MORE)
_TIMES = _Kind(lambda x: f"{x:.2f}x", lambda x: f"{x:+.2f}", _MORE)
_SECONDS = _Kind(lambda x: f"{x:.1f} s", lambda x: f"{x:+.1f}", _NEITHER)
_BYTES = _Kind(in_bytes, lambda x: ("+" if x >= 0 else "-") + in_bytes(abs(x)), _NEITHER)
_ANY = _Kind(lambda x: f"{x:.4g}", lambda x: f"{x:+.4g}", _NEITHER)

_JUDGE = {
    "layer": ("layer", _LAYER),
    "parameters": ("trained numbers", _COUNT),
    "auroc": ("AUROC", _AREA),
    "average_precision": ("average precision", _AREA),
    "threshold": ("threshold", _PLACE),
    "recall": ("mistakes rejected", _SHARE),
    "kept": ("correct tokens kept", _SHARE),
}
_DECODER = {
    "accepted_per_cycle": ("accepted/cycle", _TOKENS),
    "tokens_per_cycle": ("tokens/cycle", _TOKENS),
    "tokens_per_second": ("tokens/s", _RATE),
    "speedup": ("speed-up", _TIMES),
    "right": ("right", _SHARE),
}
_CYCLES = ("accepted_per_cycle", "tokens_per_cycle")


def measures_of(runs: Sequence[ComparedRun]) -> list[Measure]:
    """Every number that at least one of the runs has, section by section."""
    return [measure for measure in _all(runs) if any(v is not None for v in measure.values)]


def _all(runs: Sequence[ComparedRun]) -> Iterator[Measure]:
    for name, (label, kind) in _JUDGE.items():
        yield _measure(runs, "judge", ("judge", name), label, kind)
    yield _words(runs, "judge", ("judge", "certificate", "in_words"), "certificate")
    for decoder in _names(runs, "decode"):
        for name, (label, kind) in _DECODER.items():
            if is_speculative(decoder) or name not in _CYCLES:
                yield _measure(runs, decoder, ("decode", decoder, name), label, kind)
    for task in _names(runs, "evaluate"):
        for decoder in _names(runs, "evaluate", task):
            place = ("evaluate", task, decoder, "value")
            yield _measure(runs, "tasks", place, f"{task}, {decoder}", _SHARE)
    for section in _FURTHER:
        for path in dict.fromkeys(p for run in runs for p in _numbers(run.summary, (section,))):
            yield _measure(runs, section, path, " ".join(path[1:]), _ANY)
    yield _words(runs, "run", ("speed", "pair"), "speed of")
    yield _measure(runs, "run", ("run", "seconds"), "seconds", _SECONDS)
    yield _measure(runs, "run", ("run", "peak_memory"), "memory", _BYTES)


def _measure(
    runs: Sequence[ComparedRun], section: str, path: Path, label: str, kind: _Kind
) -> Measure:
    values = [_number(_at(run.summary, path)) for run in runs]
    errors = [_number(_at(run.summary, _error_of(path))) for run in runs]
    changes, better = [""], [_NEITHER]
    for value, error in zip(values[1:], errors[1:], strict=True):
        if value is None or values[0] is None:
            changes.append("")
            better.append(_NEITHER)
            continue
        change = value - values[0]
        changes.append(kind.change(change).replace("-", "−"))
        told_apart = abs(change) > (errors[0] or 0.0) + (error or 0.0)
        better.append(kind.way * ((change > 0) - (change < 0)) if told_apart else _NEITHER)
    texts = [_text(value, error, kind) for value, error in zip(values, errors, strict=True)]
    return Measure(section, ".".join(path), label, [*values], errors, texts, changes, better)


def _words(runs: Sequence[ComparedRun], section: str, path: Path, label: str) -> Measure:
    values = [_at(run.summary, path) for run in runs]
    texts = ["-" if value is None else str(value) for value in values]
    no_error: list[float | None] = [None] * len(runs)
    no_change, neither = [""] * len(runs), [_NEITHER] * len(runs)
    return Measure(section, ".".join(path), label, values, no_error, texts, no_change, neither)


def _text(value: float | None, error: float | None, kind: _Kind) -> str:
    if value is None:
        return "-"
    return kind.write(value) if error is None or kind is not _SHARE else with_error(value, error)


def _at(summary: Mapping[str, Any], path: Path) -> Any:
    """What a summary has at a place; None where it has nothing."""
    found: Any = summary
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _error_of(path: Path) -> Path:
    """Where the standard error of the number at ``path`` stands."""
    return (*path[:-1], "stderr" if path[-1] == "value" else f"{path[-1]}_stderr")


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _names(runs: Sequence[ComparedRun], *path: str) -> list[str]:
    """The names below a place in any of the summaries, the four decoders' first."""
    return in_usual_order(name for run in runs for name in _at(run.summary, path) or {})


def _numbers(summary: Mapping[str, Any], path: Path) -> Iterator[Path]:
    found = _at(summary, path)
    if isinstance(found, Mapping):
        for name in found:
            if not name.endswith("stderr"):
                yield from _numbers(summary, (*path, name))
    elif _number(found) is not None:
        yield path
