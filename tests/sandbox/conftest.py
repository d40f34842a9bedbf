"""Both confinements, and programs that are given little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import dedent

import pytest

from judge_lightning.sandbox import Limits, Outcome, Program, Sandbox
from judge_lightning.sandbox.protections import try_out

LIMITS = Limits(
    wall_seconds=8.0,
    cpu_seconds=8,
    memory_bytes=128 * 2**20,
    processes=4,
    file_bytes=2**20,
)


@pytest.fixture(scope="session", params=["namespaces", "filter"])
def how(request: pytest.FixtureRequest) -> str:
    """Every test below holds for both; a machine that lacks one skips its half."""
    found = try_out(request.param)
    if found.missing:
        pytest.skip(f"this machine cannot confine by {request.param}: {found.problem}")
    return str(request.param)


@pytest.fixture(scope="session")
def sandbox(how: str) -> Iterator[Sandbox]:
    """One for all tests: what a hostile program does must not reach the next one either."""
    with Sandbox(LIMITS, how) as sandbox:
        yield sandbox


@pytest.fixture
def attempt(sandbox: Sandbox) -> Callable[..., Outcome]:
    """Runs code whose ``f()`` says True where it got what it wanted: passing is escaping."""

    def run(code: str, test: str = "assert f() is True") -> Outcome:
        return sandbox.run(Program(dedent(code), test))

    return run
