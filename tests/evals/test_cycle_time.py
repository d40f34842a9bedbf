"""Where the time of a cycle goes is a mean over whole cycles, beside the bare passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from evals.comparison import Comparison, plan_shards, run_comparison
from evals.cycle_time import BOUND_PROMPTS, BOUND_REPETITIONS, PARTS, cycle_seconds
from evals.generations import (
    Bound,
    Generation,
    ShardFiles,
    Timing,
    read_bounds,
    read_generations,
    read_timings,
)
from judge_lightning.court.records import Prompt
from judge_lightning.crew import Alone
from judge_lightning.decoding.draft_length import Adaptive
from judge_lightning.heads import JudgeHead
from judge_lightning.models.pair import Pair

LoadPair = Callable[[], Pair]
M = 4


def answer(prompt_id: str, blocks: list[int], decoder: str = "judge") -> Generation:
    """One with so many proposed tokens in each cycle."""
    trace = {"cycles": [{"proposed": [7] * count} for count in blocks]}
    family, _, _ = prompt_id.partition("-")
    return Generation(prompt_id, family, decoder, "", [], True, True, trace)


TIMING = Timing(
    "word-0",
    "judge",
    9.0,
    20,
    [5.0, 2.0, 4.0, 0.5],
    draft_seconds=[3.0, 1.0, 2.0, 0.1],
    verify_seconds=[1.0, 0.5, 1.0, 0.1],
    judge_seconds=[0.5, 0.2, 0.4, 0.1],
)
ANSWER = answer("word-0", [M, M, M, 2])
BOUNDS = [Bound("word-0", 1.0, 0.5, "eager"), Bound("word-0", 1.2, 0.7, "eager")]


def test_the_first_cycle_and_short_blocks_are_left_out() -> None:
    found = cycle_seconds({"judge": [ANSWER]}, [TIMING], [], M)["judge"]
    assert found.cycles == 2
    assert (found.draft, found.verify, found.judge) == pytest.approx((1.5, 0.75, 0.3))
    assert found.seconds == pytest.approx((2.0 + 4.0) / 2)


def test_efficiency_is_the_mean_bare_passes_over_the_mean_cycle() -> None:
    found = cycle_seconds({"judge": [ANSWER]}, [TIMING], BOUNDS, M)["judge"]
    assert found.bound == pytest.approx(1.7)
    assert found.efficiency == pytest.approx(1.7 / 3.0)


def test_blocks_of_any_length_have_no_bound() -> None:
    found = cycle_seconds({"judge": [ANSWER]}, [TIMING], BOUNDS, None)["judge"]
    assert (found.cycles, found.bound, found.efficiency) == (3, None, None)


def test_a_family_has_its_own_cycles_and_bounds() -> None:
    both = {"judge": [ANSWER, answer("code-0", [M, M])]}
    timings = [TIMING, replace(TIMING, prompt_id="code-0")]
    assert cycle_seconds(both, timings, BOUNDS, M, family="word")["judge"].cycles == 2
    only = {"judge": [answer("code-0", [M])]}
    assert cycle_seconds(only, timings, BOUNDS, M, family="word") == {}


def test_what_proposes_nothing_has_no_parts() -> None:
    alone = replace(ANSWER, decoder="target", trace=None)
    timing = Timing("word-0", "target", 1.0, 10, [0.1] * 10)
    assert cycle_seconds({"target": [alone]}, [timing], BOUNDS, M) == {}


def test_timings_of_before_there_were_parts_are_read(tmp_path: Path) -> None:
    row = {
        "prompt_id": "word-0",
        "decoder": "judge",
        "seconds": 9.0,
        "tokens": 20,
        "cycle_seconds": [5.0, 2.0, 4.0, 0.5],
        "compile_seconds": 0.0,
        "engine": "eager",
    }
    (tmp_path / "timings-00000.jsonl").write_text(json.dumps(row) + "\n")
    timings = list(read_timings(tmp_path))
    assert timings[0].cycle_seconds == row["cycle_seconds"]
    assert cycle_seconds({"judge": [ANSWER]}, timings, list(read_bounds(tmp_path)), M) == {}


@pytest.fixture(scope="module")
def decoded(
    pair_folder: Path,
    load: LoadPair,
    prompts: list[Prompt],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The word prompts, answered by the target, the standard rule and the judge."""
    folder = tmp_path_factory.mktemp("decoded")
    list(run_comparison(comparison_of(pair_folder, load), plan_shards(prompts, folder, 6), Alone()))
    return folder


def comparison_of(pair_folder: Path, load: LoadPair) -> Comparison:
    return Comparison(
        load_pair=load,
        load_head=partial(JudgeHead.from_pretrained, pair_folder / "judge"),
        decoders=("target", "exact", "judge"),
        draft_length=M,
        max_new_tokens=24,
        threads=1,
    )


def test_every_cycle_that_is_decoded_has_parts_within_its_seconds(decoded: Path) -> None:
    for timing in read_timings(decoded):
        parts = (timing.draft_seconds, timing.verify_seconds, timing.judge_seconds)
        if timing.decoder == "target":
            assert parts == ([], [], [])
            continue
        for seconds, *spent in zip(timing.cycle_seconds, *parts, strict=True):
            assert min(spent) >= 0
            assert sum(spent) <= seconds + 2e-6, "rounded to a microsecond each"


def test_the_means_are_those_of_what_was_decoded(decoded: Path) -> None:
    names = ("target", "exact", "judge")
    generations = {name: list(read_generations(decoded, name)) for name in names}
    found = cycle_seconds(generations, list(read_timings(decoded)), list(read_bounds(decoded)), M)
    assert found.keys() == {"exact", "judge"}
    for row in found.values():
        assert min(getattr(row, part) for part in PARTS) >= 0
        assert row.bound is not None and row.bound > 0


def test_some_prompts_of_every_shard_have_bare_passes(decoded: Path, prompts: list[Prompt]) -> None:
    rows = list(read_bounds(decoded))
    in_shards = [min(BOUND_PROMPTS, len(prompts[start : start + 6])) for start in (0, 6)]
    assert len({row.prompt_id for row in rows}) == sum(in_shards)
    assert len(rows) == sum(in_shards) * BOUND_REPETITIONS
    assert {row.engine for row in rows} == {"eager"}


def test_blocks_of_any_length_are_not_measured_bare(
    pair_folder: Path, load: LoadPair, prompts: list[Prompt], tmp_path: Path
) -> None:
    comparison = replace(comparison_of(pair_folder, load), draft_length=Adaptive(longest=M))
    list(run_comparison(comparison, plan_shards(prompts[:1], tmp_path, 1), Alone()))
    assert list(read_bounds(tmp_path)) == []


def test_what_is_taken_from_elsewhere_brings_its_bare_passes(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir()
    ShardFiles(theirs, 0).write(["judge"], [ANSWER], [TIMING], BOUNDS)
    for _ in range(2):
        ShardFiles(ours, 0).take(["judge"], theirs)
    assert list(read_bounds(ours)) == BOUNDS
