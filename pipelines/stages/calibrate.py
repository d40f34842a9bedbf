"""calibrate: the threshold, what it promises, the operating curve, and the judge to deploy."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.calibration import (
    check_enough_prompts,
    check_risk,
    check_split_has_prompts,
    check_whose_judge,
    token_rule,
)
from pipelines.config import RunConfig
from pipelines.judge_heads import check_head
from pipelines.pair import target_shape
from pipelines.stage import Stage, StageContext

if TYPE_CHECKING:
    from judge_lightning.calibration import Calibration, HeldOut
    from judge_lightning.heads import JudgeHead


class Calibrate(Stage):
    """Writes ``judge/``, ``operating_curve.jsonl`` and ``calibration.json``."""

    name = "calibrate"
    version = 2
    reads = ("embed", "train")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The layer, the rule with the number that it uses, and the curve's resolution."""
        calibrate = config.calibrate
        rule = token_rule(calibrate)
        uses: Any = {
            "fixed": config.judge.threshold,
            "recall": calibrate.recall,
            "risk": [calibrate.alpha, calibrate.epsilon, config.seed],
        }[rule]
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
        check_head(config)
        for split in ("train", "validation", "calibration"):
            check_split_has_prompts(config, split)
        check_risk(config.calibrate)
        check_whose_judge(config)
        check_enough_prompts(config)
        if not 0.0 < config.calibrate.recall < 1.0:
            raise UserError(
                "calibrate.recall", f"{config.calibrate.recall} is no share", "between 0 and 1"
            )
        if config.calibrate.points < 2:
            raise UserError("calibrate.points", "are too few for a curve", "give 2 or more")

    def run(self, context: StageContext) -> None:
        """Measures the chosen head on held-out prompts and writes it with its threshold."""
        from judge_lightning.calibration import calibrate, held_out
        from judge_lightning.heads import JudgeHead
        from judge_lightning.models.hidden_states import resolve_layer
        from judge_lightning.shift import fit_shift

        config = context.config
        trained = context.inputs["train"]
        best = json.loads((trained / "chosen.json").read_text(encoding="utf-8"))
        wanted = best["layer"] if config.judge.layer is None else config.judge.layer
        layer = resolve_layer(best["layers"], wanted)
        head = JudgeHead.from_pretrained(trained / "heads" / f"layer-{layer:02d}")
        tokens = held_out(head, context.inputs["embed"])
        calibration = calibrate(
            tokens,
            token_rule(config.calibrate),
            threshold=config.judge.threshold,
            recall=config.calibrate.recall,
            alpha=config.calibrate.alpha or 0.0,
            epsilon=config.calibrate.epsilon,
            seed=config.seed,
        )
        write_judge(context, head, tokens, calibration)
        reference = fit_shift(context.inputs["embed"], layer)
        if reference is not None:
            reference.save(context.work / "judge")


def write_judge(
    context: StageContext, head: JudgeHead, tokens: HeldOut, calibration: Calibration
) -> None:
    """Writes the judge with its threshold and certificate, the measured numbers and the curve."""
    from judge_lightning.calibration import operating_curve

    numbers = asdict(calibration)
    certificate = numbers.pop("certificate")
    deployed = head.with_config(
        threshold=calibration.threshold, calibration=numbers, certificate=certificate
    )
    deployed.save_pretrained(context.work / "judge")
    with (context.work / "operating_curve.jsonl").open("w", encoding="utf-8") as file:
        for point in operating_curve(tokens, context.config.calibrate.points):
            file.write(json.dumps(asdict(point), sort_keys=True) + "\n")
    layer = head.config.layer
    facts = {"head": head.config.kind, "parameters": head.parameters_count, "layer": layer}
    facts["layers_read"] = list(head.layers_read)
    text = json.dumps({**facts, **numbers}, indent=1, sort_keys=True)
    (context.work / "calibration.json").write_text(text + "\n", encoding="utf-8")
    context.recorder.metric("layer", layer)
    for name, value in {**numbers, **_prefixed(certificate or {})}.items():
        if isinstance(value, (int, float)):
            context.recorder.metric(name, value)


def _prefixed(certificate: dict[str, Any]) -> dict[str, Any]:
    return {f"certificate/{name}": value for name, value in certificate.items()}


STAGE = Calibrate()
