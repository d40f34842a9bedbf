"""``summary.json``: a run's numbers, under keys that people and checks rely on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from evals.decoders import is_speculative
from evals.speed import DecoderStatistics
from evals.statistics import interval
from judge_lightning.decoding.draft_length import AUTO
from pipelines.report.material import Material, Speed

SCHEMA = 1

_SPEEDS = ("tokens_per_second", "speedup")
"""What a decoder's row says of speed, and a stand-in may answer."""


def summarise(material: Material) -> dict[str, Any]:
    """The summary as plain JSON values (DESIGN, section 7).

    ``decode`` is about the headline family. Its ``tokens_per_second`` and ``speedup`` are those of
    the pair that ``speed`` names; where that is a stand-in, the pair's own are kept as
    ``own_tokens_per_second`` and ``own_speedup``. All else, ``seconds`` included, is the pair's
    own; ``right_low`` and ``right_high`` are a 95 % interval. ``families`` has the same per prompt
    family, without the stand-in's speed.
    ``changes`` has, per family and decoder with a rule, right answers minus the target's, paired by
    prompt. ``paired`` has it per task and decoder, with intervals; ``gate`` what the gate says.
    ``pareto`` has, per family, every acceptance rule with its intervals and whether it is on the
    Pareto front; empty for a run without rules of its own.
    ``judge.certificate`` is what its threshold promises, null where it promises nothing;
    ``shift`` whether the prompts were like those that it was calibrated on.
    ``stand_in`` says which models are grown, null for a pair of real ones.
    ``stages`` holds what a report can know, the keys; the run adds what it computed itself.
    """
    return {
        "schema": SCHEMA,
        "exp": material.identity.exp,
        "pair": material.identity.pair,
        "stand_in": material.identity.stand_in or None,
        "stages": {name: {"key": one.key} for name, one in material.manifests.items()},
        "verdict": verdict(material),
        "court": _court(material),
        "judge": _judge(material),
        "shift": material.shift,
        "layers": material.layers,
        "speed": _speed(material.speed),
        "decode": {
            name: _own(row, material.speed) | _timed(material.speed.rows[name])
            for name, row in material.headline.items()
        },
        "families": {
            family: {name: _own(row, material.speed) for name, row in rows.items()}
            for family, rows in material.families.items()
        },
        "changes": {
            family: {name: asdict(change) for name, change in changes.items()}
            for family, changes in material.changes.items()
        },
        "evaluate": material.results,
        "paired": {
            task: {name: asdict(found) for name, found in by_decoder.items()}
            for task, by_decoder in material.paired.items()
        },
        "gate": material.gate,
        "pareto": {
            family: [asdict(point) for point in points]
            for family, points in material.pareto.items()
        },
    }


def verdict(material: Material) -> dict[str, Any]:
    """The headline in numbers: what judge decoding gained over exact, and what it cost."""
    rows = material.headline
    numbers: dict[str, Any] = {
        "family": material.identity.headline,
        "draft_length": AUTO if material.identity.adaptive else material.identity.draft_length,
        "prompts": rows["target"].prompts,
        "exact_rounding_ties": material.ties,
    }
    if "judge" in rows and "exact" in rows:
        numbers["accepted_ratio"] = _ratio(
            rows["judge"].accepted_per_cycle, rows["exact"].accepted_per_cycle
        )
        timed = material.speed.rows
        numbers["speed_ratio"] = _ratio(
            timed["judge"].tokens_per_second, timed["exact"].tokens_per_second
        )
    if material.change is not None:
        numbers["right_change"] = material.change.value
        numbers["right_change_stderr"] = material.change.stderr
    return numbers


def _speed(speed: Speed) -> dict[str, Any]:
    """On what speed was measured; ``accepted_per_cycle`` is that of its prompts alone."""
    return {
        "pair": speed.pair,
        "stand_in": bool(speed.stand_in),
        "description": speed.stand_in or None,
        "prompts": speed.prompts,
        "engine": speed.engine or None,
        "target_over_draft": speed.target_over_draft,
        "accepted_per_cycle": {
            name: row.accepted_per_cycle for name, row in speed.rows.items() if is_speculative(name)
        },
        "tokens_differ": speed.tokens_differ,
    }


def right_interval(row: DecoderStatistics) -> tuple[float, float]:
    """Wilson's 95 % interval of a decoder's share of right answers."""
    return interval(row.right * row.prompts, row.prompts)


def _own(row: DecoderStatistics, speed: Speed) -> dict[str, Any]:
    low, high = right_interval(row)
    numbers = {**asdict(row), "right_low": low, "right_high": high}
    if speed.apart:
        for name in _SPEEDS:
            numbers[f"own_{name}"] = numbers.pop(name)
    return numbers


def _timed(row: DecoderStatistics) -> dict[str, float]:
    return {name: getattr(row, name) for name in _SPEEDS}


def _judge(material: Material) -> dict[str, Any]:
    """The judge as measured on the calibration split, which neither training nor the choice
    of the layer has seen; ``layer`` is 0-based."""
    head = material.head
    return {
        **material.calibration,
        "layer": head["layer"],
        "layers": head["layers_of_target"],
        # A linear judge's, where an older artifact does not say.
        "parameters": material.calibration.get("parameters", head["hidden_size"] + 1),
        "threshold": head["threshold"],
        "certificate": _certificate(material),
    }


def _certificate(material: Material) -> dict[str, Any] | None:
    certificate = material.certificate
    if certificate is None:
        return None
    return {**asdict(certificate), "in_words": certificate.in_words()}


def _court(material: Material) -> dict[str, dict[str, float]]:
    return {
        stage: dict(material.manifests[stage].metrics)
        for stage in ("prompts", "mine", "annotate", "dataset")
    }


def _ratio(one: float, other: float) -> float | None:
    return one / other if other else None
