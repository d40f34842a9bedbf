"""The entry point that vLLM calls in each of its processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.parent_process import follow_parent
from judge_lightning.vllm_plugin.settings import (
    FOLLOW,
    KEY,
    VARIABLE,
    JudgeSettings,
    check_engine,
    check_runner,
    check_version,
)

_RUNNER = "VLLM_USE_V2_MODEL_RUNNER"
_COMMANDS = ("vllm", "api_server.py")
"""vLLM's own, to which a person types."""


def register() -> None:
    """Makes this process's vLLM ready for a judge. Without one it stays as it is.

    An unsupported vLLM is left alone, too, until somebody names a judge.
    """
    from vllm.engine.arg_utils import EngineArgs

    if hasattr(EngineArgs, "judge_ready"):
        return
    EngineArgs.judge_ready = True
    if os.environ.get(FOLLOW) and multiprocessing.parent_process() is not None:
        follow_parent()
    try:
        check_version(_installed())
    except UserError as error:
        _refuse_judges(EngineArgs, error)
        return
    from judge_lightning.vllm_plugin import metrics, runner

    if os.environ.get(VARIABLE):
        os.environ.setdefault(_RUNNER, "0")
    runner.install()
    metrics.install()
    _check_requests()
    _check_configurations(EngineArgs)


def _installed() -> str:
    """vLLM's version: its own word, which is the same for every build of it."""
    import vllm

    return str(getattr(vllm, "__version__", "")) or version("vllm")


def _refuse_judges(arguments_class: Any, error: UserError) -> None:
    create = arguments_class.create_engine_config

    @wraps(create)
    def create_engine_config(self: Any, *arguments: Any, **named: Any) -> Any:
        if JudgeSettings.read(self.additional_config) is not None:
            _refuse(error)
        return create(self, *arguments, **named)

    arguments_class.create_engine_config = create_engine_config


def _check_configurations(arguments_class: Any) -> None:
    create = arguments_class.create_engine_config

    @wraps(create)
    def create_engine_config(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            settings = JudgeSettings.read(self.additional_config)
            if settings is None:
                return create(self, *arguments, **named)
            check_runner(os.environ.setdefault(_RUNNER, "0") != "0")
            # Part of the configuration, however it was named: compiled graphs of a target that
            # gives out more states must not be taken for those of one that does not.
            self.additional_config = {**self.additional_config, KEY: settings.to_json()}
            config = create(self, *arguments, **named)
            check_engine(config, settings)
            return config
        except UserError as error:
            _refuse(error)

    arguments_class.create_engine_config = create_engine_config


def _check_requests() -> None:
    from vllm import SamplingParams
    from vllm.exceptions import VLLMValidationError

    from judge_lightning.vllm_plugin.requests import threshold_of

    verify = SamplingParams._verify_extra_args

    @wraps(verify)
    def _verify_extra_args(self: Any) -> None:
        verify(self)
        try:
            threshold_of(self.extra_args, 0.5)
        except UserError as error:
            raise VLLMValidationError(str(error), parameter="vllm_xargs") from None

    SamplingParams._verify_extra_args = _verify_extra_args


def _refuse(error: UserError) -> None:
    """One line and no traceback on vLLM's own command line, ValueError to a program."""
    if Path(sys.argv[0]).name in _COMMANDS:
        sys.exit(f"error: {error}")
    raise ValueError(str(error)) from None
