"""A Ray cluster of several nodes on this machine, each with one core."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.config import RayConfig
from pipelines.crew.ray_cluster import import_ray, joined_cluster

STORE = 80 * 2**20
"""Bytes of a node's shared memory, near the least that Ray takes."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each."""
    import_ray()
    from ray.cluster_utils import Cluster

    # Nodes have the machine's settings: replicas must not draw more threads than local tests do.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cluster = Cluster()
    for _ in range(2):
        cluster.add_node(**node())
    yield cluster
    cluster.shutdown()


def node(**options: Any) -> dict[str, Any]:
    """Arguments of a small node. Where its helpers listen is said: a busy machine takes longer to
    find out than a node waits."""
    helpers = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
    ports = {name: _free_port() for name in helpers}
    small = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    return {**small, **ports, **options}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def settings(cluster: Any) -> RayConfig:
    """What a run on that cluster is configured with."""
    return RayConfig(address=cluster.address, wait_seconds=120.0)


@pytest.fixture(scope="session")
def joined(settings: RayConfig) -> Iterator[RayConfig]:
    """This process may give work to the cluster."""
    with joined_cluster(settings):
        yield settings
