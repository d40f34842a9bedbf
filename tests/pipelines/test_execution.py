"""Carrying out a plan: each key is computed once, whatever happens in between."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.errors import UserError
from pipelines.execution import StageError
from pipelines.plan import require_inputs
from pipelines.store import State

FORK = multiprocessing.get_context("fork")


def cached(results: list[Any]) -> dict[str, bool]:
    return {result.planned.name: result.cached for result in results}


def hashes(results: list[Any]) -> dict[str, str]:
    return {
        f"{result.planned.name}/{name}": entry.sha256
        for result in results
        for name, entry in result.artifact.manifest.files.items()
        if not entry.volatile
    }


def test_a_second_run_computes_nothing(tiny: Any) -> None:
    first = tiny.run()
    second = tiny.run()
    assert set(cached(first).values()) == {False}
    assert set(cached(second).values()) == {True}
    assert hashes(first) == hashes(second)


def test_a_changed_setting_reruns_its_stage_and_what_follows(tiny: Any) -> None:
    tiny.run()
    tiny.config.judge.lr = 3.0
    assert cached(tiny.run()) == {"numbers": True, "total": False, "report": False}


def test_a_raised_version_reruns_its_stage_and_what_follows(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.run()
    monkeypatch.setattr(tiny.order[1], "version", 2, raising=False)
    assert cached(tiny.run()) == {"numbers": True, "total": False, "report": False}


def test_keys_are_known_before_anything_runs(tiny: Any) -> None:
    planned = {stage.name: stage.key for stage in tiny.plan().stages}
    assert planned == {result.planned.name: result.artifact.key for result in tiny.run()}


def test_the_manifest_holds_inputs_metrics_and_volatile_files(tiny: Any) -> None:
    numbers, total, _ = tiny.run()
    assert total.artifact.manifest.inputs == {"numbers": numbers.artifact.key}
    assert total.artifact.manifest.metrics == {"loss": 0.0}
    volatile = {n: e.volatile for n, e in numbers.artifact.manifest.files.items()}
    assert volatile.pop("seconds.txt")
    assert not any(volatile.values())


def test_a_failing_stage_keeps_its_finished_shards_for_the_next_run(tiny: Any) -> None:
    tiny.numbers.fail_before = 2
    with pytest.raises(StageError, match=r"stage numbers failed: RuntimeError: the machine burns$"):
        tiny.run()
    assert tiny.plan()["numbers"].state is State.PARTIAL

    tiny.numbers.fail_before = None
    tiny.numbers.shards_written.clear()
    tiny.run()
    assert tiny.numbers.shards_written == ["shard-2.txt"]


def test_a_killed_run_ends_in_the_same_artifacts_as_an_undisturbed_one(
    tiny: Any, tmp_path: Path
) -> None:
    undisturbed = hashes(tiny.run())
    shutil.rmtree(tmp_path / "artifacts")

    for victim in tiny.order:
        original = victim.run

        def die_after_work(context: Any, original: Any = original) -> None:
            original(context)
            os.kill(os.getpid(), signal.SIGKILL)

        victim.run = die_after_work
        process = FORK.Process(target=tiny.run)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        victim.run = original

    assert hashes(tiny.run()) == undisturbed


def test_a_damaged_artifact_is_computed_again_with_the_same_content(
    tiny: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tiny.run()
    (first[1].artifact.path / "total.txt").write_text("")
    assert tiny.plan()["total"].state is State.DAMAGED
    again = tiny.run()
    assert cached(again) == {"numbers": True, "total": False, "report": True}
    assert hashes(again) == hashes(first)
    assert "total.txt has 0 bytes" in capsys.readouterr().err


def test_a_selection_runs_only_those_stages_on_cached_inputs(tiny: Any) -> None:
    tiny.run()
    tiny.config.judge.lr = 3.0
    tiny.config.stages = ["total"]
    assert cached(tiny.run()) == {"total": False}


def test_a_selection_on_missing_inputs_names_the_stages_to_add(tiny: Any) -> None:
    tiny.config.stages = ["report"]
    with pytest.raises(UserError, match=r"use stages=\[numbers,total,report\]"):
        require_inputs(tiny.plan())


def test_what_a_run_does_not_want_is_left_out_and_its_readers_do_without(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = tiny.order[1]
    monkeypatch.setattr(total, "wanted", lambda config: config.judge.lr > 0, raising=False)
    tiny.config.judge.lr = 0.0
    results = {result.planned.name: result for result in tiny.run()}
    assert list(results) == ["numbers", "report"]
    assert list(results["report"].planned.inputs) == ["numbers"]


def test_a_selection_that_is_cached_needs_no_inputs(tiny: Any, tmp_path: Path) -> None:
    tiny.run()
    shutil.rmtree(tmp_path / "artifacts" / "numbers")
    tiny.config.stages = ["report"]
    require_inputs(tiny.plan())
    assert cached(tiny.run()) == {"report": True}


def test_every_metric_is_in_the_local_record_of_fresh_and_cached_runs(
    tiny: Any, tmp_path: Path
) -> None:
    record = tmp_path / "run" / "metrics.jsonl"

    def recorded() -> set[tuple[str, float, int | None]]:
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        return {(line["metric"], line["value"], line["step"]) for line in lines}

    tiny.run()
    assert recorded() == {
        ("numbers/count", 3.0, None),
        ("total/loss", 1.0, 0),
        ("total/loss", 0.0, 1),
    }
    record.unlink()
    tiny.run()
    assert recorded() == {("numbers/count", 3.0, None), ("total/loss", 0.0, None)}
