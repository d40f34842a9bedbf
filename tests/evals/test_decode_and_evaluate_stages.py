"""The stages that compare decoders, over a tiny random pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.decoders import DECODERS, choose_engine
from evals.examples import read_examples
from evals.generations import read_generations, read_timings
from judge_lightning.decoding import compiler
from judge_lightning.errors import UserError
from judge_lightning.models.shape import Growth
from pipelines.config import (
    EngineConfig,
    EvalConfig,
    ModelConfig,
    PairConfig,
    RunConfig,
    SourceConfig,
    SpeedConfig,
    VerifierConfig,
)
from pipelines.stage import QuietRecorder, Stage, StageContext
from pipelines.stages.decode import Decode
from pipelines.stages.evaluate import Evaluate
from pipelines.stages.speed import Speed


@pytest.fixture
def config(pair_folder: Path) -> RunConfig:
    return RunConfig(
        exp="test",
        pair=PairConfig(
            name="tiny",
            target=ModelConfig(path=str(pair_folder / "target")),
            draft=ModelConfig(path=str(pair_folder / "draft")),
        ),
        verifier=VerifierConfig(name="all", decoders=list(DECODERS)),
        engine=EngineConfig(
            name="eager",
            draft_length=4,
            max_new_tokens=10,
            device="cpu",
            workers=1,
            shard_size=4,
            judge_path=str(pair_folder / "judge"),
        ),
        eval=EvalConfig(name="tiny", tasks=["micro_word", "micro_code"], headline="word"),
    )


def run(stage: Stage, config: RunConfig, work: Path, **inputs: Path) -> StageContext:
    work.mkdir(exist_ok=True)
    context = StageContext(config, inputs, work, QuietRecorder())
    stage.run(context)
    return context


@pytest.fixture
def decoded(config: RunConfig, prompts_folder: Path, tmp_path: Path) -> StageContext:
    return run(Decode(), config, tmp_path / "decode", prompts=prompts_folder, calibrate=tmp_path)


def test_decode_measures_every_decoder_on_every_family(decoded: StageContext) -> None:
    metrics = decoded.recorder.values  # type: ignore[attr-defined]
    for decoder in DECODERS:
        for family, count in (("word", 6), ("code", 2)):
            assert metrics[f"{decoder}/{family}/prompts"] == count
            assert metrics[f"{decoder}/{family}/tokens_per_second"] > 0
    assert metrics["target/word/speedup"] == 1.0


def test_a_stand_in_answers_as_its_seed_and_is_judged_by_its_seeds_judge(
    config: RunConfig, prompts_folder: Path, decoded: StageContext, tmp_path: Path
) -> None:
    config.pair.target.grow = Growth(hidden_size=64, num_hidden_layers=5)
    folders = {"prompts": prompts_folder, "calibrate": tmp_path}
    grown = run(Decode(), config, tmp_path / "grown", **folders)
    for decoder in DECODERS:
        expected = [row.token_ids for row in read_generations(decoded.work, decoder)]
        assert [row.token_ids for row in read_generations(grown.work, decoder)] == expected
    Decode().validate(word_problems(config))
    evaluated = run(Evaluate(), config, tmp_path / "evaluated", decode=grown.work, **folders)
    assert (evaluated.work / "results.json").is_file()


@pytest.fixture
def timed_config(config: RunConfig) -> RunConfig:
    """The same run with its speed taken from three prompts on a deeper target."""
    grown = ModelConfig(path="unused", grow=Growth(num_hidden_layers=5))
    stand_in = PairConfig(name="deeper", target=grown, draft=ModelConfig(path="unused"))
    config.speed = SpeedConfig(name="deeper", pair=stand_in, prompts=3, shard_size=2)
    return config


def test_a_stand_in_is_timed_on_some_headline_prompts_and_writes_the_pairs_tokens(
    timed_config: RunConfig, prompts_folder: Path, decoded: StageContext, tmp_path: Path
) -> None:
    folders = {"prompts": prompts_folder, "calibrate": tmp_path, "decode": decoded.work}
    timed = run(Speed(), timed_config, tmp_path / "speed", **folders)
    metrics = timed.recorder.values  # type: ignore[attr-defined]
    assert metrics["tokens_differ"] == 0
    assert json.loads((timed.work / "agreement.json").read_text())["differing"] == []
    for decoder in DECODERS:
        rows = list(read_generations(timed.work, decoder))
        assert [row.prompt_id for row in rows] == ["word-0", "word-2", "word-4"]
        assert metrics[f"{decoder}/tokens_per_second"] > 0
    assert {row.engine for row in read_timings(timed.work)} == {"eager"}
    assert timed.volatile == {path.name for path in timed.work.glob("timings-*")}


def test_answers_that_are_not_the_pairs_are_counted_and_named(
    timed_config: RunConfig, prompts_folder: Path, decoded: StageContext, tmp_path: Path
) -> None:
    written = decoded.work / "generations-judge-00000.jsonl"
    first, *rest = written.read_text().splitlines(keepends=True)
    answer = json.loads(first)
    answer["token_ids"][0] += 1
    written.write_text(json.dumps(answer) + "\n" + "".join(rest))
    folders = {"prompts": prompts_folder, "calibrate": tmp_path, "decode": decoded.work}
    timed = run(Speed(), timed_config, tmp_path / "speed", **folders)
    agreement = json.loads((timed.work / "agreement.json").read_text())
    assert agreement == {"tokens_differ": 1, "differing": [["judge", "word-0"]]}


def test_only_timings_are_volatile(decoded: StageContext) -> None:
    assert decoded.volatile == {path.name for path in decoded.work.glob("timings-*")}


def test_evaluate_uses_the_generations_of_decode(
    config: RunConfig, prompts_folder: Path, decoded: StageContext, tmp_path: Path
) -> None:
    context = run(
        Evaluate(),
        config,
        tmp_path / "evaluate",
        prompts=prompts_folder,
        calibrate=tmp_path,
        decode=decoded.work,
    )
    metrics = context.recorder.values  # type: ignore[attr-defined]
    results = json.loads((context.work / "results.json").read_text())
    for decoder in DECODERS:
        assert metrics[f"{decoder}/decoded_live"] == 0
        rows = [row for row in read_generations(decoded.work, decoder) if row.family == "word"]
        share = sum(row.right for row in rows) / len(rows)
        assert results["micro_word"][decoder]["value"] == pytest.approx(share)
        assert results["micro_word"][decoder]["n"] == len(rows)
    examples = read_examples(context.work / "examples.jsonl")
    assert {example.family for example in examples} == {"word", "code"}
    for example in examples:
        answer = "".join(token.text for token in example.tokens)
        judged = {row.prompt_id: row.text for row in read_generations(decoded.work, "judge")}
        assert answer == judged[example.prompt_id]
        assert all(token.target and token.draft for token in example.tokens)
        assert all(token.spelt or token.text for token in example.tokens)


def word_problems(config: RunConfig) -> RunConfig:
    config.data.sources["word"] = SourceConfig(format="micro", family="word")
    return config


def test_a_judge_of_another_target_is_refused_before_any_work(config: RunConfig) -> None:
    config.pair.target.path = config.pair.draft.path
    with pytest.raises(UserError, match=r"judge_config\.json: was trained on target"):
        Decode().validate(word_problems(config))


def test_a_judge_that_is_missing_is_refused(config: RunConfig) -> None:
    config.engine.judge_path = "no/such/judge"
    with pytest.raises(UserError, match=r"engine\.judge_path: .* cannot be read"):
        Decode().settings(config)


def test_a_headline_without_prompts_is_refused(config: RunConfig) -> None:
    config.data.sources["code"] = SourceConfig(format="micro", family="code")
    with pytest.raises(UserError, match=r"eval\.headline: no source .* 'word'"):
        Decode().validate(config)


def test_what_cannot_change_the_result_is_no_part_of_the_key(config: RunConfig) -> None:
    before = Decode().settings(config)
    config.engine.workers = 7
    config.engine.device = "cuda"
    assert Decode().settings(config) == before


def test_a_number_of_draft_tokens_stands_in_the_key_as_it_is(config: RunConfig) -> None:
    before = Decode().settings(config)
    assert before["draft_length"] == 4
    config.engine.draft_cost, config.engine.longest_draft = 0.5, 99
    assert Decode().settings(config) == before


def test_auto_stands_in_the_key_with_all_that_it_decides_by(config: RunConfig) -> None:
    config.engine.draft_length = "auto"
    settings = Decode().settings(config)["draft_length"]
    assert settings == {"auto": {"longest": 32, "draft_cost": 0.1, "every": 1}}
    config.engine.draft_cost = 0.5
    assert Decode().settings(config)["draft_length"] != settings


@pytest.mark.parametrize("value", ["long", 0, "2.5"])
def test_a_draft_length_that_is_none_is_refused(config: RunConfig, value: int | str) -> None:
    config.engine.draft_length = value
    with pytest.raises(UserError, match=r"engine\.draft_length: is"):
        Decode().validate(config)


def test_decoding_with_auto_does_not_depend_on_how_prompts_are_cut(
    config: RunConfig, prompts_folder: Path, tmp_path: Path
) -> None:
    config.engine.draft_length = "auto"
    traces = []
    for size in (1, 4):
        config.engine.shard_size = size
        work = tmp_path / f"decode-{size}"
        run(Decode(), config, work, prompts=prompts_folder, calibrate=tmp_path)
        traces.append([row.trace for row in read_generations(work, "judge")])
    assert traces[0] == traces[1]
    assert any(cycle["proposed"] for trace in traces[0] for cycle in trace["cycles"])


def test_the_engine_is_no_part_of_the_key(config: RunConfig) -> None:
    """Both engines write the same tokens: tests/decoding/test_compiled.py."""
    before = Decode().settings(config)
    config.engine.kind = "compiled"
    assert Decode().settings(config) == before


@pytest.mark.parametrize(
    ("kind", "temperature", "problem"),
    [("fast", 0.0, "no engine 'fast'"), ("compiled", 0.5, "greedily alone")],
)
def test_an_engine_that_cannot_serve_is_refused_before_any_work(
    config: RunConfig, kind: str, temperature: float, problem: str
) -> None:
    config.data.sources["word"] = SourceConfig(format="micro", family="word")
    config.engine.kind, config.engine.temperature = kind, temperature
    with pytest.raises(UserError, match=rf"engine\.kind: .*{problem}"):
        Decode().validate(config)


def test_auto_compiles_only_where_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "compiler_problem", lambda: None)
    assert choose_engine("auto", 0.0, on_gpu=False) == "compiled"
    assert choose_engine("auto", 0.5, on_gpu=False) == "eager"
    assert choose_engine("auto", 0.0, on_gpu=True) == "eager"
    monkeypatch.setattr(compiler, "compiler_problem", lambda: "there is no g++")
    assert choose_engine("auto", 0.0, on_gpu=False) == "eager"
    assert choose_engine("compiled", 0.0, on_gpu=False) == "compiled"


RULES = {
    "top_2": {"top_k": {"k": 2}},
    "near": {"divergence": {"limit": 0.5}},
    "unsure": {"any_of": ["exact", {"judge": {"threshold": 0.2}}]},
}


@pytest.fixture
def ruled(config: RunConfig) -> RunConfig:
    """The same run with three more decoders, one of which reads the draft."""
    config.verifier.rules = dict(RULES)
    config.verifier.decoders = [*DECODERS, *RULES]
    return word_problems(config)


def test_decoders_with_rules_of_their_own_answer_and_are_measured(
    ruled: RunConfig, prompts_folder: Path, tmp_path: Path
) -> None:
    Decode().validate(ruled)
    folders = {"prompts": prompts_folder, "calibrate": tmp_path}
    context = run(Decode(), ruled, tmp_path / "decode", **folders)
    metrics = context.recorder.values  # type: ignore[attr-defined]
    for name in RULES:
        assert metrics[f"{name}/word/accepted_per_cycle"] >= 0
        assert all(row.trace for row in read_generations(context.work, name))
    evaluated = run(Evaluate(), ruled, tmp_path / "evaluate", decode=context.work, **folders)
    results = json.loads((evaluated.work / "results.json").read_text())
    assert set(results["micro_word"]) == {*DECODERS, *RULES}


def test_the_key_holds_the_rules_that_are_used_and_nothing_without_any(ruled: RunConfig) -> None:
    assert Decode().settings(ruled)["rules"] == RULES
    ruled.verifier.decoders.remove("near")
    assert set(Decode().settings(ruled)["rules"]) == {"top_2", "unsure"}
    ruled.verifier.decoders = list(DECODERS)
    assert "rules" not in Decode().settings(ruled)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"mine": "guess"}, r"verifier\.rules\.mine: there is no rule 'guess'"),
        (
            {"mine": {"top_k": {"n": 2}}},
            r"verifier\.rules\.mine\.top_k\.n: there is no such option",
        ),
        ({"mine": {"judge": {"threshold": 1.5}}}, "threshold: is 1.5"),
        ({"judge": "exact"}, r"verifier\.rules\.judge: .* choose another name"),
        ({"a-b": "exact"}, "use letters, digits and _"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_before_any_work(
    config: RunConfig, rules: dict[str, Any], message: str
) -> None:
    config.verifier.rules = rules
    with pytest.raises(UserError, match=message):
        Decode().validate(word_problems(config))


def test_a_decoder_that_no_rule_describes_is_refused(config: RunConfig) -> None:
    config.verifier.decoders.append("mine")
    with pytest.raises(UserError, match=r"verifier\.decoders: there is no decoder 'mine'"):
        Decode().validate(word_problems(config))


def test_lossy_decoders_are_refused_by_name_where_lossless_output_is_asked_for(
    ruled: RunConfig,
) -> None:
    ruled.verifier.lossless = True
    with pytest.raises(UserError, match=r"verifier\.lossless: judge, top_2, near, unsure may"):
        Decode().validate(ruled)
    ruled.verifier.rules["block"] = "block_verification"
    ruled.verifier.decoders = ["target", "draft", "exact", "block"]
    Decode().validate(ruled)


def test_an_engine_without_the_drafts_probabilities_is_refused_for_a_rule_that_reads_them(
    ruled: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "compiler_problem", lambda: None)
    ruled.engine.kind = "compiled"
    with pytest.raises(UserError, match=r"engine\.kind: .* which near reads"):
        Decode().validate(ruled)
    ruled.engine.kind = "auto"
    Decode().validate(ruled)
    assert choose_engine("auto", 0.0, on_gpu=False, reading=["near"]) == "eager"
    ruled.verifier.decoders.remove("near")
    ruled.engine.kind = "compiled"
    Decode().validate(ruled)


def test_auto_says_why_it_takes_the_eager_engine(
    ruled: RunConfig, prompts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ruled.engine.kind = "auto"
    run(Decode(), ruled, tmp_path / "decode", prompts=prompts_folder, calibrate=tmp_path)
    expected = "engine.kind=auto takes eager (near reads the draft's probabilities)"
    assert expected in capsys.readouterr().out


def test_fewer_prompts_of_each_family_are_spread_evenly_and_change_the_key(
    config: RunConfig, prompts_folder: Path, tmp_path: Path
) -> None:
    before = Decode().settings(config)
    assert "prompts" not in before
    config.engine.prompts = 2
    assert Decode().settings(config) == {**before, "prompts": 2}
    folders = {"prompts": prompts_folder, "calibrate": tmp_path}
    context = run(Decode(), config, tmp_path / "decode", **folders)
    answered = [row.prompt_id for row in read_generations(context.work, "target")]
    assert answered == ["word-0", "word-3", "code-0", "code-1"]
    evaluated = run(Evaluate(), config, tmp_path / "evaluate", decode=context.work, **folders)
    results = json.loads((evaluated.work / "results.json").read_text())
    assert results["micro_word"]["exact"]["n"] == 2
