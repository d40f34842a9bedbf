"""certify: the threshold from whole answers to the calibration prompts, as trials decoded them."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from typing import Any

from pipelines.calibration import certifies_answers
from pipelines.config import RunConfig
from pipelines.stage import Stage, StageContext
from pipelines.stages import calibrate
from pipelines.stages.trials import TRIALS


class Certify(Stage):
    """Writes what calibrate writes, with a threshold that bounds the answers turned wrong.

    Thresholds are tested from the strictest on, until one turns too many answers wrong.
    """

    name = "certify"
    version = 2
    reads = ("embed", "calibrate", "trials")

    def wanted(self, config: RunConfig) -> bool:
        return certifies_answers(config.calibrate)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {name: getattr(config.calibrate, name) for name in ("alpha", "epsilon", "points")}

    def run(self, context: StageContext) -> None:
        from judge_lightning.calibration import calibrate as measure
        from judge_lightning.calibration import held_out
        from judge_lightning.guarantee import answers_threshold
        from judge_lightning.heads import JudgeHead

        decoded = json.loads((context.inputs["trials"] / TRIALS).read_text(encoding="utf-8"))
        turned = {row["threshold"]: row["turned_wrong"] for row in decoded["trials"]}
        levels = context.config.calibrate
        assert levels.alpha is not None, "the stage is not wanted"
        certificate = answers_threshold(
            turned, levels.alpha, levels.epsilon, _fingerprint(decoded["prompts"])
        )
        head = JudgeHead.from_pretrained(context.inputs["calibrate"] / "judge")
        tokens = held_out(head, context.inputs["embed"])
        measured = measure(tokens, "fixed", threshold=certificate.threshold, recall=0.0)
        calibrate.write_judge(
            context, head, tokens, replace(measured, rule="risk", certificate=certificate)
        )
        shift = context.inputs["calibrate"] / "judge" / "shift.safetensors"
        if shift.is_file():
            shutil.copyfile(shift, context.work / "judge" / shift.name)


def _fingerprint(prompts: list[list[Any]]) -> str:
    """SHA-256 of the prompts, and of whether the target alone answers each right."""
    return hashlib.sha256(json.dumps(prompts, ensure_ascii=False).encode()).hexdigest()


STAGE = Certify()
