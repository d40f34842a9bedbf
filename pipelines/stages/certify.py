"""certify: the threshold from whole answers to the calibration prompts, decoded for it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.calibration import certifies_answers
from pipelines.config import RunConfig
from pipelines.stage import Stage, StageContext
from pipelines.stages import calibrate, decode
from pipelines.stand_in import seed_of

if TYPE_CHECKING:
    from judge_lightning.court.records import Prompt
    from judge_lightning.guarantee import Certificate
    from judge_lightning.heads import JudgeHead

TRIED = "thresholds.json"


class Certify(Stage):
    """Writes what calibrate writes, with a threshold that bounds the answers turned wrong.

    The target alone answers the calibration prompts, then the judge at one threshold after the
    other, the strictest first, until one turns too many answers wrong. A stand-in is its seed
    here: it writes the same.
    """

    name = "certify"
    reads = ("prompts", "embed", "calibrate")

    def wanted(self, config: RunConfig) -> bool:
        return certifies_answers(config.calibrate)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        settings = decode.STAGE.settings(_seeds(config))
        # Which decoders the run compares, and on which held-out prompts, is another matter.
        for name in ("decoders", "rules", "prompts", "families"):
            settings.pop(name, None)
        calibrate = config.calibrate
        names = ("alpha", "epsilon", "thresholds", "points")
        return {**settings, **{name: getattr(calibrate, name) for name in names}}

    def validate(self, config: RunConfig) -> None:
        thresholds = config.calibrate.thresholds
        if not thresholds or any(not 0.0 <= threshold <= 1.0 for threshold in thresholds):
            raise UserError(
                "calibrate.thresholds", f"{thresholds} are no thresholds", "give some, 0 to 1 each"
            )

    def run(self, context: StageContext) -> None:
        from judge_lightning.calibration import calibrate as measure
        from judge_lightning.calibration import held_out
        from judge_lightning.heads import JudgeHead

        context = replace(context, config=_seeds(context.config))
        prompts = calibration_prompts(context)
        head = JudgeHead.from_pretrained(context.inputs["calibrate"] / "judge")
        certificate = _choose(context, head, prompts)
        tokens = held_out(head, context.inputs["embed"])
        measured = measure(tokens, "fixed", threshold=certificate.threshold, recall=0.0)
        calibrate.write_judge(
            context, head, tokens, replace(measured, rule="risk", certificate=certificate)
        )
        shift = context.inputs["calibrate"] / "judge" / "shift.safetensors"
        if shift.is_file():
            shutil.copyfile(shift, context.work / "judge" / shift.name)


def calibration_prompts(context: StageContext) -> list[Prompt]:
    """The prompts of the calibration split, if they are enough for what is asked.

    Raises:
        UserError: They are too few, or some can only be checked by a model or by running code.
    """
    from judge_lightning.court.records import Prompt, read_records
    from judge_lightning.guarantee import too_few, trials_needed

    rows = read_records(context.inputs["prompts"] / "prompts.jsonl", Prompt)
    prompts = [prompt for prompt in rows if prompt.split == "calibration"]
    decode.check_checkers(prompts)
    alpha, epsilon = _levels(context.config)
    if len(prompts) < trials_needed(alpha, epsilon):
        raise too_few(len(prompts), alpha, epsilon)
    return prompts


def _choose(context: StageContext, head: JudgeHead, prompts: list[Prompt]) -> Certificate:
    """Decodes the prompts at one threshold after the other and takes the last that passes."""
    from judge_lightning.guarantee import answers_threshold, p_value

    alpha, epsilon = _levels(context.config)
    alone = _right(context, "target", "target", prompts)
    turned: dict[float, list[bool]] = {}
    for threshold in sorted(set(context.config.calibrate.thresholds), reverse=True):
        folder = context.work / "scratch" / f"judge-{threshold:g}"
        head.with_config(threshold=threshold, certificate=None).save_pretrained(folder)
        judged = _right(context, "judge", f"judge-{threshold:g}", prompts, folder)
        turned[threshold] = [alone[prompt.id] and not judged[prompt.id] for prompt in prompts]
        events = sum(turned[threshold])
        chance = p_value(events, len(prompts), alpha)
        print(
            f"threshold {threshold:g}: {events} of {len(prompts)} answers turn from right to wrong"
            f" (p = {chance:.2g})",
            flush=True,
        )
        if chance > epsilon:
            break
    rows = [
        {"threshold": threshold, "turned_wrong": sum(flags), "prompts": len(flags)}
        for threshold, flags in turned.items()
    ]
    (context.work / TRIED).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return answers_threshold(turned, alpha, epsilon, _fingerprint(prompts, alone))


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


def _fingerprint(prompts: list[Prompt], alone: dict[str, bool]) -> str:
    """SHA-256 of the prompts, and of whether the target alone answers each right."""
    rows = [[prompt.id, prompt.text, prompt.reference, alone[prompt.id]] for prompt in prompts]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def _levels(config: RunConfig) -> tuple[float, float]:
    alpha = config.calibrate.alpha
    assert alpha is not None, "the stage is not wanted"
    return alpha, config.calibrate.epsilon


def _seeds(config: RunConfig) -> RunConfig:
    pair = config.pair
    pair = replace(pair, target=seed_of(pair.target), draft=seed_of(pair.draft))
    return replace(config, pair=pair)


STAGE = Certify()
