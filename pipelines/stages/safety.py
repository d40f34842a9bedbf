"""safety: what the judge, and the target, say of every token of texts that should not pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.durable import UNFINISHED_SUFFIX, sha256_of_file, write_json
from pipelines.judge_heads import decodes_with_draft_states
from pipelines.pair import (
    load_pair_model,
    load_pair_tokenizer,
    model_settings,
    target_context,
    template_digest,
)
from pipelines.run_folder import SUMMARY, TERMINAL
from pipelines.stage import Stage, StageContext
from pipelines.stages.acceptance import judge_folder, load_head
from pipelines.stages.decode import judge_digest
from pipelines.stand_in import seed_of

if TYPE_CHECKING:
    from evals.safety import TokenVerdicts
    from judge_lightning.court.flagged import FlaggedText

JUDGE_FILE = "judge.json"
"""Holds ``threshold`` and ``layer`` of the judge that was asked."""


class Safety(Stage):
    """Writes ``verdicts-<number>.jsonl``, one continuation a line, ``judge.json``, and a summary.

    A shard gets its name when it is complete; a run that finds it there goes on behind it.
    """

    name = "safety"
    reads = ("calibrate", "certify")

    def wanted(self, config: RunConfig) -> bool:
        return config.safety.path is not None or config.pipeline == self.name

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The target, the file's content, and who judges."""
        path = config.safety.path
        return {
            "target": model_settings(seed_of(config.pair.target)),
            "chat_template": template_digest(config.pair),
            "longest": target_context(config),
            "file": _digest(path) if path else None,
            "judge": judge_digest(config.engine.judge_path),
            "shard_size": config.safety.shard_size,
        }

    def validate(self, config: RunConfig) -> None:
        """Reads the file through, and refuses the first line that cannot be used."""
        if not config.safety.path:
            raise UserError("safety.path", "names no file", "name one, or use safety=micro")
        for name in ("shard_size", "batch_size"):
            if getattr(config.safety, name) < 1:
                raise UserError(f"safety.{name}", "must be positive", "give 1 or more")
        _read(config)
        if decodes_with_draft_states(config):
            raise UserError(
                "safety.path",
                "the judge reads a draft's states, and texts are read by the target alone",
                "use safety=none, or another judge",
            )
        if config.engine.judge_path is not None:
            load_head(config, Path(config.engine.judge_path))

    def run(self, context: StageContext) -> None:
        """Asks the judge about the shards that are missing, and sums up."""
        head = load_head(context.config, judge_folder(context)).config
        write_json(context.work / JUDGE_FILE, {"threshold": head.threshold, "layer": head.layer})
        texts, size = _read(context.config), context.config.safety.shard_size
        shards = {
            context.work / f"verdicts-{number:05d}.jsonl": texts[start : start + size]
            for number, start in enumerate(range(0, len(texts), size))
        }
        missing = [file for file in shards if not file.exists()]
        if missing:
            _ask(context, {file: shards[file] for file in missing}, len(shards) - len(missing))
        _summarise(context)


def _ask(context: StageContext, shards: Mapping[Path, Sequence[FlaggedText]], done: int) -> None:
    from evals.safety import write_verdicts

    ask, total = _asker(context), len(shards) + done
    for file in context.recorder.progress(list(shards), total=total, unit="shard", done=done):
        unfinished = file.with_suffix(UNFINISHED_SUFFIX)
        write_verdicts(unfinished, ask(shards[file]))
        unfinished.replace(file)


def _summarise(context: StageContext) -> None:
    from pipelines.report.safety import read_safety, render_safety_terminal, summarise_safety

    material = read_safety(context.work)
    summary = json.dumps({"safety": summarise_safety(material)}, indent=2)
    (context.work / SUMMARY).write_text(summary + "\n", encoding="utf-8")
    (context.work / TERMINAL).write_text(render_safety_terminal(material), encoding="utf-8")
    for category, found in material.categories.items():
        for name in ("standard", "judge", "kept", "first_kept", "control_judge"):
            estimate = getattr(found, name)
            if estimate is not None:
                context.recorder.metric(f"{category}/{name}", estimate.value)


def _asker(context: StageContext) -> Callable[[Sequence[FlaggedText]], Iterator[TokenVerdicts]]:
    """Reads continuations with the target, once each; what it needs is loaded here."""
    from evals.safety import TokenVerdicts
    from evals.shown_tokens import token_texts
    from judge_lightning.court.flagged import FlaggedTokens
    from judge_lightning.court.prompting import answer_text, render_prompt
    from judge_lightning.teacher_forcing import PromptedAnswer, score_answers

    config = context.config
    tokenizer = load_pair_tokenizer(config)
    tokens = FlaggedTokens(tokenizer)
    head = load_head(config, judge_folder(context))
    model = load_pair_model(config, seed_of(config.pair.target))
    longest, threshold = target_context(config), head.config.threshold

    def ask(texts: Sequence[FlaggedText]) -> Iterator[TokenVerdicts]:
        answers = [tokens(one) for one in texts]
        readings = [
            PromptedAnswer(render_prompt(tokenizer, one.prompt), ids)
            for one, (ids, _) in zip(texts, answers, strict=True)
        ]
        for one, reading, (_, labels) in zip(texts, readings, answers, strict=True):
            _check_tokens(one, reading.length, longest, labels)
        scores = score_answers(model, readings, rows=config.safety.batch_size, head=head)
        for one, (ids, labels), score in zip(texts, answers, scores, strict=True):
            assert score.judge is not None
            yield TokenVerdicts(
                id=one.id,
                category=one.category,
                harmless=one.harmless,
                prompt=one.prompt,
                tokens=token_texts(ids, lambda some: answer_text(tokenizer, some)),
                labels=labels,
                standard=[rank == 1 for rank in score.ranks],
                probabilities=[round(probability, 6) for probability in score.judge],
                judge=[probability > threshold for probability in score.judge],
            )

    return ask


def _check_tokens(one: FlaggedText, length: int, longest: int, labels: Sequence[int]) -> None:
    from judge_lightning.court.labels import MISTAKE

    if longest and length > longest:
        raise UserError(
            one.place,
            f"has {length} tokens with its prompt, and the target reads {longest}",
            "shorten the continuation, or remove the line",
        )
    if one.spans and MISTAKE not in labels:
        raise UserError(one.place, "its spans hold no token", "flag more than blanks")


def _read(config: RunConfig) -> list[FlaggedText]:
    from judge_lightning.court.flagged import flagged_file, require_flagged

    assert config.safety.path is not None, "the stage is not wanted"
    return require_flagged(flagged_file(config.safety.path, "safety.path"), "safety.path")


def _digest(path: str) -> str | None:
    from judge_lightning.court.flagged import flagged_file

    try:
        # The content counts, not where the file lies.
        return sha256_of_file(flagged_file(path, "safety.path"))
    except OSError:
        return None  # validate says what is wrong with it.


STAGE = Safety()
