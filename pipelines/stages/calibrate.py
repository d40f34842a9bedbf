"""calibrate: the threshold, the operating curve, and the judge that is deployed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.pair import target_shape
from pipelines.stage import Stage, StageContext

RULES = ("fixed", "recall")


class Calibrate(Stage):
    """Writes ``judge/``, ``operating_curve.jsonl`` and ``calibration.json``."""

    name = "calibrate"
    reads = ("embed", "train")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The layer, the rule with the number that it uses, and the curve's resolution."""
        rule = config.calibrate.rule
        uses = config.judge.threshold if rule == "fixed" else config.calibrate.recall
        return {
            "rule": rule,
            "uses": uses,
            "points": config.calibrate.points,
            "layer": config.judge.layer,
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses a layer that the target does not have, unknown rules, shares outside 0 to 1."""
        layer, shape = config.judge.layer, target_shape(config)
        if layer is not None and shape is not None and not -shape[0] <= layer < shape[0]:
            raise UserError(
                "judge.layer",
                f"{layer} is out of range for a target of {shape[0]} layers",
                f"choose {-shape[0]} to {shape[0] - 1}, or null for the best on validation",
            )
        if config.calibrate.rule not in RULES:
            raise UserError(
                "calibrate.rule",
                f"unknown value {config.calibrate.rule!r}",
                f"one of {list(RULES)}",
            )
        if not 0.0 < config.calibrate.recall < 1.0:
            raise UserError(
                "calibrate.recall", f"{config.calibrate.recall} is no share", "between 0 and 1"
            )
        if config.calibrate.points < 2:
            raise UserError("calibrate.points", "are too few for a curve", "give 2 or more")

    def run(self, context: StageContext) -> None:
        """Measures the chosen head on held-out prompts and writes it with its threshold."""
        from judge_lightning.calibration import calibrate, held_out, operating_curve
        from judge_lightning.heads import JudgeHead
        from judge_lightning.models.hidden_states import resolve_layer

        config = context.config
        trained = context.inputs["train"]
        best = json.loads((trained / "chosen.json").read_text(encoding="utf-8"))
        wanted = best["layer"] if config.judge.layer is None else config.judge.layer
        layer = resolve_layer(best["layers"], wanted)
        head = JudgeHead.from_pretrained(trained / "heads" / f"layer-{layer:02d}")
        tokens = held_out(head, context.inputs["embed"])
        calibration = calibrate(
            tokens,
            config.calibrate.rule,
            threshold=config.judge.threshold,
            recall=config.calibrate.recall,
        )
        numbers = asdict(calibration)
        head.with_config(threshold=calibration.threshold, calibration=numbers).save_pretrained(
            context.work / "judge"
        )
        with (context.work / "operating_curve.jsonl").open("w", encoding="utf-8") as file:
            for point in operating_curve(tokens, config.calibrate.points):
                file.write(json.dumps(asdict(point), sort_keys=True) + "\n")
        (context.work / "calibration.json").write_text(
            json.dumps({"layer": layer, **numbers}, indent=1, sort_keys=True) + "\n",
            encoding="utf-8",
        )
        context.recorder.metric("layer", layer)
        for name, value in numbers.items():
            if isinstance(value, (int, float)):
                context.recorder.metric(name, value)


STAGE = Calibrate()
