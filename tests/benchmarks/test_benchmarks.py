"""Every benchmark runs and writes what it promises; what it measures is not asserted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from transformers import LlamaForCausalLM

from benchmarks import (
    adaptive_length,
    against_transformers,
    annotator_agreement,
    context_growth,
    court_size,
    cycle_bound,
    drafting,
    gpu_decode,
    harness_overhead,
    measuring,
    standin_cost,
)
from benchmarks.subjects import (
    Replayed,
    held_out_prompts,
    lengths_with_mean,
    load_judge,
    pair_config,
    prompt_ids,
)
from judge_lightning import JudgeHead, SpeculativeDecoder
from judge_lightning.decoding import compiler
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig
from judge_lightning.models.fingerprint import fingerprint
from judge_lightning.verifiers import Exact
from pipelines.pair import pair_loader

needs_compiler = pytest.mark.skipif(
    compiler.compiler_problem() is not None, reason="needs a C++ compiler"
)
SMALL = ["pair.target.grow.num_hidden_layers=7", "pair.target.grow.hidden_size=256"]


def save_judge(folder: Path, target: str) -> Path:
    """A judge of the micro target's shape that keeps every token."""
    config = HeadConfig(128, 5, 6, threshold=0.5, target=target)
    JudgeHead.from_weights(torch.zeros(128), 1.0, config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_judge(tmp_path_factory.mktemp("judge"), fingerprint("micro:target"))


def result_of(main: Any, out: Path, *arguments: str) -> dict[str, Any]:
    main(["--quick", "--threads", "1", "--out", str(out), *arguments])
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert {"benchmark", "environment"} <= result.keys()
    assert {"date", "processor", "cores", "threads", "load", "torch"} <= set(result["environment"])
    return result


def test_a_cycle_is_compared_with_its_bare_passes(tmp_path: Path) -> None:
    result = result_of(
        cycle_bound.main, tmp_path / "r.json", "--pairs", "micro", "--engines", "eager"
    )
    rows = {(row["engine"], row["verifier"]): row for row in result["results"]}
    assert rows.keys() == {("eager", "exact"), ("eager", "judge")}
    for row in rows.values():
        assert row["cycles"] > 0
        parts = row["bare_draft"] + row["bare_target"]
        assert parts > 0
        assert row["efficiency"] > 0
        assert row["goal"] == 0.97
        assert row["reached"] == (row["efficiency"] >= 0.97)


@pytest.mark.parametrize(
    "engine", ["eager", pytest.param("compiled", marks=[pytest.mark.slow, needs_compiler])]
)
def test_probing_a_cycle_does_not_change_what_is_decoded(
    engine: str, tiny_llama: Callable[[int], LlamaForCausalLM]
) -> None:
    target, draft = tiny_llama(0), tiny_llama(1)
    ids = torch.tensor([[5, 17, 40, 8, 23, 11]])
    probed: Any = cycle_bound.ProbedEngine(engine)
    ours, plain = (
        SpeculativeDecoder(target, draft, Replayed(Exact(), [1, 3, 0]), 3, each).generate(
            ids, 20, ()
        )
        for each in (probed, "eager")
    )
    assert torch.equal(ours.sequences, plain.sequences)
    assert len(probed.costs) == len(ours.trace.cycles)
    assert any(cost.bare > 0 for cost in probed.costs)


def test_transformers_and_our_decoders_answer_the_same_prompts(tmp_path: Path, judge: Path) -> None:
    result = result_of(
        against_transformers.main,
        tmp_path / "r.json",
        *SMALL,
        *("--judge", str(judge), "--engines", "eager"),
    )
    assert result["exact_writes_what_plain_writes"]
    assert "7 layers" in result["stand_in"]
    contenders = result["contenders"]
    assert contenders.keys() == {
        "transformers plain",
        "transformers assisted",
        "target eager",
        "exact eager",
        "judge eager",
    }
    assert all(row["tokens_per_second"] > 0 for row in contenders.values())
    assert contenders["judge eager"]["accepted_per_cycle"] > 0
    goals = {(row["ours"], row["theirs"]): row["goal"] for row in result["ratios"]}
    assert goals["exact eager", "transformers assisted"] == 1.8
    assert goals["judge eager", "transformers plain"] == 8.0
    assert result["target_over_draft"] > 0


def test_the_assistant_proposes_as_many_tokens_as_our_draft(judge: Path) -> None:
    config = pair_config("micro")
    pair = pair_loader(config)()
    head = load_judge(config, judge, Path("nowhere"))
    contenders = against_transformers.make_contenders(pair, head, 7, {})
    widths: list[int] = []
    pair.target.register_forward_pre_hook(
        lambda module, args, kwargs: widths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    ids = prompt_ids(pair.tokenizer, held_out_prompts(1)[0], pair.target.device)
    contenders[against_transformers.ASSISTED].answer(ids, 40)
    assert widths[0] == ids.shape[1] + 7
    # The last decided token and the proposals; fewer only where the answer nears its end.
    assert widths[1:5] == [1 + 7] * 4


def test_blocks_that_end_by_themselves_are_compared_with_fixed_ones(
    tmp_path: Path, judge: Path
) -> None:
    result = result_of(
        adaptive_length.main, tmp_path / "r.json", "--judge", str(judge), "--engines", "eager"
    )
    lines = {(line["rule"], line["length"]): line for line in result["lines"]}
    rules = ("exact", "judge")
    assert lines.keys() == {(rule, each) for rule in rules for each in ("2", "4", "auto")}
    assert result["draft_costs"]["micro eager"] > 0
    assert len({lines["exact", each]["tokens"] for each in ("2", "4", "auto")}) == 1
    for row in result["comparisons"]:
        best = lines[row["rule"], row["best_length"]]["tokens_per_second"]
        auto = lines[row["rule"], "auto"]["tokens_per_second"]
        assert best == max(lines[row["rule"], each]["tokens_per_second"] for each in ("2", "4"))
        assert row["ratio"] == pytest.approx(auto / best)
        assert row["reached"] == (row["ratio"] >= 0.95)


def test_costs_grow_with_context_draft_length_and_model(tmp_path: Path) -> None:
    out = tmp_path / "growth.json"
    result = result_of(context_growth.main, out)
    sweeps = result["sweeps"]
    assert sweeps.keys() == {"context", "draft_length", "model_size"}
    assert [point["context"] for point in sweeps["context"]] == [16, 32]
    assert sweeps["context"][0]["cache"] < sweeps["context"][1]["cache"]
    assert [point["draft_length"] for point in sweeps["draft_length"]] == [1, 2]
    parameters = [point["parameters"] for point in sweeps["model_size"]]
    assert parameters == sorted(parameters)
    picture = ElementTree.fromstring(out.with_suffix(".svg").read_text(encoding="utf-8"))
    assert picture.tag.endswith("svg")
    assert "milliseconds per token" in "".join(picture.itertext())


def test_the_gpu_benchmark_runs_tiny_on_the_cpu(tmp_path: Path, judge: Path) -> None:
    result = result_of(
        gpu_decode.main,
        tmp_path / "r.json",
        *("--device", "cpu", "--tiny", "--engines", "eager", "--judge", str(judge)),
        *("--weights", "bf16", "--target-layers", "7"),
    )
    rows = {(row["decoder"], row["acceptance"]): row for row in result["rows"]}
    assert rows.keys() == {
        ("plain", ""),
        ("exact", "own"),
        ("exact", "paper's"),
        ("judge", "own"),
        ("judge", "paper's"),
    }
    assert rows["judge", "own"]["accepted_per_cycle"] == 25
    assert rows["judge", "paper's"]["accepted_per_cycle"] in (19, 19.5, 20)
    for row in rows.values():
        assert row["tokens_per_second"] > 0
        assert row["gigabytes_per_cycle"] > 0
        assert row["share_of_bandwidth"] > 0
        # Seven of eight layers were built.
        assert row["estimate_at_full_depth"] < row["tokens_per_second"]
    assert result["references"].keys() == gpu_decode.REFERENCES.keys()
    assert result["runs"][0]["peak_bytes"] is None or result["runs"][0]["peak_bytes"] > 0


def test_all_layers_of_the_70b_are_cut_to_what_fits_in_bfloat16() -> None:
    parser = measuring.parser_for("")
    given = parser.parse_args([])
    given.tiny, given.target_layers, given.device = False, None, "cuda"
    bf16, int8 = (gpu_decode._config(given, weights) for weights in ("bf16", "int8"))
    assert bf16.pair.target.grow is not None
    assert bf16.pair.target.grow.built_layers == 68
    assert int8.pair.target.quantization == "int8"
    assert int8.pair.target.grow is not None
    assert int8.pair.target.grow.built_layers == 80


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_to_do() -> None:
    with pytest.raises(UserError, match="give --device cpu --tiny"):
        gpu_decode.main(["--judge", "nowhere"])


def test_the_passes_of_a_pair_are_measured(tmp_path: Path) -> None:
    result = result_of(standin_cost.main, tmp_path / "r.json", "--pair", "micro")
    assert result["milliseconds"].keys() == {"draft, 1 token", "target, 1 token", "target, block"}
    assert result["stand_in"] is None


def test_batched_drafting_writes_what_generate_writes(tmp_path: Path) -> None:
    result = result_of(drafting.main, tmp_path / "r.json")
    assert result["goal"] == 5
    assert [row["model"] for row in result["results"]] == ["draft", "target"]
    for row in result["results"]:
        assert row["same_answers"] == result["prompts"] == 4
        assert row["ratio"] == row["batched"] / row["one_by_one"]
        assert row["tokens"] > 0


def test_the_newest_judge_of_the_target_is_found(tmp_path: Path, judge: Path) -> None:
    config = pair_config("standin_cpu")
    with pytest.raises(UserError, match=r"holds no judge of this target; train one"):
        load_judge(config, None, tmp_path)
    save_judge(tmp_path / "calibrate" / "a" / "judge", "another")
    with pytest.raises(UserError, match=r"no judge of this target \(but 1 of others\)"):
        load_judge(config, None, tmp_path)
    shutil.copytree(judge, tmp_path / "calibrate" / "b" / "judge")
    assert load_judge(config, None, tmp_path).config.layers_of_target == 48


def test_a_mistake_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        measuring.run_script(lambda: standin_cost.main(["--pair", "nothing"]))
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nothing" in error


def test_replayed_lengths_have_the_mean_that_is_asked_for() -> None:
    assert sum(lengths_with_mean(19.7)) == 197
    assert set(lengths_with_mean(6.3)) == {6, 7}
    assert lengths_with_mean(3.0) == [3] * 10


def test_a_replay_keeps_what_it_is_told_and_adds_the_targets_token() -> None:
    logits = torch.eye(4)[[1, 2, 3, 0]]
    block = Block(torch.tensor([1, 1, 1]), logits)
    replay = Replayed(Exact(), [2, 9])
    first, second = replay.verdict(block), replay.verdict(block)
    assert (first.accepted, first.next_token) == (2, 3)
    assert (second.accepted, second.next_token) == (3, 0)
    assert first.standard == [True, False, False]


def test_court_size_makes_a_data_set_of_every_size(tmp_path: Path) -> None:
    result = result_of(court_size.main, tmp_path / "size.json", "--annotator", "calculator")

    (size,) = result["sizes"]
    assert size["answers"] == 40
    assert 0 < size["tuples"] <= 30


def test_synthetic_solutions_are_wrong_where_they_slip() -> None:
    from judge_lightning.court.final_numbers import final_number

    prompt, (right, *wrong) = court_size.worked_problem(7, 3)

    assert prompt.reference == right
    assert all(text != right and final_number(text) != final_number(right) for text in wrong)


def test_annotators_are_held_against_the_oracle(tmp_path: Path) -> None:
    result = result_of(
        annotator_agreement.main, tmp_path / "r.json", "--annotators", "oracle", "rollout"
    )
    rows = {row["label"]: row for row in result["results"]}
    assert rows.keys() == {"oracle", "rollout"}
    assert rows["oracle"]["exact"] == 1
    assert rows["oracle"]["generations_wrong"] == 0
    assert rows["rollout"]["generations_wrong"] > 0
    assert result["wrong"] == 4


def test_the_harness_is_timed_beside_the_decoders(judge: Path, tmp_path: Path) -> None:
    arguments = ("--judge", str(judge), "--decoders", "target", "judge")
    result = result_of(harness_overhead.main, tmp_path / "h.json", *arguments)
    rows = {row["decoder"]: row for row in result["results"]}
    assert rows.keys() == {"target", "judge", "together"}
    assert rows["together"]["answers"] == 4
    assert rows["together"]["own"] > 0
