"""The artifact store: nothing half-written is ever taken for finished work."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.manifest import Provenance
from pipelines.store import Artifact, ArtifactStore, State, artifact_key

FORK = multiprocessing.get_context("fork")
KEY, OTHER_KEY = "ab" * 32, "cd" * 32
CONTENT = {"a.txt": "first", "deep/b.txt": "second"}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def publish_content(publish: Callable[..., Artifact]) -> Callable[..., Artifact]:
    return lambda store, **inputs: publish(store, "mine", KEY, CONTENT, inputs)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def content_of(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in CONTENT}


@settings(max_examples=30)
@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_a_key_does_not_depend_on_the_order_of_the_settings(fields: dict[str, Any]) -> None:
    turned = dict(reversed(fields.items()))
    assert artifact_key("mine", 1, fields, {}) == artifact_key("mine", 1, turned, {})


def test_a_key_depends_on_stage_version_settings_and_inputs() -> None:
    keys = {
        artifact_key("mine", 1, {"a": 1}, {}),
        artifact_key("annotate", 1, {"a": 1}, {}),
        artifact_key("mine", 2, {"a": 1}, {}),
        artifact_key("mine", 1, {"a": 2}, {}),
        artifact_key("mine", 1, {"a": 1}, {"prompts": "00"}),
        artifact_key("mine", 1, {"a": 1}, {"prompts": "01"}),
    }
    assert len(keys) == 6


def test_a_key_stays_the_same_in_later_releases() -> None:
    key = artifact_key("mine", 1, {"b": [1, 0.5, None], "a": "ä"}, {"prompts": "00"})
    assert key == "90d6c13d884463802049c97cc3436afee6239a1d623faef68736cd87c3b68401"


def test_settings_that_are_not_json_are_refused() -> None:
    with pytest.raises(TypeError):
        artifact_key("mine", 1, {"path": Path("x")}, {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        artifact_key("mine", 1, {"lr": float("nan")}, {})


def test_a_published_artifact_is_found_with_its_files_and_hashes(
    store: ArtifactStore, publish_content: Callable[..., Artifact]
) -> None:
    publish_content(store, prompts="00")
    artifact = store.find("mine", KEY)
    assert artifact is not None
    assert content_of(artifact.path) == CONTENT
    assert artifact.manifest.inputs == {"prompts": "00"}
    assert set(artifact.manifest.files) == set(CONTENT)
    entry = artifact.manifest.files["a.txt"]
    assert entry.bytes == 5
    assert entry.sha256 == "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"


def test_nothing_is_found_under_another_key(
    store: ArtifactStore, publish_content: Callable[..., Artifact]
) -> None:
    publish_content(store)
    assert store.find("mine", OTHER_KEY) is None
    assert store.state("mine", OTHER_KEY)[0] is State.MISSING


def die_at_step(step: int, action: Callable[[], object]) -> None:
    """Calls ``action`` and ends this process by SIGKILL before its ``step``-th file operation."""
    count = 0

    def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **named)

        return wrapped

    os.fsync = counted(os.fsync)
    os.open = counted(os.open)
    Path.open = counted(Path.open)  # type: ignore[method-assign]
    Path.rename = counted(Path.rename)  # type: ignore[method-assign]
    Path.replace = counted(Path.replace)  # type: ignore[method-assign]
    Path.mkdir = counted(Path.mkdir)  # type: ignore[method-assign]
    shutil.rmtree = counted(shutil.rmtree)  # type: ignore[assignment]
    action()


def test_a_kill_at_any_step_of_a_publication_leaves_nothing_or_the_whole_artifact(
    tmp_path: Path,
    publish_content: Callable[..., Artifact],
) -> None:
    for step in range(1, 200):
        store = ArtifactStore(tmp_path / str(step))
        process = FORK.Process(target=die_at_step, args=(step, lambda s=store: publish_content(s)))
        process.start()
        process.join()
        found = store.find("mine", KEY)
        assert store.state("mine", KEY)[0] in (State.MISSING, State.PARTIAL, State.CACHED)
        assert content_of((found or publish_content(store)).path) == CONTENT
        if process.exitcode == 0:
            assert step > 10
            return
    pytest.fail("the publication never came to its end")


def test_what_a_killed_attempt_finished_is_there_for_the_same_key_only(
    store: ArtifactStore,
) -> None:
    def write_a_shard_and_die() -> None:
        with store.writer("mine", KEY) as writer:
            (writer.work / "shard-0").write_text("done")
            (writer.work / "scratch" / "checkpoint").write_text("half")
            (writer.work / "shard-1.unfinished").write_text("torn")
            (writer.work / ".shard-2.4711").write_text("torn")
            os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=write_a_shard_and_die)
    process.start()
    process.join()

    assert store.find("mine", KEY) is None
    assert store.state("mine", KEY)[0] is State.PARTIAL
    with store.writer("mine", OTHER_KEY) as writer:
        assert [path.name for path in writer.work.iterdir()] == ["scratch"]
    with store.writer("mine", KEY) as writer:
        assert (writer.work / "shard-0").read_text() == "done"
        assert (writer.work / "scratch" / "checkpoint").read_text() == "half"
        artifact = writer.publish(Provenance(version=1, settings={}, inputs={}))
    assert set(artifact.manifest.files) == {"shard-0"}
    assert sorted(path.name for path in artifact.path.iterdir()) == ["manifest.json", "shard-0"]


def truncate(folder: Path) -> None:
    (folder / "a.txt").write_text("fir")


def flip(folder: Path) -> None:
    (folder / "a.txt").write_text("fist!")


def lose_a_file(folder: Path) -> None:
    (folder / "deep" / "b.txt").unlink()


def tear_the_manifest(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:100])


def lose_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (truncate, "a.txt has 3 bytes instead of 5"),
        (flip, "a.txt has other content"),
        (lose_a_file, "deep/b.txt is missing"),
        (tear_the_manifest, "manifest.json cannot be read"),
        (lose_the_manifest, "manifest.json is missing"),
    ],
)
def test_a_damaged_artifact_is_named_moved_aside_and_made_again(
    store: ArtifactStore,
    publish_content: Callable[..., Artifact],
    harm: Callable[[Path], None],
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    harm(publish_content(store).path)

    assert store.find("mine", KEY) is None
    assert store.state("mine", KEY)[0] is State.DAMAGED
    again = publish_content(store)

    warning = capsys.readouterr().err
    assert f"mine/{KEY[:8]}" in warning
    assert named in warning
    assert len(store.quarantined()) == 1
    assert content_of(again.path) == CONTENT


def test_an_artifact_of_another_key_is_not_taken_for_this_one(
    store: ArtifactStore, publish_content: Callable[..., Artifact]
) -> None:
    shutil.copytree(publish_content(store).path, store.path("mine", OTHER_KEY))
    assert store.state("mine", OTHER_KEY)[0] is State.DAMAGED


def test_a_second_process_waits_for_the_first_and_reuses_its_artifact(
    store: ArtifactStore,
) -> None:
    started, go = FORK.Event(), FORK.Event()

    def work_slowly() -> None:
        with store.writer("mine", KEY) as writer:
            started.set()
            go.wait()
            (writer.work / "a.txt").write_text("by the first")
            writer.publish(Provenance(version=1, settings={}, inputs={}))

    process = FORK.Process(target=work_slowly)
    process.start()
    started.wait()
    with store.writer("mine", KEY, on_wait=go.set) as writer:
        assert writer.finished is not None
        assert (writer.finished.path / "a.txt").read_text() == "by the first"
    process.join()


def hold_the_key(store: ArtifactStore, started: Event) -> None:
    with store.writer("mine", KEY):
        started.set()
        signal.pause()


def test_a_key_in_use_is_not_removed_and_a_killed_user_frees_it(store: ArtifactStore) -> None:
    started = FORK.Event()
    process = FORK.Process(target=hold_the_key, args=(store, started))
    process.start()
    started.wait()
    assert not store.remove("mine", KEY)
    process.kill()
    process.join()
    assert store.remove("mine", KEY)
    assert store.unfinished() == []


def test_a_stage_that_writes_nothing_is_refused(store: ArtifactStore) -> None:
    with store.writer("mine", KEY) as writer, pytest.raises(RuntimeError, match="wrote no file"):
        writer.publish(Provenance(version=1, settings={}, inputs={}))


def test_a_volatile_file_that_was_not_written_is_refused(store: ArtifactStore) -> None:
    with store.writer("mine", KEY) as writer:
        (writer.work / "a.txt").write_text("a")
        with pytest.raises(RuntimeError, match="wrote no such file"):
            writer.publish(
                Provenance(version=1, settings={}, inputs={}), frozenset({"seconds.txt"})
            )
