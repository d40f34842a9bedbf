"""What a cluster's nodes have room for, and whether they would do the work as this machine would.

Everything that makes a node unfit is said before any work, in one line that names the node.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RayConfig

_SLACK = 1e-6
"""Ray counts shares of a core or a GPU in floats."""


@dataclass(frozen=True)
class Node:
    """A node that is alive, with all that it has, whoever uses it. ``memory`` is in GiB."""

    id: str
    address: str
    cpus: float
    gpus: float
    memory: float

    @property
    def name(self) -> str:
        """Several nodes may run on one machine, as in tests."""
        return f"{self.address} ({self.id[:6]})"

    def room(self, settings: RayConfig) -> int:
        """How many replicas fit."""
        needs = (
            (settings.cpus_per_replica, self.cpus),
            (settings.gpus_per_replica, self.gpus),
            (settings.memory_per_replica, self.memory),
        )
        return min((int(has / need + _SLACK) for need, has in needs if need), default=0)


def nodes_of(ray: Any) -> list[Node]:
    """The nodes that are alive."""
    return [
        Node(
            id=row["NodeID"],
            address=row["NodeManagerAddress"],
            cpus=row["Resources"].get("CPU", 0.0),
            gpus=row["Resources"].get("GPU", 0.0),
            memory=row["Resources"].get("memory", 0.0) / 2**30,
        )
        for row in ray.nodes()
        if row["Alive"]
    ]


def check_settings(settings: RayConfig) -> None:
    """Raises UserError for numbers with which nothing could be hired."""
    for name in ("cpus_per_replica", "gpus_per_replica", "memory_per_replica", "replicas"):
        if getattr(settings, name) < 0:
            raise UserError(f"launch.ray.{name}", "is negative", "give 0 or more")
    if not settings.cpus_per_replica and not settings.gpus_per_replica:
        raise UserError("launch.ray.cpus_per_replica", "is 0", "give a replica a core or a GPU")
    if settings.in_flight < 1:
        raise UserError("launch.ray.in_flight", f"is {settings.in_flight}", "give 1 or more")
    if settings.retries < 0 or settings.wait_seconds <= 0:
        name = "retries" if settings.retries < 0 else "wait_seconds"
        raise UserError(f"launch.ray.{name}", f"is {getattr(settings, name)}", "give more")


def count_replicas(settings: RayConfig, nodes: Sequence[Node]) -> int:
    """How many replicas the run gets.

    Raises:
        UserError: There is no room for as many as were asked for, or for one.
    """
    room = sum(node.room(settings) for node in nodes)
    if settings.replicas > room or not room:
        field, asked = _short_of(settings, nodes, room)
        raise UserError(field, asked, "ask for less, or join a cluster with more")
    return settings.replicas or room


def _short_of(settings: RayConfig, nodes: Sequence[Node], room: int) -> tuple[str, str]:
    """The field that asks for too much, and what it asks for beside what there is."""
    has = describe_room(nodes)
    if room:
        return "launch.ray.replicas", (
            f"{settings.replicas} of {describe_replica(settings)} each, there is room for {room}: "
            f"{has}"
        )
    for name, resource in (("gpus", "gpus"), ("cpus", "cpus"), ("memory", "memory")):
        need = getattr(settings, f"{name}_per_replica")
        most = max((getattr(node, resource) for node in nodes), default=0.0)
        if need > most + _SLACK:
            field = f"launch.ray.{name}_per_replica"
            return field, f"is {need:g}, and no node has more than {most:.3g}: {has}"
    return "launch.ray", f"no node has {describe_replica(settings)} together: {has}"


def describe_replica(settings: RayConfig) -> str:
    """What a replica needs, in words."""
    parts = [_count(settings.cpus_per_replica, "core")]
    if settings.gpus_per_replica:
        parts.append(_count(settings.gpus_per_replica, "GPU"))
    if settings.memory_per_replica:
        parts.append(f"{settings.memory_per_replica:g} GiB")
    return ", ".join(parts)


def describe_room(nodes: Sequence[Node]) -> str:
    """What the nodes have together, in words."""
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    cores = f"{_count(cpus, 'core')} and {_count(gpus, 'GPU')}"
    return f"{_count(len(nodes), 'node')} with {cores}"


def able(settings: RayConfig, nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes that would get work."""
    return (node for node in nodes if node.room(settings))


def _count(number: float, thing: str) -> str:
    return f"{number:g} {thing}{'' if number == 1 else 's'}"
