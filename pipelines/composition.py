"""From Hydra's world into ours: the typed configuration, and its errors in one line each."""

from __future__ import annotations

import difflib
from pathlib import Path

from hydra.errors import (
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from judge_lightning.errors import UserError
from pipelines.config import RunConfig

CONF = Path(__file__).resolve().parents[1] / "conf"


_GROUP_OVERRIDE = "Config group override must be"
"""How Hydra's ValueError for ``group=1`` begins; it has no type of its own."""


def typed_config(composed: DictConfig) -> RunConfig:
    """The composed configuration as dataclasses.

    Raises:
        UserError: No experiment was named, or a field has no value.
        OmegaConfBaseException: A field is unknown (``as_user_error`` words it).
    """
    if OmegaConf.is_missing(composed, "exp"):
        raise no_experiment()
    if missing := sorted(OmegaConf.missing_keys(composed)):
        raise _missing_value(missing[0])
    # Hydra lets +key=value add a field that the schema does not have; merging refuses it.
    checked = OmegaConf.merge(OmegaConf.structured(RunConfig), OmegaConf.to_container(composed))
    config = OmegaConf.to_object(checked)
    assert isinstance(config, RunConfig)
    return config


def no_experiment() -> UserError:
    """The error for a command line without ``+exp=NAME``."""
    return UserError("exp", "no experiment is named", f"add +exp=NAME, {_one_of(_experiments())}")


def as_user_error(error: BaseException) -> UserError | None:
    """The one-line form of what Hydra or OmegaConf object to, or None for anything else."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, MissingConfigException):
        return _unknown_choice(error)
    if isinstance(error, OverrideParseException):
        return UserError(
            f"override {error.override!r}", "it cannot be parsed", "write it as key=value"
        )
    cause = _omegaconf_cause(error)
    if cause is not None:
        return _unusable_value(cause)
    if isinstance(error, HydraException) or _first_line(error).startswith(_GROUP_OVERRIDE):
        return _refused_override(error)
    return None


def _unknown_choice(error: MissingConfigException) -> UserError:
    group, _, choice = (error.missing_cfg_file or "").rpartition("/")
    if choice.startswith("submitit_"):
        remedy = "pip install 'judge-lightning[slurm]'"
        return UserError("launch", "needs hydra-submitit-launcher, which is not installed", remedy)
    if not group or error.options is None:
        return UserError("config", _first_line(error), "see conf/ for what there is")
    return UserError(group, f"there is no '{choice}'", _one_of(sorted(error.options)))


def _unusable_value(error: OmegaConfBaseException) -> UserError:
    key = str(error.full_key or error.key or "config")
    if isinstance(error, (InterpolationToMissingValueError, MissingMandatoryValue)):
        return no_experiment() if "exp" in _first_line(error).split() else _missing_value(key)
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)):
        return UserError(key, "there is no such field", _nearest_field(key))
    if isinstance(error, ValidationError):
        return UserError(key, _first_line(error), "give a value of the right type")
    return UserError(key, _first_line(error), "mend that value")


def _refused_override(error: BaseException) -> UserError:
    message = _first_line(error)
    if "Could not override 'exp'" in message:
        return UserError("exp", "an experiment is added, not overridden", "write +exp=NAME")
    return UserError("command line", message.rstrip("."), "see `python -m pipelines.run --help`")


def _missing_value(key: str) -> UserError:
    return UserError(key, "it has no value", f"give one: {key}=VALUE")


def _omegaconf_cause(error: BaseException | None) -> OmegaConfBaseException | None:
    while error is not None:
        if isinstance(error, OmegaConfBaseException):
            return error
        error = error.__cause__
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _one_of(names: list[str]) -> str:
    return "choose one of: " + ", ".join(names)


def _experiments() -> list[str]:
    return sorted(path.stem for path in (CONF / "exp").glob("*.yaml"))


def _nearest_field(key: str) -> str:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(OmegaConf.structured(RunConfig), parent) if parent else RunConfig
    if not node:
        return (
            f"see docs/configuration.md; what no file names yet is added with a plus: +{key}=VALUE"
        )
    names = [str(known) for known in OmegaConf.structured(node)]
    if close := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {parent + '.' if parent else ''}{close[0]}?"
    return _one_of(names)
