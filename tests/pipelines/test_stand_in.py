"""Pairs with grown models: what they share with their seeds, and that they say what they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from judge_lightning.errors import UserError
from pipelines import run
from pipelines.composition import CONF, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.plan import make_plan
from pipelines.preflight import model_sizes
from pipelines.stages.speed import Speed
from pipelines.stand_in import check_stand_ins, describe_stand_in, timed_run
from pipelines.store import ArtifactStore

STAND_INS = sorted(path.stem for path in (CONF / "pair").glob("standin_*.yaml"))


def config_of(pair: str, *overrides: str) -> RunConfig:
    return experiment("quickstart", f"pair={pair}", *overrides)


def experiment(name: str, *overrides: str) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return typed_config(compose("config", [f"+exp={name}", *overrides]))


def keys_of(config: RunConfig) -> dict[str, str]:
    order = stages_of_pipeline("judge", discover_stages())
    plan = make_plan(config, order, ArtifactStore(Path("nowhere")))
    return {planned.name: planned.key for planned in plan.stages}


@pytest.mark.parametrize("name", STAND_INS)
def test_every_stand_in_can_hold_its_seeds(name: str) -> None:
    config = config_of(name)
    check_stand_ins(config.pair)
    assert config.pair.name == name
    assert "micro:target grown to" in describe_stand_in(config.pair)


def test_the_court_and_the_judge_are_the_seeds_and_only_decoding_differs() -> None:
    micro, stand_in = keys_of(config_of("micro")), keys_of(config_of("standin_cpu"))
    changed = {name for name, key in stand_in.items() if key != micro[name]}
    assert changed == {"decode", "evaluate", "report"}
    assert micro.keys() - stand_in.keys() == {"speed"}


def test_two_shapes_of_the_same_seed_have_different_keys() -> None:
    one = keys_of(config_of("standin_cpu"))
    other = keys_of(config_of("standin_cpu", "pair.target.grow.num_hidden_layers=47"))
    assert one["decode"] != other["decode"]


@pytest.mark.parametrize(
    ("name", "target"), [("standin_8b_70b", 70_553_706_496), ("standin_8b_405b", 405_853_388_800)]
)
def test_the_gpu_pairs_have_exactly_the_parameters_of_the_llamas(name: str, target: int) -> None:
    sizes = model_sizes(config_of(name).pair)
    assert sizes["target"][1].parameters == target
    assert sizes["draft"][1].parameters == 8_030_261_248
    assert sizes["target"][1].download == 0


def test_a_cut_shape_says_how_much_of_it_is_built() -> None:
    config = config_of("standin_8b_405b", "pair.target.grow.built_layers=16")
    assert "target is micro:target grown to 16384 wide, 16 of 126 layers" in describe_stand_in(
        config.pair
    )


def test_a_pair_of_real_models_is_no_stand_in() -> None:
    assert describe_stand_in(config_of("micro").pair) == ""


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("pair.target.grow.hidden_size=64", "pair.target.grow.hidden_size"),
        ("pair.target.grow.num_key_value_heads=2", "pair.target.grow.num_key_value_heads"),
        ("pair.target.grow.vocab_size=2000", "pair.draft.grow.vocab_size"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_by_the_field_of_the_configuration(
    override: str, field: str
) -> None:
    with pytest.raises(UserError) as error:
        check_stand_ins(config_of("standin_cpu", override).pair)
    assert error.value.field == field


def test_a_hub_model_needs_its_shape_to_be_grown() -> None:
    config = config_of("standin_cpu", "pair.target.path=org/model")
    with pytest.raises(UserError, match=r"pair\.target\.shape: is not given for org/model"):
        check_stand_ins(config.pair)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["+pair.target.grow.widht=3"], "pair.target.grow.widht: there is no such field"),
        (["pair.target.grow.hidden_size=64"], "pair.target.grow.hidden_size: 64 cannot hold"),
    ],
)
def test_a_wrong_shape_gets_one_line_and_status_2(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["run.py", "+exp=quickstart", "pair=standin_cpu", "dry_run=true", *arguments]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        run.main()
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_the_quickstart_takes_its_speed_from_the_micro_models_in_the_stand_ins_shapes() -> None:
    config = config_of("micro")
    timed = timed_run(config)
    assert timed is not None
    assert timed.pair.name == "standin_cpu"
    assert (timed.pair.target.path, timed.pair.draft.path) == ("micro:target", "micro:draft")
    assert timed.pair.target.grow == config_of("standin_cpu").pair.target.grow
    assert config.pair.target.grow is None


def test_a_pair_with_another_draft_is_timed_with_that_draft() -> None:
    timed = timed_run(experiment("quickstart", "pair=micro_small"))
    assert timed is not None
    assert timed.pair.draft.path == "micro:draft_small"
    assert timed.pair.target.grow is not None


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("70b_judge", ()),
        ("405b_judge", ()),
        ("layer_ablation", ()),
        ("quickstart", ("pair=standin_cpu",)),
        ("quickstart", ("speed=none",)),
    ],
)
def test_without_a_stand_in_of_its_own_a_run_has_no_stage_for_speed(
    name: str, overrides: tuple[str, ...]
) -> None:
    config = experiment(name, *overrides)
    assert timed_run(config) is None
    assert "speed" not in keys_of(config)


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("speed.prompts=3", {"speed", "report"}),
        ("speed.pair.target.grow.num_hidden_layers=47", {"speed", "report"}),
        ("speed.engine=compiled", set()),
        ("engine.workers=1", set()),
    ],
)
def test_how_speed_is_measured_changes_no_other_key(override: str, changed: set[str]) -> None:
    before, after = keys_of(config_of("micro")), keys_of(config_of("micro", override))
    assert {name for name, key in after.items() if key != before[name]} == changed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("speed.pair.target.grow=null", "speed.pair: standin_cpu is no stand-in"),
        ("speed.pair.target.grow.hidden_size=64", "speed.pair.target.grow.hidden_size: 64 cannot"),
        ("speed.prompts=0", "speed.prompts: is 0"),
        ("speed.engine=fast", "speed.engine: there is no engine 'fast'"),
    ],
)
def test_what_cannot_be_timed_is_refused_before_any_work(override: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        Speed().validate(config_of("micro", override))
    assert str(error.value).startswith(message)


def test_a_pair_that_cannot_wear_the_shape_is_told_how_to_do_without() -> None:
    config = config_of("qwen3_0_6b_32b")
    with pytest.raises(UserError, match="speed=none to measure qwen3_0_6b_32b itself"):
        Speed().validate(config)


def test_the_plan_says_where_speed_comes_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py", "+exp=quickstart", "dry_run=1"])
    with pytest.raises(SystemExit):
        run.main()
    out = capsys.readouterr().out
    assert "speed from a stand-in, standin_cpu, on at most 10 prompts: target is micro" in out
    assert "target (speed)" in out
    assert "│ speed " in out


def test_the_plan_says_that_it_is_a_stand_in_and_how_large(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py", "+exp=quickstart", "pair=standin_cpu", "dry_run=1"])
    with pytest.raises(SystemExit):
        run.main()
    out = capsys.readouterr().out
    assert "a stand-in: target is micro:target grown to 128 wide, 48 layers" in out
    assert "micro:target (stand-in)" in out
    assert "10,355,712" in out


def test_the_cpu_stand_in_writes_what_the_micro_target_writes() -> None:
    import torch

    from pipelines.pair import pair_loader

    question = "Tom has 12 apples. He buys 7 more. How many apples does Tom have?"
    answers = []
    for name in ("micro", "standin_cpu"):
        pair = pair_loader(config_of(name, "engine.device=cpu"))()
        ids = pair.tokenizer(question, return_tensors="pt").input_ids
        with torch.inference_mode():
            answers.append(pair.target.generate(ids, do_sample=False, max_new_tokens=40))
    assert answers[0].shape[1] > 20
    assert torch.equal(*answers)
