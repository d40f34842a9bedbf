"""How long a forward pass takes at least: what it must read, and what it must calculate.

A pass reads every weight once (of the embeddings' table only its tokens' rows) and the cache of all
tokens before it; it multiplies and adds once per weight and token. The longer of the two bounds it:
with few tokens a pass waits for memory, with many it waits for the multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass

from judge_lightning.models.machine import GIB
from judge_lightning.models.size import ModelSize


@dataclass(frozen=True)
class Hardware:
    """A kind of device.

    Attributes:
        memory: Bytes.
        bandwidth: Of that memory, bytes a second.
        flops: Operations a second in dense matrix products of 16-bit numbers.
        source: Where the numbers are from.
    """

    name: str
    memory: int
    bandwidth: float
    flops: float
    source: str


HARDWARE = {
    device.name: device
    for device in (
        Hardware("a100", 80 * GIB, 2.039e12, 312e12, "NVIDIA's data sheet, A100 SXM 80 GB"),
        Hardware("h100", 80 * GIB, 3.35e12, 989e12, "NVIDIA's data sheet, H100 SXM"),
        Hardware("h200", 141 * 10**9, 4.8e12, 989e12, "NVIDIA's data sheet, H200 SXM"),
    )
}


@dataclass(frozen=True)
class Engine:
    """Devices, and how a pass uses them.

    Attributes:
        count: How many devices hold the model.
        split: Every block is split over all of them (tensor parallelism), so that they read and
            calculate at the same time; otherwise whole blocks lie on devices that run in turn.
        share: The part of the bound that is reached, 1 for the bound itself.
    """

    hardware: Hardware
    count: int
    split: bool
    share: float = 1.0

    @property
    def at_once(self) -> int:
        """Devices that work at the same time."""
        return self.count if self.split else 1


@dataclass(frozen=True)
class PassTime:
    """The least time of a pass.

    ``moved`` is bytes, ``work`` operations, ``seconds`` what the longer one takes on the engine.
    """

    moved: float
    work: float
    engine: Engine

    @property
    def reading(self) -> float:
        """Seconds to read weights and cache."""
        return self.moved / (self.engine.at_once * self.engine.hardware.bandwidth)

    @property
    def calculating(self) -> float:
        """Seconds to multiply."""
        return self.work / (self.engine.at_once * self.engine.hardware.flops)

    @property
    def seconds(self) -> float:
        """What the pass takes, at the engine's share of the bound."""
        return max(self.reading, self.calculating) / self.engine.share

    def formula(self) -> str:
        """The derivation in one line."""
        count, hardware = self.engine.at_once, self.engine.hardware
        if self.reading >= self.calculating:
            bound = f"{self.moved / 1e9:.1f} GB / ({count} x {hardware.bandwidth / 1e12:.3g} TB/s)"
        else:
            flops = f"{hardware.flops / 1e12:.3g} TFLOP/s"
            bound = f"{self.work / 1e12:.1f} TFLOP / ({count} x {flops})"
        share = f" / {self.engine.share:.2f}" if self.engine.share != 1 else ""
        return f"{bound}{share} = {_in_seconds(self.seconds)}"


def pass_time(
    size: ModelSize, engine: Engine, *, tokens: int, rows: int = 1, context: int = 0
) -> PassTime:
    """The least time of one pass.

    Args:
        tokens: Tokens of each row that are read now.
        context: Tokens of each row that are cached before them.
    """
    return PassTime(
        moved=weights_read(size) + rows * context * size.cache_per_token,
        work=rows * tokens * (2 * multiplied(size) + _attention(size, tokens, context)),
        engine=engine,
    )


def weights_read(size: ModelSize) -> float:
    """Bytes of weights that every pass reads: blocks and head. Tied tables are the head."""
    parts = size.parts
    return sum(parts.blocks) + max(parts.head, 0 if _has_head(size) else parts.embeddings)


def multiplied(size: ModelSize) -> float:
    """Weights that every token is multiplied with: all but an untied table of embeddings."""
    table = size.shape.vocabulary * size.shape.width
    return size.parameters - (table if _has_head(size) else 0)


def _has_head(size: ModelSize) -> bool:
    """Whether the output head is a matrix of its own."""
    return size.parts.head > size.shape.vocabulary * size.shape.width


def _attention(size: ModelSize, tokens: int, context: int) -> float:
    """Operations of a token's attention: scores and sums over what it sees, on average."""
    return 4 * len(size.parts.blocks) * size.shape.queries * (context + tokens / 2)


def _in_seconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:,.3g} s"
