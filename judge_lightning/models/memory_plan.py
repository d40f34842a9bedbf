"""The memory that a pair needs on each device of a machine, before anything is loaded.

A *workload* is a moment of a run: which models are loaded together and what they read. Its
plan says what each device holds then; a pair fits where every workload does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from judge_lightning.models.machine import GIB, Machine
from judge_lightning.models.passes import block_bytes, logit_bytes, state_bytes
from judge_lightning.models.placement import Placement, place_on_one, spread
from judge_lightning.models.size import ModelSize

GPU_RESERVE = 2 * GIB
"""Kept free on every GPU: the CUDA context and loaded kernels (about 0.5 GiB), cuBLAS's
workspace, and what PyTorch's allocator cannot hand out again in the sizes asked for."""
HOST_RESERVE = GIB // 2
"""Kept free in the host's memory for Python and its libraries."""


@dataclass(frozen=True)
class SizedModel:
    """A model and how it is put on the machine.

    ``spread``: over all devices in whole blocks (``device_map: auto``); otherwise it is on the
    first one. ``split``: every block over all devices (tensor parallelism).
    """

    size: ModelSize
    spread: bool = False
    split: bool = False


@dataclass(frozen=True)
class Workload:
    """A moment of a run.

    Attributes:
        name: What people call it (the stage).
        models: The models that are loaded, by role, in the order of loading.
        rows: Answers per forward pass.
        prompt: Tokens of the longest prompt.
        new_tokens: Tokens that are written after it; 0: nothing is written and no cache kept.
        draft_length: M, tokens that the target reads at once; 0: it reads one.
        keeps_all_layers: The states of all layers are kept, for the embeddings.
        logits: Bytes of logits that are kept though nothing is written.
        host_bytes: What is gathered in the host's memory meanwhile.
        copies: Processes that hold the same on the same device (only in the host's memory).
    """

    name: str
    models: Mapping[str, SizedModel]
    rows: int
    prompt: int
    new_tokens: int = 0
    draft_length: int = 0
    keeps_all_layers: bool = False
    logits: int = 0
    host_bytes: int = 0
    copies: int = 1


@dataclass(frozen=True)
class DeviceMemory:
    """What one device holds in one workload, in bytes."""

    name: str
    memory: int
    reserve: int
    weights: int = 0
    caches: int = 0
    activations: int = 0
    embeddings: int = 0

    @property
    def needed(self) -> int:
        """The sum, with the reserve."""
        return self.reserve + self.weights + self.caches + self.activations + self.embeddings

    @property
    def free(self) -> int:
        """What is left; negative: what is missing."""
        return self.memory - self.needed


@dataclass(frozen=True)
class MemoryPlan:
    """One workload on one machine.

    ``homeless``: bytes of models that cannot be spread over it. ``host``: bytes that are gathered
    in the host's memory beside it, 0 where the host is the machine and they are counted there.
    """

    workload: str
    devices: tuple[DeviceMemory, ...]
    homeless: int
    host: int = 0

    @property
    def fits(self) -> bool:
        """Whether every part has a device and no device is overfull."""
        return self.homeless == 0 and all(device.free >= 0 for device in self.devices)

    @property
    def tightest(self) -> DeviceMemory:
        """The device with the least left."""
        return min(self.devices, key=lambda device: device.free)

    @property
    def missing(self) -> int:
        """Bytes that are missing on the tightest device, or in all; 0 or less: it fits."""
        if self.homeless:
            return self.homeless - sum(device.free for device in self.devices)
        return -self.tightest.free


def plan_memory(workload: Workload, machine: Machine) -> MemoryPlan:
    """Adds up what each device of the machine holds in a workload."""
    reserve = GPU_RESERVE if machine.is_gpu else HOST_RESERVE
    devices = [
        DeviceMemory(name, memory, reserve)
        for name, memory in zip(machine.names, machine.memory, strict=True)
    ]
    homeless = 0
    for model in workload.models.values():
        if model.split:
            devices = _add_split(devices, model.size, workload)
            continue
        placement = _placement(model, devices, machine)
        if placement is None:
            homeless += model.size.weights
            continue
        devices = [
            _add(device, number, model.size, placement, workload)
            for number, device in enumerate(devices)
        ]
    if not machine.is_gpu:
        devices = [_in_the_host(devices[0], workload)]
    beside = workload.host_bytes if machine.is_gpu else 0
    return MemoryPlan(workload.name, tuple(devices), homeless, beside)


def tightest_plan(plans: Sequence[MemoryPlan]) -> MemoryPlan:
    """The one that misses most, or where all fit, has the least left."""
    return max(plans, key=lambda plan: plan.missing)


def _placement(
    model: SizedModel, devices: Sequence[DeviceMemory], machine: Machine
) -> Placement | None:
    if not model.spread or not machine.is_gpu:
        return place_on_one(model.size.parts)
    free = [device.memory - device.reserve - device.weights for device in devices]
    return spread(model.size.parts, free)


def _add(
    device: DeviceMemory, number: int, size: ModelSize, placement: Placement, workload: Workload
) -> DeviceMemory:
    """A device with what one model has there. Models run in turn: activations do not add up."""
    parts = size.parts
    blocks = [w for w, place in zip(parts.blocks, placement.blocks, strict=True) if place == number]
    weights = (
        sum(blocks)
        + parts.embeddings * (placement.embeddings == number)
        + parts.head * (placement.head == number)
    )
    share = len(blocks) / len(parts.blocks)
    activations = _activations(size, workload, bool(blocks), placement.head == number)
    return replace(
        device,
        weights=device.weights + weights,
        caches=device.caches + round(share * _cache(size, workload)),
        activations=max(device.activations, activations),
        embeddings=device.embeddings + _embeddings(size, workload, len(blocks)),
    )


def _add_split(
    devices: Sequence[DeviceMemory], size: ModelSize, workload: Workload
) -> list[DeviceMemory]:
    """Tensor parallelism: blocks and caches in equal shares; embeddings, head and activations
    are counted whole on every device, which is what they need at most."""
    parts, count = size.parts, len(devices)
    return [
        replace(
            device,
            weights=device.weights + sum(parts.blocks) // count + parts.embeddings + parts.head,
            caches=device.caches + _cache(size, workload) // count,
            activations=max(device.activations, _activations(size, workload, True, True)),
            embeddings=device.embeddings + _embeddings(size, workload, len(parts.blocks)),
        )
        for device in devices
    ]


def _context(size: ModelSize, workload: Workload) -> int:
    return min(workload.prompt + workload.new_tokens, size.shape.longest)


def _cache(size: ModelSize, workload: Workload) -> int:
    """Keys and values of all layers, of all rows at their full length."""
    if workload.new_tokens == 0:
        return 0
    return size.cache_per_token * workload.rows * _context(size, workload)


def _activations(size: ModelSize, workload: Workload, has_blocks: bool, has_head: bool) -> int:
    """The larger of reading the prompt and reading a drafted block, over the whole context."""
    tokens = max(min(workload.prompt, size.shape.longest), workload.draft_length + 1)
    kept = workload.draft_length + 1 if workload.new_tokens else 0
    block = block_bytes(size.shape, workload.rows, tokens, _context(size, workload))
    logits = logit_bytes(size.shape, workload.rows, tokens, kept)
    return block * has_blocks + (logits + workload.logits) * has_head


def _embeddings(size: ModelSize, workload: Workload, blocks: int) -> int:
    """All layers' states of a batch and, while the next batch runs, one of them twice; in
    decoding the judge's states of the block just read (counted wherever a block is)."""
    if workload.keeps_all_layers:
        tokens = workload.rows * _context(size, workload)
        return state_bytes(size.shape, tokens) * (blocks + 1) if blocks else 0
    judged = workload.draft_length + 1 if workload.draft_length else 0
    return state_bytes(size.shape, judged) if blocks else 0


def _in_the_host(device: DeviceMemory, workload: Workload) -> DeviceMemory:
    copies = workload.copies
    return replace(
        device,
        weights=device.weights * copies,
        caches=device.caches * copies,
        activations=device.activations * copies,
        embeddings=device.embeddings * copies + workload.host_bytes,
    )
