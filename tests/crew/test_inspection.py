"""A node that would not do is named before it gets any work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.errors import UserError
from pipelines.config import RayConfig
from pipelines.crew.inspection import Premises, inspect
from pipelines.crew.nodes import Node, check_settings, count_replicas, nodes_of
from pipelines.crew.ray_cluster import import_ray, joined_cluster
from tests.crew.conftest import node

ROOT = Path(__file__).parents[2]
NODES = [Node("a" * 8, "10.0.0.1", 8, 2, 64), Node("b" * 8, "10.0.0.2", 8, 1, 64)]


def replicas(**asked: Any) -> int:
    return count_replicas(RayConfig(**asked), NODES)


def test_a_run_gets_as_many_replicas_as_whole_ones_fit_on_nodes() -> None:
    assert replicas() == 16
    assert replicas(replicas=5) == 5
    assert replicas(cpus_per_replica=3) == 4
    assert replicas(gpus_per_replica=1) == 3
    assert replicas(gpus_per_replica=2) == 1
    assert replicas(gpus_per_replica=0.1, cpus_per_replica=0) == 30
    assert replicas(memory_per_replica=40) == 2


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (
            {"gpus_per_replica": 4},
            "launch.ray.gpus_per_replica: is 4, and no node has more than 2: 2 nodes with 16 cores "
            "and 3 GPUs; ask for less, or join a cluster with more",
        ),
        (
            {"gpus_per_replica": 1, "replicas": 4},
            "launch.ray.replicas: 4 of 1 core, 1 GPU each, there is room for 3: 2 nodes with 16 "
            "cores and 3 GPUs; ask for less, or join a cluster with more",
        ),
        ({"memory_per_replica": 65}, "launch.ray.memory_per_replica: is 65, and no node has"),
    ],
)
def test_what_does_not_fit_is_said_with_what_there_is(asked: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as error:
        replicas(**asked)
    assert str(error.value).startswith(line)


def test_no_node_may_have_all_of_it_together() -> None:
    nodes = [Node("a", "10.0.0.1", 1, 8, 64), Node("b", "10.0.0.2", 64, 0, 64)]
    with pytest.raises(UserError, match="no node has 8 cores, 1 GPU together: 2 nodes"):
        count_replicas(RayConfig(cpus_per_replica=8, gpus_per_replica=1), nodes)


@pytest.mark.parametrize(
    ("field", "value"),
    [("replicas", -1), ("in_flight", 0), ("retries", -1), ("wait_seconds", 0.0)],
)
def test_numbers_that_hire_nobody_are_refused(field: str, value: float) -> None:
    with pytest.raises(UserError) as error:
        check_settings(RayConfig(**{field: value}))
    assert error.value.field == f"launch.ray.{field}"


@pytest.fixture
def premises(tmp_path: Path) -> Premises:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return Premises(ROOT, tmp_path / "artifacts", {model: "pair.target.path"})


def look(premises: Premises, nodes: list[Node] | None = None) -> None:
    ray = import_ray()
    inspect(ray, nodes_of(ray) if nodes is None else nodes, premises)


def test_nodes_like_this_machine_pass_and_nothing_of_it_stays(
    joined: RayConfig, premises: Premises
) -> None:
    look(premises)
    assert list(premises.artifacts.iterdir()) == []


def test_a_folder_that_is_another_one_there_is_refused(
    joined: RayConfig, premises: Premises, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/proc/self`` is another one for every process, as a local disk is for every machine."""
    monkeypatch.chdir(tmp_path)
    unshared = Path("/proc/self/cwd/artifacts")
    with pytest.raises(UserError) as error:
        look(Premises(ROOT, unshared, {}))
    assert error.value.field == "artifacts_dir"
    assert f"{unshared} is not shared: node" in str(error.value)
    with pytest.raises(UserError, match=r"has no folder /proc/self/cwd/mine; start from a folder"):
        look(Premises(Path("/proc/self/cwd/mine"), tmp_path, {}))
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=r"pair\.draft\.path: .* is missing on node"):
        (tmp_path / "config.json").write_text("{}")
        look(Premises(ROOT, premises.artifacts, {Path("/proc/self/cwd"): "pair.draft.path"}))


@pytest.fixture
def older_node(cluster: Any, joined: RayConfig, tmp_path: Path) -> Iterator[Node]:
    """A node whose Python finds another transformers first."""
    site = tmp_path / "site"
    info = site / "transformers-4.0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.0.1\n")
    ray = import_ray()
    before = {one.id for one in nodes_of(ray)}
    added = cluster.add_node(**node(env_vars={"PYTHONPATH": str(site)}))
    (older,) = [one for one in nodes_of(ray) if one.id not in before]
    yield older
    cluster.remove_node(added)


def test_a_node_with_other_packages_is_named_with_both_versions(
    older_node: Node, premises: Premises
) -> None:
    import transformers

    with pytest.raises(UserError) as error:
        look(premises)
    assert str(error.value) == (
        f"launch.ray: node {older_node.name} has transformers 4.0.1, this machine has "
        f"{transformers.__version__}; install the same versions on all nodes (constraints.txt)"
    )


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("127.0.0.1:9", "no cluster answers at 127.0.0.1:9 (Connection refused); start one"),
        ("ray://127.0.0.1:9", "no cluster answers at ray://127.0.0.1:9 (Connection refused)"),
        ("nonsense", "'nonsense' is no address; give null, auto, HOST:PORT or ray://HOST:PORT"),
        ("host.invalid:6379", "no cluster answers at host.invalid:6379 ("),
    ],
)
def test_no_cluster_at_the_address_is_said_at_once(
    address: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_ray(), "is_initialized", lambda: False)
    with pytest.raises(UserError) as error, joined_cluster(RayConfig(address=address)):
        pass
    assert str(error.value).startswith(f"launch.ray.address: {line}")


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'judge-lightning\[ray\]'"):
        import_ray()
