"""Configured chats: what of them is in a key, what is refused, and how to open them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from judge_lightning.errors import UserError
from pipelines.config import ChatConfig, ModelConfig, RunConfig
from pipelines.pair import load_pair_model, load_pair_tokenizer, model_settings, named_model

if TYPE_CHECKING:
    from judge_lightning.court.chat import Chat

KINDS = ("local", "endpoint")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def chat_settings(config: RunConfig, chat: ChatConfig) -> dict[str, Any]:
    """What of a chat can change a result.

    Of an endpoint it is the model's name and nothing else. The same model is reached under other
    addresses when a server moves or a port changes, and what was paid for must not be asked
    again for that; who serves another model under the same name gives it another name first.
    How fast and at what price it is asked changes no answer.
    """
    if chat.kind == "endpoint":
        return {"kind": chat.kind, "model": chat.model}
    return {"kind": chat.kind, "model": model_settings(named_model(config, chat.model))}


def validate_chat(field: str, chat: ChatConfig) -> None:
    """Refuses what can be known to be wrong without asking anybody.

    Args:
        field: Where the chat is configured, for the message (``mine.checker_chat``).

    Raises:
        UserError: The kind is unknown, a number is out of range, the address is missing or no
            address, or the key's variable is not set. A key that was written where the
            variable's name belongs is not repeated.
    """
    if chat.kind not in KINDS:
        raise UserError(f"{field}.kind", f"unknown value {chat.kind!r}", f"one of {list(KINDS)}")
    if chat.kind == "local":
        return
    if chat.model in ("", "target"):  # The default of a local chat.
        raise UserError(f"{field}.model", "is missing", "give the name that the endpoint serves")
    for name, least in (("concurrency", 1), ("retries", 0)):
        if getattr(chat, name) < least:
            raise UserError(f"{field}.{name}", f"is {getattr(chat, name)}", f"give {least} or more")
    if chat.timeout_seconds <= 0:
        raise UserError(
            f"{field}.timeout_seconds", f"is {chat.timeout_seconds:g}", "give more than 0"
        )
    for name in ("prompt_price", "completion_price"):
        if getattr(chat, name) < 0:
            raise UserError(f"{field}.{name}", "is negative", "give 0 or more, per million tokens")
    _validate_address(f"{field}.base_url", chat.base_url)
    _api_key(field, chat)


def load_chat(
    config: RunConfig,
    field: str,
    chat: ChatConfig,
    *,
    journal: Path | None = None,
    batch_size: int | None = None,
) -> Chat:
    """Loads the local model, or sees that the endpoint answers and takes the key.

    Args:
        field: Where the chat is configured, for errors.
        journal: A file in which an endpoint's completions are kept as they arrive, and found
            again after a kill (``work/scratch/...``).
        batch_size: The most rows of a local model's batch; None: ``mine.batch_size``.

    Raises:
        UserError: As ``validate_chat``, or nobody answers, or the key is refused.
    """
    validate_chat(field, chat)
    if chat.kind == "local":
        from judge_lightning.court.chat.local import LocalChat

        return LocalChat(
            load_pair_model(config, named_model(config, chat.model)),
            _chat_tokenizer(config, named_model(config, chat.model)),
            batch_size=batch_size or config.mine.batch_size,
            seed=config.mine.seed,
        )
    from judge_lightning.court.chat.endpoint import EndpointChat
    from judge_lightning.court.chat.journal import Journal

    assert chat.base_url is not None
    endpoint = EndpointChat(
        chat.model,
        chat.base_url,
        _api_key(field, chat),
        concurrency=chat.concurrency,
        retries=chat.retries,
        timeout_seconds=chat.timeout_seconds,
        prompt_price=chat.prompt_price,
        completion_price=chat.completion_price,
        seed=config.mine.seed,
        journal=None if journal is None else Journal(journal),
        name=field,
    )
    endpoint.look()
    return endpoint


def load_kept_chat(
    config: RunConfig, field: str, chat: ChatConfig, journal: Path, batch_size: int
) -> Chat:
    """As ``load_chat``, where a local model's completions are kept too, batch by batch."""
    loaded = load_chat(config, field, chat, journal=journal, batch_size=batch_size)
    if chat.kind == "endpoint":
        return loaded
    from judge_lightning.court.chat.journal import Journal
    from judge_lightning.court.chat.kept import KeptChat

    model = json.dumps([chat_settings(config, chat), config.mine.seed], sort_keys=True)
    return KeptChat(loaded, Journal(journal), model, batch_size)


def _chat_tokenizer(config: RunConfig, model: ModelConfig) -> Any:
    """A model of the pair reads the pair's template; any other one its own."""
    from judge_lightning.models.pair import load_tokenizer

    if model.path in (config.pair.target.path, config.pair.draft.path):
        return load_pair_tokenizer(config)
    return load_tokenizer(model.path, model.revision)


def _validate_address(field: str, base_url: str | None) -> None:
    remedy = "give one like http://127.0.0.1:8000/v1 or https://api.openai.com/v1"
    if not base_url:
        raise UserError(field, "is missing", remedy)
    try:
        address = urlsplit(base_url)
        port_is_fine = address.port is None or address.port > 0
    except ValueError:
        raise UserError(field, "is no address", remedy) from None
    if address.username or address.password or address.query:
        raise UserError(
            field,
            "carries more than an address",
            "keys come from the environment only: name their variable as api_key_env",
        )
    if address.scheme not in ("http", "https") or not address.hostname or not port_is_fine:
        raise UserError(field, f"{base_url!r} is no address", remedy)


def _api_key(field: str, chat: ChatConfig) -> str | None:
    if not chat.api_key_env:
        return None
    if not _VARIABLE.fullmatch(chat.api_key_env):
        raise UserError(
            f"{field}.api_key_env",
            "is no name of an environment variable",
            "put the key into the environment, and its variable's name here",
        )
    key = os.environ.get(chat.api_key_env, "").strip()
    if not key:
        raise UserError(
            f"{field}.api_key_env",
            f"the environment variable {chat.api_key_env} is not set",
            "export it, or set api_key_env=null for a server that asks for no key",
        )
    return key
