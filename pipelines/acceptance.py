"""The configured texts that are offered to the target: what identifies them, what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from judge_lightning.court.records import SPLITS
from judge_lightning.court.stretches import COURT_SPLITS
from judge_lightning.errors import UserError
from pipelines.annotating import annotator_settings, check_annotating
from pipelines.authors import TARGET, authors_of
from pipelines.config import RunConfig, TextConfig
from pipelines.durable import sha256_of_file

KINDS = ("drafter", "paraphrase", "reference", "jsonl")
FILE, RUN = "file", "run"
"""Whose prompts a JSON Lines text answers: its own, or the run's."""
_NAME = re.compile(r"\w[\w.-]*")
_JUDGE_STAGES = ("annotate", "dataset", "embed", "train", "calibrate", "trials", "certify")


def stages_without_use(config: RunConfig) -> frozenset[str]:
    """The stages that the pipeline has and this run's texts do without."""
    if config.pipeline == "safety" and config.engine.judge_path is not None:
        return frozenset({*_JUDGE_STAGES, "mine", "prompts"})
    if config.pipeline != "acceptance":
        return frozenset()
    if config.acceptance.judge and config.engine.judge_path is None:
        return frozenset()
    unused = set(_JUDGE_STAGES)
    texts = config.acceptance.texts.values()
    if not any(text.kind == "drafter" for text in texts):
        unused.add("mine")
    if texts and not any(needs_prompts(text) for text in texts):
        unused.add("prompts")
    return frozenset(unused)


def needs_prompts(text: TextConfig) -> bool:
    """Whether a text answers the run's prompts, which its annotator can label."""
    return text.kind != "jsonl" or text.prompts == RUN


def author_of(name: str, text: TextConfig) -> str:
    """Whose mined answers a text of that name is."""
    return text.author or name


def describe_text(name: str, text: TextConfig) -> str:
    """A text in a reader's words."""
    if text.kind == "drafter":
        author = author_of(name, text)
        return "the target's own answers" if author == TARGET else f"answers of {author}"
    if text.kind == "paraphrase":
        return f"right answers in the {text.dialect}'s dialect"
    if text.kind == "jsonl":
        return f"answers in {Path(text.path or '').name}"
    return "the prompts' references"


def text_settings(config: RunConfig, text: TextConfig, name: str) -> dict[str, Any]:
    """What of a text can change its answers, beside the prompts and what was mined."""
    settings: dict[str, Any] = {"kind": text.kind}
    if text.kind == "drafter":
        return settings | {"author": author_of(name, text)}
    if text.kind == "paraphrase":
        return settings | {"dialect": text.dialect, "samples": text.samples, "seed": config.seed}
    if text.kind == "jsonl":
        return settings | {
            # The content counts, not where the file lies.
            "sha256": _digest(text.path),
            "fields": [text.prompt_field, text.answer_field],
            "prompts": text.prompts,
        }
    return settings


def labelling_settings(config: RunConfig) -> dict[str, Any] | None:
    """Who says which tokens are correct; None where nobody does."""
    asked = config.acceptance.labelled and any(
        needs_prompts(text) for text in config.acceptance.texts.values()
    )
    return annotator_settings(config) if asked else None


def check_texts(config: RunConfig) -> None:
    """Refuses texts that cannot be read, and numbers that mean nothing. Reads the files through.

    Raises:
        UserError: The first thing that is wrong.
    """
    acceptance = config.acceptance
    if not acceptance.texts:
        raise UserError("acceptance.texts", "is empty", "name a text, or use acceptance=micro")
    for name in ("draft_length", "shard_size", "batch_size"):
        if getattr(acceptance, name) < 1:
            raise UserError(f"acceptance.{name}", "must be positive", "give 1 or more")
    if acceptance.prompts is not None and acceptance.prompts < 1:
        raise UserError("acceptance.prompts", f"is {acceptance.prompts}", "give 1 or more, or null")
    for split in acceptance.splits:
        if split not in SPLITS:
            raise UserError(
                "acceptance.splits", f"{split!r} is no split", f"the splits are {list(SPLITS)}"
            )
    for name, text in acceptance.texts.items():
        _check_text(config, name, text)
    if labelling_settings(config) is not None:
        check_annotating(config)


def _check_text(config: RunConfig, name: str, text: TextConfig) -> None:
    field = f"acceptance.texts.{name}"
    if not _NAME.fullmatch(name):
        raise UserError(field, "is no name for files", "use letters, digits, '_', '-', '.'")
    if text.kind not in KINDS:
        raise UserError(f"{field}.kind", f"unknown value {text.kind!r}", f"one of {list(KINDS)}")
    if text.kind == "drafter":
        _check_author(config, field, author_of(name, text))
    elif text.kind == "paraphrase":
        _check_paraphrase(config, field, text)
    elif text.kind == "jsonl":
        if text.prompts not in (FILE, RUN):
            raise UserError(
                f"{field}.prompts", f"unknown value {text.prompts!r}", f"one of {[FILE, RUN]}"
            )
        _check_file(field, text, config.data.max_rejected)


def _check_author(config: RunConfig, field: str, author: str) -> None:
    authors = list(authors_of(config))
    if author not in authors:
        raise UserError(f"{field}.author", f"nobody is called {author!r}", f"one of {authors}")
    unmined = [split for split in config.acceptance.splits if split not in COURT_SPLITS]
    if unmined:
        raise UserError(
            "acceptance.splits",
            f"{author} has not answered the prompts of {unmined[0]!r}",
            f"mined answers are to {list(COURT_SPLITS)}",
        )


def _check_paraphrase(config: RunConfig, field: str, text: TextConfig) -> None:
    from judge_lightning.micro.dialects import DIALECTS

    if text.dialect not in DIALECTS:
        raise UserError(
            f"{field}.dialect", f"unknown value {text.dialect!r}", f"one of {sorted(DIALECTS)}"
        )
    if text.samples < 1:
        raise UserError(f"{field}.samples", f"{text.samples} gives no answers", "give 1 or more")
    others = [name for name, one in config.data.sources.items() if one.format != "micro"]
    if others:
        raise UserError(
            f"{field}.kind",
            f"paraphrases are known of the micro world only, not of data.sources.{others[0]}",
            "use data=micro, or give the text as jsonl",
        )


def _check_file(field: str, text: TextConfig, max_rejected: float) -> None:
    from judge_lightning.court.drafters.text import UnreadableLineError, read_line

    if not text.path:
        raise UserError(f"{field}.path", "is missing", "name the JSON Lines file to read")
    lines = unreadable = 0
    first = ""
    try:
        with Path(text.path).expanduser().open("rb") as file:
            for lines, raw in enumerate(file, start=1):
                try:
                    read_line(raw, text.prompt_field, text.answer_field)
                except UnreadableLineError as error:
                    unreadable += 1
                    first = first or f"{text.path}:{lines}: {error.reason} ({error.detail})"
    except OSError as error:
        problem = f"{text.path} cannot be read ({error.strerror})"
        raise UserError(f"{field}.path", problem, "name a JSON Lines file") from None
    if not lines:
        raise UserError(f"{field}.path", f"{text.path} is empty", "name a JSON Lines file")
    if unreadable > max_rejected * lines:
        others = f", {unreadable} of {lines} lines cannot be used" if unreadable > 1 else ""
        raise UserError(
            field,
            f"{first}{others}",
            "mend the file, or name its fields: prompt_field, answer_field",
        )


def _digest(path: str | None) -> str | None:
    try:
        return sha256_of_file(Path(path or "").expanduser())
    except OSError:
        return None  # check_texts says which file and why.
