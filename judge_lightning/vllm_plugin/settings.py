"""What the plugin is asked for, and whether vLLM's configuration and the judge allow it.

JUDGE_LIGHTNING_JUDGE=FOLDER vllm serve ...
vllm serve ... --additional-config '{"judge": {"path": "FOLDER", "threshold": 0.9}}'
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.heads.config import HeadConfig
from judge_lightning.heads.files import read_config

VARIABLE = "JUDGE_LIGHTNING_JUDGE"
FOLLOW = "JUDGE_LIGHTNING_FOLLOW"
"""Set for an engine of ours, whose processes end with the one that started them."""
KEY = "judge"
"""Of vLLM's additional config."""

METHODS = ("draft_model", "ngram")
"""Of vLLM's speculative methods, those that the plugin was tried with."""

SUPPORTED = ((0, 32), (0, 33))
"""vLLM's versions from the first to before the second: the plugin reaches into its parts."""


@dataclass(frozen=True)
class JudgeSettings:
    """The judge that an engine decodes with.

    Attributes:
        path: The judge's folder.
        threshold: In place of the judge's own; requests may name another.
        any_target: Take the judge although its target's fingerprint is another one's (the same
            weights in another folder or quantization, say); shapes are checked all the same.
        record: Append every verdict to this JSON Lines file (costs a look at every step).
    """

    path: str
    threshold: float | None = None
    any_target: bool = False
    record: str | None = None

    @classmethod
    def read(cls, additional: Mapping[str, Any]) -> JudgeSettings | None:
        """From vLLM's additional config, else from the environment; None where no judge is named.

        Raises:
            UserError: A field that does not exist, or a threshold that is no probability.
        """
        # A key that says null outweighs the environment: no judge here.
        given: Any = additional.get(KEY) if KEY in additional else os.environ.get(VARIABLE)
        if given is None or given == "":
            return None
        if isinstance(given, str):
            given = {"path": given}
        where = f"additional_config.{KEY}"
        names = {field.name for field in fields(cls)}
        if not isinstance(given, Mapping) or not set(given) <= names or "path" not in given:
            what = sorted(given) if isinstance(given, Mapping) else given
            raise UserError(where, f"{what} does not fit", f"give path, and of {sorted(names)}")
        settings = cls(**given)
        if settings.threshold is not None:
            check_threshold(f"{where}.threshold", settings.threshold)
        return settings

    def to_json(self) -> dict[str, Any]:
        """As the additional config has it."""
        return asdict(self)


def check_threshold(field: str, value: Any) -> float:
    """The value as a probability.

    Raises:
        UserError: It is none.
    """
    right = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    if not right:
        raise UserError(field, f"is {value!r}", "give a probability, 0 to 1")
    return float(value)


def check_version(version: str) -> None:
    """Raises UserError for a vLLM whose parts may be other ones."""
    release = version.partition("+")[0].split(".")[:2]
    numbers = tuple(int(part) for part in release if part.isdigit())
    first, after = SUPPORTED
    if not first <= numbers < after:
        wanted = ".".join(map(str, first))
        raise UserError(
            "vllm", f"{version} is not supported", f"install vllm {wanted}.*, or unset {VARIABLE}"
        )


def check_engine(config: Any, settings: JudgeSettings) -> None:
    """Looks at vLLM's configuration (``VllmConfig``) and at the judge, before anything is loaded.

    Raises:
        UserError: Something that the judge cannot do, or does not belong to.
    """
    speculative = config.speculative_config
    if speculative is None:
        raise UserError("speculative_config", "is not given, so the judge has nothing to judge",
                        'give {"method": "draft_model", "model": DRAFT, '
                        '"num_speculative_tokens": 16}')  # fmt: skip
    if speculative.method not in METHODS:
        raise UserError(
            "speculative_config.method",
            f"{speculative.method!r} does not work with a judge",
            f"one of {list(METHODS)}",
        )
    if speculative.rejection_sample_method not in (None, "standard"):
        raise UserError(
            "speculative_config.rejection_sample_method",
            f"{speculative.rejection_sample_method!r} does not work with a judge",
            "leave it out",
        )
    if config.parallel_config.pipeline_parallel_size > 1:
        raise UserError("pipeline_parallel_size", "is more than 1, where the judge sees no states",
                        "use tensor_parallel_size")  # fmt: skip
    if config.lora_config is not None:
        raise UserError("enable_lora", "changes the target that the judge was trained on",
                        "serve without it")  # fmt: skip
    check_runner(config.use_v2_model_runner)
    _check_target(config.model_config, read_config(Path(settings.path)), settings)


def check_runner(second: bool) -> None:
    """Raises UserError where vLLM's ``second`` model runner is on."""
    if second:
        raise UserError(
            "VLLM_USE_V2_MODEL_RUNNER", "is on, which the judge does not know", "set it to 0"
        )


def _check_target(model: Any, judge: HeadConfig, settings: JudgeSettings) -> None:
    from judge_lightning.heads import head_class
    from judge_lightning.models.fingerprint import fingerprint

    name = str(Path(settings.path))
    if head_class(judge.kind, "judge kind").reads_draft_embedding:
        raise UserError(name, f"a judge of the kind {judge.kind} reads the draft's states, which "
                        "vLLM does not give", "train one of another kind")  # fmt: skip
    text = model.hf_text_config
    shape = text.hidden_size, text.num_hidden_layers
    if shape != (judge.hidden_size, judge.layers_of_target):
        raise UserError(
            name,
            f"was trained on {judge.layers_of_target} layers of width {judge.hidden_size}, "
            f"{model.model} has {shape[1]} of {shape[0]}",
            "use a judge that was trained on this target",
        )
    served = fingerprint(model.model, model.revision)
    if judge.target and judge.target != served and not settings.any_target:
        raise UserError(
            name,
            f"was trained on target {judge.target[:16]}, not on {model.model} ({served[:16]})",
            f'use its own target, or say {{"{KEY}": {{"path": ..., "any_target": true}}}} where '
            "the weights are the same",
        )
