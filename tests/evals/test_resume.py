"""What a killed evaluation has finished is not done again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.harness import HarnessSettings, evaluate_decoder, read_samples
from evals.lm.model import JudgeDecodingLM
from evals.tasks.documents import write_documents
from judge_lightning.court.records import Prompt

ROOT = Path(__file__).parents[2]
DOCUMENTS = 6


class Killed(BaseException):
    """Stands for what ends a process."""


@pytest.mark.parametrize("decoder", ["target", "judge"])
def test_a_killed_evaluation_does_not_evaluate_finished_documents_again(
    make_lm: Callable[..., JudgeDecodingLM],
    prompts: list[Prompt],
    tmp_path: Path,
    decoder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = HarnessSettings(documents=write_documents(prompts, tmp_path))
    undisturbed = evaluate_decoder(make_lm(decoder), ["micro_word"], settings, tmp_path)
    work = tmp_path / "killed"
    work.mkdir()
    lm = make_lm(decoder)
    answer = lm._answer

    def dies_at_the_fourth(*given: Any) -> list[int]:
        if lm.decoded_live == 3:
            raise Killed
        token_ids: list[int] = answer(*given)
        return token_ids

    monkeypatch.setattr(lm, "_answer", dies_at_the_fourth)
    with pytest.raises(Killed):
        evaluate_decoder(lm, ["micro_code", "micro_word"], settings, work)
    resumed = make_lm(decoder)
    results = evaluate_decoder(resumed, ["micro_code", "micro_word"], settings, work)
    assert resumed.decoded_live == 8 - 3
    assert results["micro_word"] == undisturbed["micro_word"]
    again = make_lm(decoder)
    assert evaluate_decoder(again, ["micro_code", "micro_word"], settings, work) == results
    assert again.decoded_live == 0


EVALUATION = f"""
import os, sys
from pathlib import Path
from evals.harness import HarnessSettings, evaluate_decoder
from evals.lm.model import JudgeDecodingLM

class Telling(JudgeDecodingLM):
    def _answer(self, *given):
        token_ids = super()._answer(*given)
        print("answered", flush=True)
        return token_ids

lm = Telling("micro", verifier="exact", temperature=0.0, max_gen_toks=60, device="cpu")
settings = HarnessSettings(limit={DOCUMENTS})
evaluate_decoder(lm, ["micro_word"], settings, Path(sys.argv[1]))
"""


def evaluation(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", EVALUATION, str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_process_that_is_killed_outright_loses_the_answer_in_the_making_alone(
    tmp_path: Path,
) -> None:
    with evaluation(tmp_path) as killed:
        assert killed.stdout is not None
        for _ in range(4):
            assert killed.stdout.readline() == "answered\n"
        killed.kill()
    assert not list(tmp_path.glob("answers-*"))
    with evaluation(tmp_path) as resumed:
        assert resumed.stdout is not None
        again = resumed.stdout.read().count("answered")
    # The fourth, and what came before the signal, may not have reached the disk.
    assert again <= DOCUMENTS - 3
    assert len(list(read_samples(tmp_path / "answers-micro_word-exact.jsonl"))) == DOCUMENTS
