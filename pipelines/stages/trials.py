"""trials: the calibration prompts' answers, of the target alone and of the judge at thresholds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.calibration import certifies_answers, check_levels_fit
from pipelines.config import RunConfig
from pipelines.stage import Stage, StageContext
from pipelines.stages import decode
from pipelines.stand_in import seed_of

if TYPE_CHECKING:
    from judge_lightning.court.records import Prompt
    from judge_lightning.heads import JudgeHead

TRIALS = "trials.json"
ALONE = "target"


class Trials(Stage):
    """Decodes every threshold of ``calibrate.thresholds`` once, whatever is promised with them.

    Levels are no part of the key, so that another alpha or epsilon chooses again (certify) and
    decodes nothing. A stand-in is its seed here: it writes the same.
    """

    name = "trials"
    version = 2
    reads = ("prompts", "calibrate")
    in_shards = True

    def wanted(self, config: RunConfig) -> bool:
        return certifies_answers(config.calibrate)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        settings = decode.STAGE.settings(_seeds(config))
        # Which decoders the run compares, and on which held-out prompts, is another matter.
        for name in ("decoders", "rules", "prompts", "families"):
            settings.pop(name, None)
        return {**settings, "thresholds": _strictest_first(config)}

    def validate(self, config: RunConfig) -> None:
        thresholds = config.calibrate.thresholds
        if not thresholds or any(not 0.0 <= threshold <= 1.0 for threshold in thresholds):
            raise UserError(
                "calibrate.thresholds", f"{thresholds} are no thresholds", "give some, 0 to 1 each"
            )

    def run(self, context: StageContext) -> None:
        """Writes each prompt's ``turned_wrong`` for each threshold, beside the generations.

        Raises:
            UserError: The calibration prompts are too few for what the run promises, or some can
                only be checked by a model or by running code.
        """
        from judge_lightning.heads import JudgeHead

        context = replace(context, config=_seeds(context.config))
        prompts = _calibration_prompts(context)
        head = JudgeHead.from_pretrained(context.inputs["calibrate"] / "judge")
        alone = _right(context, ALONE, ALONE, prompts)
        rows = []
        for threshold in _strictest_first(context.config):
            judged = _judged(context, head, threshold, prompts)
            turned = [alone[prompt.id] and not judged[prompt.id] for prompt in prompts]
            rows.append({"threshold": threshold, "turned_wrong": turned})
            events = f"{sum(turned)} of {len(turned)} answers turn from right to wrong"
            print(f"threshold {threshold:g}: {events}", flush=True)
        facts = [[prompt.id, prompt.text, prompt.reference, alone[prompt.id]] for prompt in prompts]
        content = {"prompts": facts, "trials": rows}
        text = json.dumps(content, ensure_ascii=False)
        (context.work / TRIALS).write_text(text + "\n", encoding="utf-8")


def _calibration_prompts(context: StageContext) -> list[Prompt]:
    from judge_lightning.court.records import Prompt, read_records

    rows = read_records(context.inputs["prompts"] / "prompts.jsonl", Prompt)
    prompts = [prompt for prompt in rows if prompt.split == "calibration"]
    decode.check_checkers(prompts)
    check_levels_fit(context.config.calibrate, len(prompts))
    return prompts


def _judged(
    context: StageContext, head: JudgeHead, threshold: float, prompts: list[Prompt]
) -> dict[str, bool]:
    name = f"judge-{threshold:g}"
    folder = context.work / "scratch" / name
    head.with_config(threshold=threshold, certificate=None).save_pretrained(folder)
    return _right(context, "judge", name, prompts, folder)


def _right(
    context: StageContext, decoder: str, name: str, prompts: list[Prompt], judge: Path | None = None
) -> dict[str, bool]:
    """Whether a decoder's answers are right, by prompt; decoded shards are not decoded again."""
    from evals.generations import read_generations

    work = context.work / name
    work.mkdir(exist_ok=True)
    config = context.config
    config = replace(
        config,
        verifier=replace(config.verifier, decoders=[decoder]),
        engine=replace(config.engine, judge_path=None if judge is None else str(judge)),
    )
    of_decoder = replace(context, config=config, work=work, volatile=set())
    decode.answer(of_decoder, prompts, "engine.kind")
    shutil.rmtree(work / "scratch", ignore_errors=True)
    context.volatile.update(f"{name}/{file}" for file in of_decoder.volatile)
    return {row.prompt_id: row.right for row in read_generations(work, decoder)}


def _strictest_first(config: RunConfig) -> list[float]:
    return sorted(set(config.calibrate.thresholds), reverse=True)


def _seeds(config: RunConfig) -> RunConfig:
    pair = config.pair
    pair = replace(pair, target=seed_of(pair.target), draft=seed_of(pair.draft))
    return replace(config, pair=pair)


STAGE = Trials()
