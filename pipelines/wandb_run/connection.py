"""Whether a W&B server can be had: asked before a run relies on it, and never for long."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE = 5.0
"""Seconds in which the server has to answer a first question."""


def reason_to_stay_offline(wandb: Any) -> str | None:
    """Why a run cannot be sent as it goes, in a few words; None where it can.

    Asks nobody at a terminal: a run that waits for an answer is a run that stands still.
    """
    base_url = str(wandb.setup().settings.base_url)
    try:
        known = wandb.login(prompt=False, verify=False)
    except Exception as error:
        return first_line(error)
    if not known:
        return f"no API key for {base_url}"
    return reason_out_of_reach(base_url)


def reason_out_of_reach(base_url: str) -> str | None:
    """Why the server does not answer; None where it does, whatever it says.

    Proxies and certificates are taken from the environment, as W&B takes them.
    """
    import requests

    try:
        answer = requests.head(base_url, timeout=PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        return f"{base_url} does not answer ({type(error).__name__})"
    return f"{base_url} answers {answer.status_code}" if answer.status_code >= 500 else None


def first_line(error: BaseException) -> str:
    """An exception in one line, or its class's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def tear_down(wandb: Any) -> None:
    """Waits for W&B's own process and frees what it holds.

    Raises:
        ConnectionError: The process has ended otherwise than well: W&B answers that by leaving the
            interpreter.
    """
    try:
        wandb.teardown()
    except SystemExit as stop:
        raise ConnectionError(f"W&B's own process has ended with {stop.code}") from stop


def end_service(wandb: Any) -> None:
    """Ends W&B's own process, for which the interpreter would else wait before it ends."""
    import psutil

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith("wandb-core"):
                child.kill()
    with suppress(Exception):
        tear_down(wandb)


def settle_in(folder: Path) -> list[str]:
    """Keeps W&B's caches and staging areas out of the home folder, and what it says of itself off
    the terminal (its hint at Weave comes where ``openai`` is loaded); the user's own variables
    win.

    Returns the environment variables that were set.
    """
    place = str((folder / "wandb").resolve())
    wanted = {
        "WANDB_DATA_DIR": place,
        "WANDB_CACHE_DIR": place,
        "WANDB_SILENT": "true",
        "WANDB_DISABLE_WEAVE": "true",
    }
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    return list(ours)
