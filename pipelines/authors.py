"""The configured authors: who answers the court's prompts, and what identifies them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.chat import chat_settings, validate_chat
from pipelines.config import ChatConfig, DrafterConfig, ModelConfig, RunConfig
from pipelines.durable import sha256_of_file
from pipelines.pair import load_pair_tokenizer, model_settings, named_model, target_context

TARGET = "target"
REFERENCE = "reference"
"""Author of the prompts' own references, and the kind that no configuration names."""
KINDS = ("local", "endpoint", "text")
_NAME = re.compile(r"\w[\w.-]*")


def authors_of(config: RunConfig) -> dict[str, DrafterConfig]:
    """The target, greedy unless configured otherwise, the references, and the drafters."""
    authors = {}
    if config.mine.target_answers:
        authors[TARGET] = DrafterConfig(model=TARGET)
    if config.mine.reference_answers:
        authors[REFERENCE] = DrafterConfig(kind=REFERENCE)
    return {**authors, **config.mine.drafters}


def author_settings(config: RunConfig, author: DrafterConfig) -> dict[str, Any]:
    """What of an author can change its answers."""
    if author.kind == REFERENCE:
        return {"kind": author.kind}
    if author.kind == "text":
        return {
            "kind": author.kind,
            # The content counts, not where the file lies.
            "sha256": _file_digest(author.path),
            "fields": [author.prompt_field, author.answer_field],
        }
    settings: dict[str, Any] = {
        "kind": author.kind,
        "temperature": author.temperature,
        "samples": author.samples,
    }
    if author.kind == "endpoint":
        return settings | chat_settings(config, endpoint_of(author))
    return settings | {"model": model_settings(named_model(config, author.model))}


def endpoint_of(author: DrafterConfig) -> ChatConfig:
    """The chat that an author of that kind speaks through, which need not say its kind again."""
    return replace(author.endpoint or ChatConfig(), kind="endpoint")


def local_models(config: RunConfig) -> dict[str, ModelConfig]:
    """The models that write here, by path."""
    models = [
        named_model(config, author.model)
        for author in authors_of(config).values()
        if author.kind == "local"
    ]
    return {model.path: model for model in models}


def writing_roles(config: RunConfig) -> set[str]:
    """Which of ``target`` and ``draft`` write here."""
    return {author.model for author in authors_of(config).values() if author.kind == "local"} & {
        "target",
        "draft",
    }


def longest_context(config: RunConfig) -> int:
    """Tokens that prompt and answer may have together; 0: no limit is known."""
    limits = [limit for limit in (config.mine.longest, target_context(config)) if limit]
    return min(limits, default=0)


def text_bytes(config: RunConfig) -> int:
    """Bytes of all files whose answers are handed in."""
    paths = [a.path for a in authors_of(config).values() if a.kind == "text" and a.path]
    return sum(Path(path).expanduser().stat().st_size for path in paths)


def validate_authors(config: RunConfig) -> None:
    """Refuses drafters that cannot write.

    Raises:
        UserError: There is none, or one is configured wrongly.
    """
    if not config.mine.drafters:
        raise UserError("mine.drafters", "is empty", "name at least one drafter")
    for name, drafter in config.mine.drafters.items():
        field = f"mine.drafters.{name}"
        if not _NAME.fullmatch(name):
            raise UserError(field, "is no name for files", "use letters, digits, '_', '-', '.'")
        if name == REFERENCE and config.mine.reference_answers:
            raise UserError(field, "is the name of the references' author", "rename the drafter")
        if drafter.kind not in KINDS:
            raise UserError(
                f"{field}.kind", f"unknown value {drafter.kind!r}", f"one of {list(KINDS)}"
            )
        if drafter.kind == "text":
            _validate_text(field, drafter)
        else:
            _validate_sampling(field, drafter)
        if drafter.kind == "endpoint":
            if drafter.endpoint is None:
                raise UserError(f"{field}.endpoint", "is missing", "give base_url and model")
            validate_chat(f"{field}.endpoint", endpoint_of(drafter))


def check_vocabularies_of(config: RunConfig) -> None:
    """Refuses local drafters whose tokens are not the target's.

    Raises:
        UserError: A tokenizer cannot be loaded, or differs.
    """
    from judge_lightning.models.pair import load_tokenizer
    from judge_lightning.models.vocabulary import check_vocabularies

    tokenizer = load_pair_tokenizer(config)
    for path, model in local_models(config).items():
        if path != config.pair.target.path:
            check_vocabularies(tokenizer, load_tokenizer(path, model.revision))


def _validate_sampling(field: str, drafter: DrafterConfig) -> None:
    if drafter.temperature < 0:
        raise UserError(f"{field}.temperature", f"{drafter.temperature} is negative", "0 is greedy")
    if drafter.samples < 1:
        raise UserError(f"{field}.samples", f"{drafter.samples} gives no answers", "give 1 or more")
    if drafter.temperature == 0 and drafter.samples > 1:
        raise UserError(
            f"{field}.samples",
            f"{drafter.samples} greedy answers are all the same",
            "give samples=1 or a temperature above 0",
        )


def _validate_text(field: str, drafter: DrafterConfig) -> None:
    for name, only in (("temperature", 0.0), ("samples", 1)):
        if getattr(drafter, name) != only:
            raise UserError(f"{field}.{name}", "means nothing for text that exists", "leave it out")
    if not drafter.path:
        raise UserError(f"{field}.path", "is missing", "name the JSON Lines file to read")
    try:
        with Path(drafter.path).expanduser().open("rb") as file:
            begins = file.read(1)
    except OSError as error:
        raise UserError(
            f"{field}.path",
            f"{drafter.path} cannot be read ({error.strerror})",
            "name a JSON Lines file",
        ) from None
    if not begins:
        raise UserError(f"{field}.path", f"{drafter.path} is empty", "name a JSON Lines file")


def _file_digest(path: str | None) -> str | None:
    try:
        return sha256_of_file(Path(path or "").expanduser())
    except OSError:
        return None  # validate_authors says which file and why.
