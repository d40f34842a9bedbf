"""Joining a Ray cluster that is there, or starting one on this machine that ends with the run."""

from __future__ import annotations

import importlib
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RayConfig

_FIELD = "launch.ray.address"
_KNOCK_SECONDS = 5.0
_CLIENT_SCHEME = "ray://"
_CLIENT_PORT = 10001
_LOCAL_STORE = 128 * 2**20
"""Bytes of shared memory of a local cluster: shards and what workers say of them are small."""


def import_ray() -> Any:
    """The module, told to keep to itself.

    Raises:
        UserError: It is not installed.
    """
    # Before the import, which reads it: a run tells nobody that it runs.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise UserError(
            "launch.ray", "needs Ray, which is not installed", "pip install 'judge-lightning[ray]'"
        ) from None


@contextmanager
def joined_cluster(settings: RayConfig) -> Iterator[None]:
    """Inside, this process may give work to the cluster.

    A process that is part of one already, such as a sweep's job on Ray, stays in that one.

    Raises:
        UserError: Ray is not installed, or there is no cluster at the address, or it has another
            version of Ray or Python.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    if settings.address is None:
        _start_local(ray)
    else:
        _join(ray, settings.address)
    try:
        yield
    finally:
        ray.shutdown()


def _start_local(ray: Any) -> None:
    from evals.workers import cpu_cores

    _init(
        ray,
        address="local",
        num_cpus=cpu_cores(),
        include_dashboard=False,
        object_store_memory=_LOCAL_STORE,
    )


def _join(ray: Any, address: str) -> None:
    remedy = f"start one (ray start --head), or name another: {_FIELD}=HOST:PORT"
    if address != "auto":
        # Ray itself asks for minutes whether somebody answers.
        _knock(address, remedy)
    try:
        _init(ray, address=address)
    except ImportError:
        raise UserError(
            _FIELD, f"{address} needs Ray's client", "pip install 'ray[client]'"
        ) from None
    except Exception as error:
        if address == "auto" and isinstance(error, ConnectionError):
            raise UserError(_FIELD, "auto: no cluster runs on this machine", remedy) from error
        said = " ".join(str(error).split())[:200]
        raise UserError(_FIELD, f"{address} cannot be joined ({said})", remedy) from error


def _init(ray: Any, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    # A lost worker is said in one line by whoever loses it; Ray would say it in twenty.
    worker = importlib.import_module("ray._private.worker")
    worker._worker_logs_enabled = False  # type: ignore[attr-defined]


def _knock(address: str, remedy: str) -> None:
    host, colon, port = address.removeprefix(_CLIENT_SCHEME).rpartition(":")
    if not colon and address.startswith(_CLIENT_SCHEME):
        host, port = port, str(_CLIENT_PORT)
    if not host or not port.isdecimal():
        raise UserError(
            _FIELD, f"{address!r} is no address", "give null, auto, HOST:PORT or ray://HOST:PORT"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(_FIELD, f"no cluster answers at {address} ({reason})", remedy) from None
