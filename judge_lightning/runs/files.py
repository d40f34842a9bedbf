"""Reading the small files of a run, with one clear line where one cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError


def read_json_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        UserError: It is missing, or holds something else.
    """
    with reading(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        return content


def read_yaml_object(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        UserError: It is missing, or holds something else.
    """
    import yaml

    with reading(path):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ValueError(error) from error
        if not isinstance(content, dict):
            raise ValueError("no mapping")
        return content


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a missing, torn or foreign file raises into a UserError that names it."""
    try:
        yield
    except FileNotFoundError as error:
        missing = error.filename or path
        raise UserError(str(missing), "is missing", _AGAIN) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(str(path), f"cannot be read ({reason})", _AGAIN) from error


_AGAIN = "run the experiment again, which makes what is missing and keeps the rest"
