"""Reading a judge's folder; whatever is wrong with it is named by file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from judge_lightning.errors import UserError
from judge_lightning.heads.config import HeadConfig

WEIGHTS_FILE = "judge.safetensors"
CONFIG_FILE = "judge_config.json"
CARD_FILE = "README.md"


def read_config(folder: Path) -> HeadConfig:
    """Reads ``judge_config.json``; fields that this version does not know are left out.

    Raises:
        UserError: It is missing or damaged.
    """
    path = folder / CONFIG_FILE
    remedy = "give the folder of a judge written by save_pretrained"
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", remedy) from error
    except ValueError as error:
        raise UserError(str(path), f"is no JSON ({error})", remedy) from error
    names = {f.name for f in fields(HeadConfig)}
    try:
        return HeadConfig(**{name: value for name, value in row.items() if name in names})
    except (TypeError, AttributeError) as error:
        raise UserError(str(path), f"is no judge configuration ({error})", remedy) from error
    except UserError as error:
        raise in_config(folder, error) from error


def in_config(folder: Path, error: UserError) -> UserError:
    """A complaint about a configuration, with the file that it stands in."""
    return UserError(str(folder / CONFIG_FILE), f"{error.field}: {error.problem}", error.remedy)


def read_weights(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Reads ``judge.safetensors``, which must hold tensors of these names and shapes.

    Raises:
        UserError: It is missing or damaged, or holds something else.
    """
    path = folder / WEIGHTS_FILE
    remedy = "copy the judge's folder again"
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(str(path), f"cannot be read ({error})", remedy) from error
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(tensors.items())}
    if shapes != dict(expected):
        problem = f"holds {shapes}, but {CONFIG_FILE} beside it means {dict(expected)}"
        raise UserError(str(path), problem, remedy)
    return tensors
