"""A Ray cluster that carries out the shards of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class RayConfig:
    """*(free)* Where the shards of ``mine``, ``annotate``, ``embed`` and of all that decodes are
    done, and by how many workers (docs/cluster.md)."""

    address: str | None = None
    """None: a cluster of this machine alone, which ends with the run. ``auto``: the cluster that
    this machine belongs to. ``HOST:PORT``: the same, named by its head. ``ray://HOST:PORT``: one
    that this machine does not belong to (needs ``ray[client]``)."""
    replicas: int = 0
    """Workers, each with its own loaded models; 0: as many as the cluster has room for."""
    cpus_per_replica: float = 1.0
    """Cores that a replica is given, and its torch threads."""
    gpus_per_replica: float = 0.0
    memory_per_replica: float = 0.0
    """GiB that a replica is given room for; 0: not reckoned."""
    in_flight: int = 1
    """Shards that a replica is handed at a time. 2 hides the way to the driver, which shards of
    less than a tenth of a second need, and makes the end less even."""
    retries: int = 3
    """How often a shard is given to another worker after its worker was lost."""
    wait_seconds: float = 300.0
    """How long a stage waits for room for its first replica."""
