"""What a report is made of, read from the artifacts of the stages before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.cycle_time import CycleSeconds, cycle_seconds
from evals.decoders import NO_RULES, Rules, describe_decoder, is_speculative, needing_judge
from evals.example_choice import AnswerCounts, count_answers
from evals.examples import Example, read_examples
from evals.generations import (
    Generation,
    Timing,
    read_bounds,
    read_generations,
    read_timings,
)
from evals.paired import PairedComparison
from evals.pareto import RulePoint, rule_points
from evals.speed import DecoderStatistics, accepted_histogram, decoder_statistics
from evals.statistics import Estimate, paired_difference
from judge_lightning.guarantee import Certificate
from pipelines.durable import read_json
from pipelines.gate import apply_gate
from pipelines.manifest import Manifest, read_lineage
from pipelines.report.court import Court, read_court
from pipelines.report.faults import Faults
from pipelines.shift import read_shift

ByDecoder = dict[str, DecoderStatistics]

DECODER_NAMES = {
    "target": "Target alone",
    "draft": "Draft alone",
    "exact": "Standard speculative",
    "judge": "Judge decoding",
}


@dataclass(frozen=True)
class Identity:
    """What the run was: its experiment, its pair, and the family that the headline is about.

    ``draft_length`` is the number of tokens proposed per cycle, or the most of them where blocks
    are ``adaptive``. ``stand_in`` says which models were grown into another shape; empty where
    none was. ``speed_pair`` and ``speed_stand_in`` are the same of the pair whose speed was
    measured apart; None where it is the pair's own. ``rules`` are the acceptance rules of decoders
    that have one of their own.
    """

    exp: str
    pair: str
    headline: str
    draft_length: int
    temperature: float
    decoders: tuple[str, ...]
    stand_in: str = ""
    speed_pair: str | None = None
    speed_stand_in: str | None = None
    adaptive: bool = False
    rules: Rules = field(default_factory=lambda: NO_RULES)

    def name_of(self, decoder: str) -> str:
        """A decoder in a reader's words."""
        return DECODER_NAMES.get(decoder) or describe_decoder(decoder, self.rules)

    @property
    def judged(self) -> bool:
        """Whether a decoder needs the judge; also where no decoder is known."""
        return not self.decoders or bool(needing_judge(self.decoders, self.rules))

    @property
    def proposals(self) -> str:
        """How many tokens a cycle proposes, in words."""
        return f"{'up to ' if self.adaptive else ''}{self.draft_length}"


@dataclass(frozen=True)
class Speed:
    """On what tokens per second were measured: the pair itself, or a stand-in for it.

    Attributes:
        pair: The measured pair's name.
        stand_in: What of it was grown, in words; empty for a pair that is what it is.
        apart: Whether it is another pair than the one whose answers are counted.
        rows: Statistics per decoder, over as many headline prompts as were measured.
        engine: What ran the models; empty where an older artifact does not say.
        tokens_differ: Answers whose tokens are not the pair's own; 0 where it is the pair.
        cycles: Where the time of a cycle goes, per speculative decoder; empty where the timings
            have no parts.
    """

    pair: str
    stand_in: str
    apart: bool
    rows: ByDecoder
    engine: str
    tokens_differ: int = 0
    cycles: dict[str, CycleSeconds] = field(default_factory=dict)

    @property
    def prompts(self) -> int:
        """How many prompts every decoder was timed on."""
        return self.rows["target"].prompts

    @property
    def target_over_draft(self) -> float | None:
        """Seconds that a token of the target alone takes, over one of the draft alone."""
        return self.rows["draft"].speedup if "draft" in self.rows else None


@dataclass(frozen=True)
class Material:
    """Everything that the summary, the terminal's table and the page are rendered from.

    Attributes:
        manifests: Of the artifacts that were read, by stage.
        head: The calibrated judge's configuration file.
        calibration: The chosen threshold and what it does on the calibration split.
        layers: One row per layer of the target: validation metrics of that layer's head.
        curve: The operating curve: one row per threshold.
        headline: Statistics per decoder over the headline family.
        speed: Where tokens per second come from, which may be a stand-in.
        families: The same per family, the headline's first.
        change: Share of right answers, judge minus target, paired over the headline prompts.
        changes: The same per family and speculative decoder.
        ties: Headline prompts where standard decoding took the other side of a rounding tie.
        histograms: Cycles by accepted draft tokens (0 to M) per speculative decoder.
        results: Per task and decoder, value, standard error and number of documents.
        paired: Per task and decoder, its scores minus the target's over the same documents.
        gate: Its settings, whether it lets the run pass, and its sentences; None without one.
        pareto: Per family, every speculative decoder as a point; empty where all are of the
            headline.
        certificate: What the judge's threshold promises; None where it promises nothing.
        answers: Per family, how judge decoding's answers compare with the target's own; empty
            where one of the two did not answer.
        shift: Per decoder with a judge and per family, how many answers were flagged as unlike
            the calibration's, and whether they are too many; empty where nobody looked.
        court: What the stages that made the data set counted.
        lineage: ``manifests`` and those of all that these artifacts were made from.
    """

    identity: Identity
    manifests: dict[str, Manifest]
    head: dict[str, Any]
    calibration: dict[str, Any]
    layers: list[dict[str, Any]]
    curve: list[dict[str, Any]]
    headline: ByDecoder
    speed: Speed
    families: dict[str, ByDecoder]
    change: Estimate | None
    changes: dict[str, dict[str, Estimate]]
    ties: int
    histograms: dict[str, list[int]]
    examples: list[Example]
    results: dict[str, dict[str, dict[str, Any]]]
    paired: dict[str, dict[str, PairedComparison]]
    pareto: dict[str, list[RulePoint]]
    certificate: Certificate | None = None
    answers: dict[str, AnswerCounts] = field(default_factory=dict)
    shift: dict[str, dict[str, Any]] = field(default_factory=dict)
    gate: dict[str, Any] | None = None
    court: Court = field(default_factory=Court)
    lineage: dict[str, Manifest] = field(default_factory=dict)


def read_material(
    identity: Identity,
    inputs: Mapping[str, Path],
    gate: dict[str, Any] | None = None,
    faults: Faults | None = None,
) -> Material:
    """Reads the artifacts of ``inputs`` (stage to folder); ``gate`` has the gate's settings.

    Args:
        faults: Notes what cannot be read, which is then empty; without it, that is raised. What
            is not among ``inputs`` is empty, too: why it is not there is known to the caller.
    """
    faults = faults or Faults(strict=True)
    manifests = read_manifests(inputs, faults)
    found: dict[str, Any] = {
        "identity": identity,
        "manifests": manifests,
        "lineage": read_lineage(manifests, inputs),
        "court": read_court(inputs, faults),
    }
    decoded = identity.decoders and "decode" in inputs
    readers: dict[str, tuple[Any, Callable[[], dict[str, Any]]]] = {
        "decode": (decoded, lambda: _read_decoded(identity, inputs)),
        "speed": (identity.speed_pair and "speed" in inputs, lambda: _read_speed(identity, inputs)),
        "train": (
            "train" in inputs,
            lambda: {"layers": read_json(inputs["train"] / "layers.json")},
        ),
        "calibrate": ({"calibrate", "certify"} & inputs.keys(), lambda: _read_calibrated(inputs)),
        "evaluate": ("evaluate" in inputs, lambda: _read_evaluated(inputs)),
        "examples": (
            "evaluate" in inputs,
            lambda: {"examples": read_examples(inputs["evaluate"] / "examples.jsonl")},
        ),
        "shift": (decoded, lambda: {"shift": read_shift(inputs["decode"])}),
    }
    for what, (there, read) in readers.items():
        with faults.reading(what):
            if there:
                found |= read()
    if gate is not None and "paired" in found:
        found["gate"] = apply_gate(gate, found["paired"], greedy=identity.temperature == 0)
    return Material(**{**_nothing(identity), **found})


def _nothing(identity: Identity) -> dict[str, Any]:
    """What stands where nothing was read."""
    return {
        **{name: {} for name in ("head", "calibration", "headline", "families", "changes")},
        **{name: {} for name in ("histograms", "results", "paired", "pareto")},
        **{name: [] for name in ("layers", "curve", "examples")},
        "speed": Speed(identity.pair, identity.stand_in, False, {}, ""),
        "change": None,
        "ties": 0,
    }


def read_manifests(inputs: Mapping[str, Path], faults: Faults) -> dict[str, Manifest]:
    """The manifest of each artifact that has one that can be read."""
    found = {}
    for stage, folder in inputs.items():
        with faults.reading(stage):
            found[stage] = Manifest.read(folder)
    return found


def _read_decoded(identity: Identity, inputs: Mapping[str, Path]) -> dict[str, Any]:
    decoded = inputs["decode"]
    generations = {name: list(read_generations(decoded, name)) for name in identity.decoders}
    timings = list(read_timings(decoded))
    families = dict.fromkeys([identity.headline, *(g.family for g in generations["target"])])
    statistics = {
        family: decoder_statistics(generations, timings, family=family) for family in families
    }
    changes = {family: _changes(generations, family) for family in statistics}
    home = {
        name: [row for row in rows if row.family == identity.headline]
        for name, rows in generations.items()
    }
    own, engines = statistics[identity.headline], _engines(timings)
    cycles = _cycles(identity, decoded, home, timings)
    return {
        "headline": own,
        "speed": Speed(identity.pair, identity.stand_in, False, own, engines, cycles=cycles),
        "families": {family: rows for family, rows in statistics.items() if rows},
        "change": changes[identity.headline].get("judge"),
        "changes": changes,
        "ties": _ties(home),
        "histograms": {
            name: accepted_histogram(home[name], identity.draft_length)
            for name in home
            if is_speculative(name)
        },
        "pareto": {
            family: rule_points(generations, timings, family, identity.rules)
            for family in (families if identity.rules else ())
        },
        "answers": _answers(generations),
    }


def _read_calibrated(inputs: Mapping[str, Path]) -> dict[str, Any]:
    calibrated = inputs.get("certify") or inputs["calibrate"]
    head = read_json(calibrated / "judge" / "judge_config.json")
    promised = head.get("certificate")
    return {
        "head": head,
        "calibration": read_json(calibrated / "calibration.json"),
        "curve": _read_rows(calibrated / "operating_curve.jsonl"),
        "certificate": None if promised is None else Certificate.from_json(promised),
    }


def _read_evaluated(inputs: Mapping[str, Path]) -> dict[str, Any]:
    paired = {
        task: {name: PairedComparison(**found) for name, found in by_decoder.items()}
        for task, by_decoder in read_json(inputs["evaluate"] / "paired.json").items()
    }
    return {"results": read_json(inputs["evaluate"] / "results.json"), "paired": paired}


def _read_speed(identity: Identity, inputs: Mapping[str, Path]) -> dict[str, Any]:
    """Of a stand-in; without one the pair's own speed, which decoding has told, is the run's."""
    assert identity.speed_pair is not None, "there is no stand-in"
    folder = inputs["speed"]
    generations = {name: list(read_generations(folder, name)) for name in identity.decoders}
    timings = list(read_timings(folder))
    measured = Speed(
        identity.speed_pair,
        identity.speed_stand_in or "",
        True,
        decoder_statistics(generations, timings),
        _engines(timings),
        read_json(folder / "agreement.json")["tokens_differ"],
        _cycles(identity, folder, generations, timings),
    )
    return {"speed": measured}


def _cycles(
    identity: Identity,
    folder: Path,
    generations: Mapping[str, list[Generation]],
    timings: list[Timing],
) -> dict[str, CycleSeconds]:
    length = None if identity.adaptive else identity.draft_length
    return cycle_seconds(generations, timings, list(read_bounds(folder)), length)


def _engines(timings: list[Timing]) -> str:
    return " and ".join(sorted({row.engine for row in timings if row.engine}))


def _changes(generations: Mapping[str, list[Generation]], family: str) -> dict[str, Estimate]:
    right = {
        name: [float(row.right) for row in rows if row.family == family]
        for name, rows in generations.items()
    }
    return {
        name: paired_difference(values, right["target"])
        for name, values in right.items()
        if values and is_speculative(name)
    }


def _answers(generations: Mapping[str, list[Generation]]) -> dict[str, AnswerCounts]:
    if not {"target", "judge"} <= generations.keys():
        return {}
    both = [generations["target"], generations["judge"]]
    return {
        family: count_answers(*([row for row in rows if row.family == family] for rows in both))
        for family in dict.fromkeys(row.family for row in generations["target"])
    }


def _ties(home: Mapping[str, list[Generation]]) -> int:
    pairs = zip(home.get("exact", []), home["target"], strict=False)
    return sum(exact.token_ids != target.token_ids for exact, target in pairs)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
