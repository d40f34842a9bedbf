"""What a run says of memory: the dry run's table, the verdict, the remedy, the refusal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from judge_lightning.errors import UserError
from judge_lightning.models.machine import GIB, Machine
from judge_lightning.models.size import measure_size
from pipelines import run
from pipelines.composition import CONF, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.fitting import check_memory, fit_of, try_changes
from pipelines.loading import check_loading
from pipelines.preflight import model_sizes
from pipelines.workloads import LOADING_STAGES, run_machine

Call = Callable[..., tuple[int, str, str]]
CARDS = {
    "llama_1b_8b": (8_030_261_248, 1_235_814_400),
    "llama_8b_70b": (70_553_706_496, 8_030_261_248),
    "llama_8b_405b": (405_853_388_800, 8_030_261_248),
    "qwen3_0_6b_32b": (32_762_123_264, 596_049_920),
    "qwen2_5_0_5b_72b": (72_706_203_648, 494_032_768),
}
"""Parameters of target and draft, tied ones once, as the model cards round them: 8.03B and 1.24B,
70.6B, 406B; 32.8B and 0.6B (0.44B and the embeddings); 72.7B and 0.49B."""


def config_of(experiment: str, *overrides: str) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return typed_config(compose("config", [f"+exp={experiment}", *overrides]))


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        with pytest.raises(SystemExit) as stopped:
            run.main()
        assert isinstance(stopped.value.code, int)
        return stopped.value.code, *capsys.readouterr()

    return command


@pytest.mark.parametrize("pair", CARDS)
def test_the_pairs_have_the_parameters_that_their_cards_state(pair: str) -> None:
    sizes = model_sizes(config_of("70b_judge", f"pair={pair}").pair)
    assert (sizes["target"][1].parameters, sizes["draft"][1].parameters) == CARDS[pair]


@pytest.mark.parametrize("pair", CARDS)
@pytest.mark.parametrize("quantization", ["int8", "nf4", "int8wo"])
def test_every_pair_can_be_planned_with_every_quantization(pair: str, quantization: str) -> None:
    config = config_of(
        "70b_judge", f"pair={pair}", f"pair.target.quantization={quantization}", "dry_run=true"
    )
    check_loading(config)
    model = config.pair.target
    plain = measure_size(model.path, model.shape, dtype=model.dtype).weights
    bits = {"int8": 8, "nf4": 4.5, "int8wo": 8}[quantization]
    assert bits / 16 < model_sizes(config.pair)["target"][1].weights / plain < bits / 16 + 0.1


@pytest.mark.parametrize(
    ("pair", "machine"),
    [
        ("llama_1b_8b", "24 GiB"),
        ("llama_8b_70b", "2 x 80 GiB"),
        ("llama_8b_405b", "8 x 80 GiB"),
        ("qwen3_0_6b_32b", "80 GiB"),
        ("qwen2_5_0_5b_72b", "2 x 80 GiB"),
    ],
)
def test_a_pair_decodes_on_the_machine_that_its_file_names(pair: str, machine: str) -> None:
    config = config_of("70b_judge", f"pair={pair}", f"launch.machine='{machine}'")
    fit = fit_of(config, ["decode"], run_machine(config))
    assert fit is not None
    assert fit.fits


def test_the_405b_experiment_fits_the_machine_of_the_paper_in_all_stages() -> None:
    config = config_of("405b_judge", "launch.machine='8 x 80 GiB'")
    fit = fit_of(config, LOADING_STAGES, run_machine(config))
    assert fit is not None
    assert fit.fits
    assert [plan.workload for plan in fit.plans] == [
        "mine (target)", "mine (draft)", "embed", "decode",
    ]  # fmt: skip


def test_two_answers_of_mt_bench_and_a_local_grader_are_planned_too() -> None:
    config = config_of(
        "405b_judge",
        *("launch.machine='8 x 80 GiB'", "mt_bench=local", "mt_bench.grader.model=draft"),
    )
    fit = fit_of(config, LOADING_STAGES, run_machine(config))
    assert fit is not None
    assert fit.fits
    assert [plan.workload for plan in fit.plans][-2:] == ["mt_answers", "mt_bench"]


def test_the_plan_of_the_405b_experiment_shows_every_gpu_and_the_verdict(call: Call) -> None:
    status, out, _ = call("+exp=405b_judge", "dry_run=true", "launch.machine='8 x 80 GiB'")
    assert status == 0
    assert "Memory on 8 x 80 GiB, reckoned for prompts of 512 tokens" in out
    assert out.count("│ GPU ") == 8
    assert "embed gathers 63.0 GiB in the host's memory besides" in out
    assert "llama_8b_405b fits: GPU" in out


def test_a_plan_that_does_not_fit_names_the_smallest_change(call: Call) -> None:
    status, out, _ = call("+exp=405b_judge", "dry_run=true", "launch.machine='4 x 80 GiB'")
    assert status == 0
    assert "llama_8b_405b DOES NOT FIT: " in out
    assert "pair.target.quantization=nf4 (the target in 4 bits a weight" in out


def test_a_run_that_does_not_fit_is_refused_in_one_line_with_status_2(
    call: Call, tmp_path: Path
) -> None:
    arguments = ("pair=standin_8b_405b", "launch.machine='4 x 80 GiB'", "stages=[decode]")
    status, out, err = call("+exp=quickstart", *arguments)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("error: pair: standin_8b_405b does not fit 4 x 80 GiB: ")
    assert "GiB are missing in all in decode; " in err
    assert "would do: GPU" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "setting"),
    [
        (("launch.machine='8 x 80 GiB'", "embed.batch_size=64"), "embed.batch_size="),
        (("launch.machine='4 x 80 GiB'",), "pair.target.quantization=nf4"),
        (("launch.machine='3 x 80 GiB'",), "pair.draft.quantization="),
        (("launch.machine='24 GiB'",), "on "),
    ],
)
def test_what_changes_least_is_named_first(overrides: tuple[str, ...], setting: str) -> None:
    config = config_of("405b_judge", *overrides)
    *_, (change, fit) = try_changes(config, LOADING_STAGES, run_machine(config))
    assert fit.fits
    assert any(text.startswith(setting) for text in change.settings)


def test_fewer_layers_of_a_stand_in_are_offered() -> None:
    config = config_of(
        "quickstart",
        "pair=standin_8b_405b",
        "pair.target.quantization=nf4",
        "pair.draft.quantization=nf4",
        "launch.machine='2 x 80 GiB'",
    )
    *_, (change, fit) = try_changes(config, ["decode"], run_machine(config))
    assert fit.fits
    assert change.settings[-1].startswith("pair.target.grow.built_layers=")


def test_the_remedy_that_is_named_is_one_that_works() -> None:
    config = config_of("405b_judge", "launch.machine='8 x 80 GiB'", "embed.batch_size=64")
    with pytest.raises(UserError) as error:
        check_memory(config, ["embed"])
    setting = error.value.remedy.split()[0]
    check_memory(config_of("405b_judge", "launch.machine='8 x 80 GiB'", setting), ["embed"])


@pytest.mark.parametrize("pair", ["micro", "micro_small", "standin_cpu"])
def test_the_pairs_for_a_laptop_fit_four_gib_whatever_its_cores(pair: str) -> None:
    config = config_of("quickstart", f"pair={pair}", "engine.device=cpu", "engine.workers=16")
    config.launch.machine = "4 GiB"
    check_memory(config, LOADING_STAGES)


def test_stages_without_a_model_ask_for_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(config: RunConfig) -> Machine:
        raise AssertionError("nothing is loaded")

    monkeypatch.setattr("pipelines.fitting.run_machine", asked)
    check_memory(config_of("405b_judge"), ["prompts", "train", "report"])


def test_a_run_with_nothing_to_do_imports_no_torch() -> None:
    code = (
        "import sys\n"
        "from pipelines.composition import CONF, typed_config\n"
        "from pipelines.config import register_schemas\n"
        "from pipelines.plan import Plan\n"
        "from pipelines.preflight import validate_run\n"
        "from hydra import compose, initialize_config_dir\n"
        "register_schemas()\n"
        "with initialize_config_dir(str(CONF), version_base='1.3'):\n"
        "    config = typed_config(compose('config', ['+exp=quickstart', 'tracking=none']))\n"
        "validate_run(config, Plan(()))\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=CONF.parent, check=True)


@pytest.mark.parametrize("text", ["lots", "8 x 80"])
def test_a_machine_that_cannot_be_read_is_named(text: str, call: Call) -> None:
    status, _, err = call("+exp=405b_judge", "dry_run=true", f"launch.machine='{text}'")
    assert status == 2
    assert err.startswith(f"error: launch.machine: '{text}' describes no machine; write it like")


def test_several_decoding_processes_share_the_gpus() -> None:
    config = config_of("70b_judge", "pair=llama_1b_8b", "launch.machine='8 x 24 GiB'")
    config.engine.workers = 4
    fit = fit_of(config, ["decode"], run_machine(config))
    assert fit is not None
    assert len(fit.tightest.devices) == 2


def test_processes_without_gpus_have_a_copy_of_the_pair_each() -> None:
    def weights(workers: int) -> int:
        config = config_of("quickstart", f"engine.workers={workers}")
        fit = fit_of(config, ["decode"], Machine((GIB,), is_gpu=False))
        assert fit is not None
        return fit.tightest.devices[0].weights

    assert weights(3) == 3 * weights(1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("pair.draft.quantization=int2",), "pair.draft.quantization: 'int2' is unknown"),
        (
            ("pair.target.tensor_parallel=true",),
            "pair.target.tensor_parallel: cannot be combined with device_map=auto",
        ),
        (
            ("pair.target.tensor_parallel=true", "pair.target.device_map=null",
             "pair.target.quantization=null"),
            "pair.target.tensor_parallel: the stages of a run are one process each",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_refused_by_its_field(
    overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError) as error:
        check_loading(config_of("70b_judge", *overrides))
    assert str(error.value).startswith(message)


def test_a_split_target_can_be_planned() -> None:
    config = config_of(
        "70b_judge",
        "pair.target.tensor_parallel=true",
        "pair.target.device_map=null",
        "pair.target.quantization=null",
        "launch.machine='4 x 80 GiB'",
        "dry_run=true",
    )
    check_loading(config)
    fit = fit_of(config, ["decode"], run_machine(config))
    assert fit is not None
    assert fit.fits


def test_the_stand_in_that_speed_is_taken_from_is_planned_with_the_run() -> None:
    config = config_of("quickstart", "engine.device=cpu", "launch.machine='4 GiB'")
    fit = fit_of(config, LOADING_STAGES, run_machine(config))
    assert fit is not None
    weights = {plan.workload: plan.devices[0].weights for plan in fit.plans}
    assert weights["speed"] > 5 * weights["decode"]


def test_a_stand_in_that_is_too_large_can_be_left_out() -> None:
    config = config_of(
        "quickstart",
        "engine.device=cpu",
        "launch.machine='4 GiB'",
        "speed.pair.target.grow.num_hidden_layers=8000",
    )
    with pytest.raises(UserError, match=r"speed=none \(no stand-in for the speed"):
        check_memory(config, LOADING_STAGES)
