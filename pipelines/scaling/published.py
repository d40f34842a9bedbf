"""What others have published, beside what the formulas give for the same hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from judge_lightning.models.pass_time import HARDWARE, Engine
from judge_lightning.models.size import ModelSize, measure_size
from pipelines.scaling.decoding import ASSUMED, plain, speculative

_CONTEXT = 512
_EXACT, _JUDGE = ASSUMED
_VOCABULARY = {"model_type": "llama", "vocab_size": 128256, "num_key_value_heads": 8}
_SHAPES: dict[str, dict[str, Any]] = {
    "8B": _VOCABULARY
    | {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32,
    },
    "70B": _VOCABULARY
    | {
        "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
        "num_attention_heads": 64,
    },
    "405B": _VOCABULARY
    | {
        "hidden_size": 16384, "intermediate_size": 53248, "num_hidden_layers": 126,
        "num_attention_heads": 128,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A published rate, and the bound that the formulas give, in tokens a second."""

    what: str
    published: float
    derived: float

    @property
    def share(self) -> float:
        """The part of the bound that was reached."""
        return self.published / self.derived

    def expected(self, share: float) -> float:
        """What would be expected at another's share of the bound."""
        return self.derived * share


def published_rates() -> list[Published]:
    """The rates of gpt-fast, TensorRT-LLM and the paper (its draft length is not known: 20)."""
    eight_a100 = Engine(HARDWARE["a100"], 8, split=True)
    eight_h100 = Engine(HARDWARE["h100"], 8, split=True)
    two_h100 = Engine(HARDWARE["h100"], 2, split=True)
    h200 = Engine(HARDWARE["h200"], 1, split=True)
    return [
        _plain("gpt-fast, 405B int8, 8 A100, plain", 15.6, "405B", eight_a100),
        _plain("TensorRT-LLM, 70B FP8, 1 H200, plain", 51.0, "70B", h200),
        _judged("the paper, 8B to 405B, gpt-fast, 8 H100, judge", 129.0, "405B", eight_h100),
        _judged("the paper, 8B to 70B, gpt-fast, 2 H100, judge", 141.0, "70B", two_h100),
    ]


def published_share() -> float:
    """The share of the bound that gpt-fast reaches on several GPUs, without drafts."""
    return published_rates()[0].share


def _plain(what: str, rate: float, model: str, engine: Engine) -> Published:
    derived = plain("target", _size(model, "int8wo"), engine, _CONTEXT)
    return Published(what, rate, derived.tokens_per_second)


def _judged(what: str, rate: float, model: str, engine: Engine) -> Published:
    derived = speculative(
        _size(model, "int8wo"),
        _size("8B", None),
        engine,
        acceptance=_JUDGE,
        draft_length=20,
        context=_CONTEXT,
    )
    return Published(what, rate, derived.tokens_per_second)


def _size(model: str, quantization: str | None) -> ModelSize:
    return measure_size(
        f"meta-llama/Llama-3.1-{model}",
        _SHAPES[model],
        dtype="bfloat16",
        quantization=quantization,
    )
