"""What an engine with a judge cannot be, said before anything is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.micro.paths import asset_path

JUDGE = Path(__file__).parent / "judge"
TARGET, DRAFT = str(asset_path("target")), str(asset_path("draft"))
SPECULATION = {"method": "draft_model", "model": DRAFT, "num_speculative_tokens": 4}


def refusal(monkeypatch: pytest.MonkeyPatch, judge: Any = None, **arguments: Any) -> str:
    from vllm.engine.arg_utils import EngineArgs

    given = {"model": TARGET, "dtype": "float32", "max_model_len": 512, "enforce_eager": True,
             "speculative_config": SPECULATION, **arguments}  # fmt: skip
    given["additional_config"] = {"judge": str(JUDGE) if judge is None else judge}
    with pytest.raises(ValueError) as error:
        EngineArgs(**given).create_engine_config()
    return str(error.value)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"speculative_config": None}, "speculative_config: is not given, so the judge has"),
        (
            {
                "speculative_config": {
                    "method": "ngram_gpu",
                    "num_speculative_tokens": 4,
                    "prompt_lookup_max": 3,
                }
            },
            "speculative_config.method: 'ngram_gpu' does not work with a judge; one of",
        ),
        ({"enable_lora": True}, "enable_lora: changes the target that the judge was trained on"),
        ({"pipeline_parallel_size": 2}, "pipeline_parallel_size: is more than 1"),
        (
            {"model": str(asset_path("target_small"))},
            "was trained on 6 layers of width 128",
        ),
    ],
)
def test_configurations_that_a_judge_cannot_serve(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], line: str
) -> None:
    assert line in refusal(monkeypatch, **arguments)


def test_another_target_of_the_same_shape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = tmp_path / "judge"
    judge.mkdir()
    for file in JUDGE.iterdir():
        (judge / file.name).write_bytes(file.read_bytes())
    row = json.loads((judge / "judge_config.json").read_text())
    (judge / "judge_config.json").write_text(json.dumps(row | {"target": "0" * 64}))
    line = refusal(monkeypatch, judge=str(judge))
    assert f"{judge}: was trained on target {'0' * 16}, not on {TARGET} (4c111156fc249be0)" in line
    from vllm.engine.arg_utils import EngineArgs

    allowed = {"judge": {"path": str(judge), "any_target": True}}
    config = EngineArgs(
        model=TARGET, dtype="float32", max_model_len=512, enforce_eager=True,
        speculative_config=SPECULATION, additional_config=allowed,
    ).create_engine_config()  # fmt: skip
    assert config.additional_config["judge"]["any_target"] is True


def test_a_judge_that_reads_another_position(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "judge.safetensors").write_bytes((JUDGE / "judge.safetensors").read_bytes())
    row = json.loads((JUDGE / "judge_config.json").read_text())
    (tmp_path / "judge_config.json").write_text(json.dumps(row | {"position": "post_norm"}))
    assert "judge position: 'post_norm' does not fit" in refusal(monkeypatch, judge=str(tmp_path))


PROGRAM = f"""
import sys
import vllm
from vllm.engine.arg_utils import EngineArgs
if sys.argv[1]:
    vllm.__version__ = sys.argv[1]
arguments = dict(model={TARGET!r}, dtype="float32", max_model_len=512, enforce_eager=True,
                 speculative_config={SPECULATION!r})
if sys.argv[1]:
    EngineArgs(**arguments).create_engine_config()
try:
    EngineArgs(**arguments, additional_config={{"judge": {str(JUDGE)!r}}}).create_engine_config()
except ValueError as error:
    print("refused:", error)
"""


def refused_in_a_new_process(version: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, version],
        env=os.environ | variables, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_second_model_runner() -> None:
    line = "VLLM_USE_V2_MODEL_RUNNER: is on, which the judge does not know; set it to 0"
    assert line in refused_in_a_new_process("", VLLM_USE_V2_MODEL_RUNNER="1")


def test_another_vllm_is_named_and_left_alone_without_a_judge() -> None:
    line = "refused: vllm: 0.40.1 is not supported; install vllm 0.32.*"
    assert line in refused_in_a_new_process("0.40.1")
