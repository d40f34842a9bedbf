"""The report's sentences say what the numbers say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evals.generations import ShardFiles, read_generations, read_timings
from evals.statistics import Estimate
from judge_lightning.guarantee import Certificate
from pipelines.report import wording
from pipelines.report.html import render_html
from pipelines.report.material import DECODER_NAMES, Material
from pipelines.report.summary import verdict
from pipelines.report.terminal import WIDTH, render_terminal
from tests.report.conftest import material_without_judge

NOBODY: frozenset[int] = frozenset()


def wrong(**changes: frozenset[int]) -> dict[str, frozenset[int]]:
    return {"target": NOBODY, "exact": NOBODY, "judge": NOBODY, "draft": NOBODY, **changes}


def test_a_loss_within_noise_is_called_that_and_stated(material: Material) -> None:
    sentence = wording.verdict_sentence(material)
    assert (
        "no measurable change in right answers (−2.5 ± 2.5 points: 95.0 % against 97.5 %)"
        in sentence
    )


def test_the_verdict_says_how_much_faster_at_what_quality_with_what_guarantee(
    material: Material, timed_material: Material
) -> None:
    sentence = wording.verdict_sentence(material)
    assert "1.88 times as fast as the target alone" in sentence
    assert "(standard speculative decoding 0.88 times)" in sentence
    assert sentence.endswith("; its threshold carries no guarantee.")
    assert "2.00 times; on the stand-in standin_cpu" in wording.verdict_sentence(timed_material)


def test_a_certificate_is_the_verdicts_guarantee(material: Material) -> None:
    certificate = Certificate("mistakes", 0.02, 0.05, 0.9, 200, 0, 0.0176)
    material = replace(material, certificate=certificate)
    assert "; at most 2 % of mistakes pass, with 95 % confidence." in wording.verdict_sentence(
        material
    )
    found = wording.guarantee(material)
    assert found is not None
    assert (found.number, found.tone) == ("≤ 2 %", "good")


def test_a_clear_loss_is_named_first(material_of: Callable[..., Material]) -> None:
    material = material_of(wrong=wrong(judge=frozenset(range(20))))
    assert "costs 50.0 percentage points" in wording.verdict_sentence(material)
    cost = wording.cost(material)
    assert cost is not None
    assert cost.tone == "bad"


def test_no_change_at_all_is_not_dressed_up_as_noise(material_of: Callable[..., Material]) -> None:
    sentence = wording.verdict_sentence(material_of(wrong=wrong()))
    assert "every answer stays as right or wrong as it was" in sentence


def test_blocks_that_end_by_themselves_are_counted_up_to_the_longest(material: Material) -> None:
    material = replace(material, identity=replace(material.identity, adaptive=True))
    gain = wording.gain(material)
    assert gain is not None
    assert "of up to 20 proposed" in gain.sentence
    assert "draft length up to 20" in render_terminal(material)
    assert verdict(material)["draft_length"] == "auto"


def test_a_judge_that_keeps_no_more_is_not_shown_as_a_gain(
    material_of: Callable[..., Material],
) -> None:
    gain = wording.gain(material_of(block={"exact": 12, "judge": 6}))
    assert gain is not None
    assert gain.tone == "bad"


@pytest.mark.parametrize(
    ("change", "text"), [(0.012, "+1.2"), (-0.005, "−0.5"), (0.0, "±0.0"), (-0.0001, "±0.0")]
)
def test_points_are_signed(change: float, text: str) -> None:
    assert wording.points(change) == text


def test_significance_is_judged_at_two_standard_errors() -> None:
    assert "within noise" in wording.significance(Estimate(-0.01, 0.006, 100))
    assert "more than noise" in wording.significance(Estimate(-0.013, 0.006, 100))


def test_the_terminal_table_fits_and_names_every_decoder(material: Material) -> None:
    text = render_terminal(material)
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    for name in DECODER_NAMES.values():
        assert name in text


def test_the_speed_of_a_stand_in_names_it_and_its_prompts(timed_material: Material) -> None:
    found = wording.speed(timed_material)
    assert found is not None
    assert found.number == "5.00×"
    assert "on the stand-in standin_cpu (10 prompts)" in found.sentence
    assert "167 instead of 33 tokens per second" in found.sentence
    assert "10.0 times as fast as the stand-in's target token" in wording.draft_cost(timed_material)


def test_the_pairs_own_speed_is_told_beside_it(timed_material: Material) -> None:
    note = wording.speed_note(timed_material)
    assert "Of micro itself, the judge reaches 625 tokens/s, 1.88× its target alone" in note


def test_tokens_that_differ_are_told(differing_material: Material) -> None:
    note = wording.speed_note(differing_material)
    assert "It wrote other tokens in 2 of 40 answers" in note


RULES = {"top_2": {"top_k": {"k": 2}}}


@pytest.mark.parametrize(
    ("decoders", "sentence", "foot"),
    [
        (
            ("target", "draft", "exact"),
            "Standard speculative decoding is 0.88 times as fast as the target alone, and every"
            " answer stays as right or wrong as it was (97.5 % against 97.5 % right).",
            "Standard speculative decoding keeps the target's distribution",
        ),
        (
            ("target", "top_2"),
            "The rule 'top_k, k 2' is 2.00 times as fast as the target alone, with no measurable"
            " change in right answers (−2.5 ± 2.5 points: 95.0 % against 97.5 %).",
            "An acceptance rule that is not lossless does not keep the target's distribution",
        ),
        (("target", "draft"), "2 decoders on 40 held-out prompts.", ""),
    ],
)
def test_without_a_judge_nothing_is_said_of_one(
    decoders: tuple[str, ...], sentence: str, foot: str, artifacts: dict[str, Path]
) -> None:
    copy_decoder(artifacts, "judge", "top_2")
    rules = {name: rule for name, rule in RULES.items() if name in decoders}
    material = material_without_judge(artifacts, decoders, rules)
    assert wording.verdict_sentence(material) == sentence
    assert wording.footer(material.identity).startswith(foot)
    assert bool(wording.footer(material.identity)) == bool(foot)
    assert wording.findings(material) == []
    page = render_html(material)
    assert "Judge decoding (arXiv 2501.19309)" not in page
    assert "promises nothing" not in render_terminal(material)


def copy_decoder(artifacts: dict[str, Path], seed: str, name: str) -> None:
    """Adds a decoder that wrote what ``seed`` wrote, twice as fast as the target alone."""
    rows = {one: list(read_generations(artifacts["decode"], one)) for one in DECODER_NAMES}
    rows[name] = [replace(row, decoder=name) for row in rows[seed]]
    timings = list(read_timings(artifacts["decode"]))
    alone = [row for row in timings if row.decoder == "target"]
    timings += [replace(row, decoder=name, seconds=row.seconds / 2) for row in alone]
    every = [row for of_decoder in rows.values() for row in of_decoder]
    ShardFiles(artifacts["decode"], 0).write([*rows], every, timings)
    for file in ("results.json", "paired.json"):
        path = artifacts["evaluate"] / file
        tasks = json.loads(path.read_text())
        path.write_text(json.dumps({t: one | {name: one[seed]} for t, one in tasks.items()}))


def test_a_judge_in_a_rule_is_a_judge(material: Material) -> None:
    rules = {"unsure": {"judge": {"threshold": 0.2}}}
    identity = replace(material.identity, decoders=("target", "unsure"), rules=rules)
    assert identity.judged
    assert wording.footer(identity).startswith("Judge decoding (arXiv 2501.19309)")
