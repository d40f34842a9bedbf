"""Which device holds which part of a model: whole blocks, spread so that all keep equal room.

``device_map: auto`` means this placement here, when a memory plan is made as well as when a
model is loaded, so that the one tells what the other does. Transformers' own ``auto`` is not
used where the GPUs can hold the model: it limits all GPUs but the last to an even share and
scales every limit by 0.9 for weights that are quantized while they are loaded, which pushes the
remainder onto the last GPU (a 405B target in 8 bits then finds no room on 8 x 80 GiB).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from judge_lightning.models.parts import Parts


@dataclass(frozen=True)
class Placement:
    """Where the parts are, as device numbers that only go up from part to part.

    ``head`` is where all behind the blocks is; a tied head is with the embeddings.
    """

    embeddings: int
    blocks: tuple[int, ...]
    head: int


def place_on_one(parts: Parts, device: int = 0) -> Placement:
    """All parts on the same device."""
    return Placement(device, (device,) * len(parts.blocks), device)


def spread(parts: Parts, free: Sequence[int]) -> Placement | None:
    """Spreads whole parts so that the device with the least room left has as much as possible.

    The devices are filled one after another in the order in which the parts run. What each
    keeps free is the largest number of bytes with which all parts still find a place, found by
    bisection. What a pass needs is about the same on every device that holds blocks, so equal
    room is what it asks for.

    Args:
        parts: The model's weights in bytes.
        free: Bytes that are free on each device; one that is smaller than the others gets less.

    Returns:
        None if the parts do not fit even with nothing kept free.
    """
    best = _fill(parts, free)
    if best is None:
        return None
    low, high = 0, max(free)
    while high - low > 1:
        kept = (low + high) // 2
        tried = _fill(parts, [memory - kept for memory in free])
        if tried is None:
            high = kept
        else:
            best, low = tried, kept
    return best


def _fill(parts: Parts, capacities: Sequence[int]) -> Placement | None:
    places: list[int] = []
    device, used = 0, 0
    for size in (parts.embeddings, *parts.blocks, parts.head):
        while device < len(capacities) and used + size > capacities[device]:
            device, used = device + 1, 0
        if device == len(capacities):
            return None
        used += size
        places.append(device)
    return Placement(places[0], tuple(places[1:-1]), places[-1])
