"""Every decoder answers every prompt, whatever the number of processes or interruptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from evals import comparison as comparison_module
from evals.agreement import DisagreementError
from evals.comparison import Bench, Comparison, plan_shards, run_comparison, stream_seed
from evals.decoders import DECODERS
from evals.generations import read_generations, read_timings
from evals.side_by_side import SideBySide
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import Prompt
from judge_lightning.crew import Alone
from judge_lightning.decoding.eager import EagerEngine
from judge_lightning.heads import JudgeHead
from judge_lightning.models.pair import Pair


@pytest.fixture
def comparison(load: Callable[[], Pair], pair_folder: Path) -> Comparison:
    return Comparison(
        load_pair=load,
        load_head=partial(JudgeHead.from_pretrained, pair_folder / "judge"),
        decoders=DECODERS,
        draft_length=4,
        max_new_tokens=12,
        threads=1,
    )


def deterministic_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("generations-*"))}


def decode_all(
    comparison: Comparison, prompts: list[Prompt], folder: Path, processes: int = 1
) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    list(
        run_comparison(comparison, plan_shards(prompts, folder, 3), SideBySide([None] * processes))
    )
    return deterministic_files(folder)


def test_every_decoder_answers_every_prompt(
    comparison: Comparison, prompts: list[Prompt], tmp_path: Path
) -> None:
    decode_all(comparison, prompts, tmp_path)
    for decoder in DECODERS:
        rows = list(read_generations(tmp_path, decoder))
        assert [row.prompt_id for row in rows] == [prompt.id for prompt in prompts]
        assert all(0 < len(row.token_ids) <= 12 for row in rows)
    timed = {(timing.prompt_id, timing.decoder) for timing in read_timings(tmp_path)}
    assert timed == {(prompt.id, decoder) for prompt in prompts for decoder in DECODERS}


def test_standard_decoding_writes_what_the_target_alone_writes(
    comparison: Comparison, prompts: list[Prompt], tmp_path: Path
) -> None:
    decode_all(comparison, prompts, tmp_path)
    exact = [row.token_ids for row in read_generations(tmp_path, "exact")]
    assert exact == [row.token_ids for row in read_generations(tmp_path, "target")]


def test_a_disagreement_stops_the_run_and_names_the_prompt(
    comparison: Comparison, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(comparison)
    monkeypatch.setitem(bench.decoders, "exact", bench.decoders["draft"])
    with pytest.raises(DisagreementError, match=prompts[0].id):
        bench.decode_prompt(prompts[0])


def test_two_processes_write_the_same_generations_as_one(
    comparison: Comparison, prompts: list[Prompt], tmp_path: Path
) -> None:
    alone = decode_all(comparison, prompts, tmp_path / "one")
    assert decode_all(comparison, prompts, tmp_path / "two", processes=2) == alone


def test_complete_shards_are_not_decoded_again(
    comparison: Comparison, prompts: list[Prompt], tmp_path: Path
) -> None:
    whole = decode_all(comparison, prompts, tmp_path)
    shards = plan_shards(prompts, tmp_path, 3)
    shards[1].files.timings.unlink()
    assert len(list(run_comparison(comparison, shards, Alone()))) == len(shards[1].prompts)
    assert deterministic_files(tmp_path) == whole


def test_a_finished_comparison_loads_no_model(
    comparison: Comparison,
    prompts: list[Prompt],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode_all(comparison, prompts, tmp_path)
    monkeypatch.setattr(comparison_module, "Bench", None)
    assert list(run_comparison(comparison, plan_shards(prompts, tmp_path, 3), Alone())) == []


def test_a_resumed_comparison_makes_its_engine_as_the_undisturbed_one_did(
    comparison: Comparison, prompts: list[Prompt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caches of another length round otherwise, and files would differ in a last digit."""
    reserved: list[int] = []
    monkeypatch.setattr(EagerEngine, "reserve", lambda self, longest: reserved.append(longest))
    long = replace(prompts[0], id="long", text=prompts[0].text * 2)
    shards = plan_shards([long, *prompts[1:]], tmp_path, 3)
    list(run_comparison(comparison, shards, Alone()))
    shards[1].files.timings.unlink()
    list(run_comparison(comparison, shards, Alone()))
    assert reserved[0] == reserved[1]


def test_the_engine_is_made_for_the_longest_prompt_at_once(
    comparison: Comparison, prompts: list[Prompt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserved: list[int] = []
    monkeypatch.setattr(EagerEngine, "reserve", lambda self, longest: reserved.append(longest))
    long = replace(prompts[0], id="long", text=prompts[0].text * 2)
    decode_all(comparison, [*prompts[:1], long], tmp_path)
    tokenizer = comparison.load_pair().tokenizer
    expected = len(render_prompt(tokenizer, long.text)) + comparison.max_new_tokens
    assert reserved == [expected]


def test_sampling_does_not_depend_on_the_order_of_prompts(
    comparison: Comparison, prompts: list[Prompt]
) -> None:
    bench = Bench(replace(comparison, temperature=1.0, seed=3))
    forwards = {p.id: bench.decode_prompt(p)[2][0].token_ids for p in prompts[:3]}
    backwards = {p.id: bench.decode_prompt(p)[2][0].token_ids for p in reversed(prompts[:3])}
    assert forwards == backwards


def test_every_prompt_and_decoder_draws_from_its_own_stream() -> None:
    seeds = {stream_seed(0, decoder, f"p{i}") for decoder in DECODERS for i in range(10)}
    assert len(seeds) == 40
