"""Opening and closing vLLM's offline engine for one model."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.models.location import locate
from judge_lightning.models.pair import ModelSource
from judge_lightning.vllm_plugin.settings import FOLLOW, KEY

_PROCESSES = "VLLM_ENABLE_V1_MULTIPROCESSING"
_HINT = "install vllm in an environment of its own (docs/serving.md), or use inference=transformers"


@dataclass(frozen=True)
class VllmOptions:
    """How vLLM holds a model.

    Attributes:
        tensor_parallel: GPUs that share every block.
        memory: The share of a GPU's memory (on a CPU of the machine's) that it may take.
        arguments: More of vLLM's engine arguments, such as ``quantization`` or ``max_model_len``.
    """

    tensor_parallel: int = 1
    memory: float = 0.9
    arguments: Mapping[str, Any] = field(default_factory=dict)


def check_vllm(field: str = "inference.engine") -> None:
    """Raises UserError where vLLM is not installed."""
    if find_spec("vllm") is None:
        raise UserError(field, "vllm is not installed", _HINT)


class Engine:
    """A model in vLLM's offline engine, which is open while this is the one that was last used.

    A process has one engine open at a time: the next one needs its memory.

    Args:
        more: Of vLLM's engine arguments, those that the use needs.
    """

    def __init__(self, source: ModelSource, options: VllmOptions, **more: Any) -> None:
        self._source = source
        self._options = options
        self._more = more

    def open(self) -> Any:
        """The ``vllm.LLM``; it takes and gives token ids. Its model is in another process.

        Raises:
            UserError: vLLM is not installed, refuses its arguments, or cannot hold the model.
        """
        if _open and _open[0][0] is self:
            return _open[0][1]
        close_engine()
        _open.append((self, _opened(self._source, self._options, self._more)))
        return _open[0][1]


_open: list[tuple[Engine, Any]] = []


def close_engine() -> None:
    """Ends the engine that is open, if any, and with it its processes."""
    while _open:
        _, engine = _open.pop()
        engine.llm_engine.engine_core.shutdown()


def _opened(source: ModelSource, options: VllmOptions, more: Mapping[str, Any]) -> Any:
    check_vllm()
    if source.grow is not None or source.quantization is not None:
        what = "a stand-in" if source.grow is not None else f"quantization={source.quantization}"
        raise UserError(
            source.path,
            f"{what} is transformers' alone",
            "take it off, and quantize by inference.arguments.quantization where vLLM shall",
        )
    from vllm import LLM

    given = {
        "dtype": source.dtype,
        "tensor_parallel_size": options.tensor_parallel,
        "gpu_memory_utilization": options.memory,
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        # Whatever the environment says of a judge is for servers.
        "additional_config": {KEY: None},
        **more,
        **options.arguments,
    }
    if source.revision is not None:
        given["revision"] = source.revision
    # The engine's processes are joined when this one ends: they have to be ended before.
    atexit.unregister(close_engine)
    atexit.register(close_engine)
    try:
        with _variables({_PROCESSES: "1", FOLLOW: "1"}):
            return LLM(str(locate(source.path)), **given)
    except (TypeError, ValueError, RuntimeError) as error:
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            "inference", f"vLLM did not start: {problem}", "see its own lines above"
        ) from error


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
