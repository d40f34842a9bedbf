"""Stores on a real S3-like server, and on the other file systems that fsspec brings."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.store.address import Address
from pipelines.store.cached import CachedStore
from pipelines.store.leases import Pace
from pipelines.store.remote import RemoteStore
from tests.pipelines.store.s3_server import S3Server

QUICK = Pace(period=0.2, patience=10, poll=0.05)
"""A lease that is silent for two seconds is taken over."""
SECRET = "wJalrXUtnFEMI/not/a/real/secret"
OpenStore = Callable[[str], CachedStore]

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for all tests; each has a bucket of its own."""
    import s3fs

    server = S3Server()
    address = server.start()
    environment = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        # fsspec keeps an opened file system for good, whatever the environment names by then.
        s3fs.S3FileSystem.clear_instance_cache()
        yield server
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A new bucket on it."""
    import fsspec

    name = f"bucket-{os.getpid()}-{next(_numbers)}"
    fsspec.filesystem("s3").mkdir(name)
    return name


@pytest.fixture
def url(bucket: str) -> str:
    """A store's address in a new bucket."""
    return f"s3://{bucket}/team/judge"


@pytest.fixture
def remote(url: str) -> RemoteStore:
    """The remote side alone."""
    return RemoteStore(Address.parse(url), QUICK)


@pytest.fixture
def machine(url: str, tmp_path: Path) -> OpenStore:
    """The store as a machine of some name sees it: each has a cache of its own."""

    def open_on(name: str) -> CachedStore:
        return CachedStore(tmp_path / name, RemoteStore(Address.parse(url), QUICK))

    return open_on
