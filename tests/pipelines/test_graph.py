"""The graph: stages are found by listing a package and ordered by what they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from judge_lightning.errors import UserError
from pipelines.graph import (
    GraphError,
    discover_stages,
    ordered_stages,
    selected_names,
    stages_of_pipeline,
)
from pipelines.stage import Stage

MODULE = """
from pipelines.stage import Stage

class Made(Stage):
    name = "{name}"

    def settings(self, config):
        return {{}}

    def run(self, context):
        pass

STAGE = Made()
"""


def stage(stage_name: str, *needs: str) -> Stage:
    class Made(Stage):
        name = stage_name
        reads = needs

        def settings(self, config: object) -> dict[str, object]:
            return {}

        def run(self, context: object) -> None:
            return None

    return Made()


def stages(**reads: str) -> dict[str, Stage]:
    return {name: stage(name, *needs.split()) for name, needs in reads.items()}


def test_a_stage_runs_after_all_that_it_reads() -> None:
    graph = stages(report="decode train", decode="train prompts", train="prompts", prompts="")
    order = [stage.name for stage in ordered_stages(graph, "report")]
    assert order == ["prompts", "train", "decode", "report"]


def test_what_the_final_stage_does_not_need_is_left_out() -> None:
    graph = stages(report="mine", mine="", pretrain="")
    assert [stage.name for stage in ordered_stages(graph, "report")] == ["mine", "report"]


def test_what_is_needed_by_nothing_but_a_stage_that_is_left_out_goes_with_it() -> None:
    graph = stages(report="decode mine", decode="baseline mine", baseline="mine", mine="")
    order = ordered_stages(graph, "report", without=frozenset({"decode"}))
    assert [stage.name for stage in order] == ["mine", "report"]


def test_a_circle_is_refused_and_named() -> None:
    with pytest.raises(GraphError, match="a -> b -> a"):
        ordered_stages(stages(a="b", b="a"), "a")


def test_a_missing_stage_is_refused_and_named() -> None:
    with pytest.raises(GraphError, match="report needs mine"):
        ordered_stages(stages(report="mine"), "report")


def test_a_new_file_in_the_package_is_a_new_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "found_stages"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("first", "second"):
        (package / f"{name}.py").write_text(MODULE.format(name=name))
    monkeypatch.syspath_prepend(tmp_path)
    assert set(discover_stages("found_stages")) == {"first", "second"}


@pytest.mark.parametrize("content", ["", MODULE.format(name="other")])
def test_a_file_without_a_stage_of_its_name_is_refused(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / f"bad_stages_{len(content)}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "mine.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GraphError, match="mine"):
        discover_stages(package.name)


def test_the_judge_pipeline_goes_from_prompts_to_report() -> None:
    order = [stage.name for stage in stages_of_pipeline("judge", discover_stages())]
    assert order == [
        "prompts",
        "mine",
        "annotate",
        "dataset",
        "embed",
        "train",
        "calibrate",
        "trials",
        "certify",
        "baseline",
        "decode",
        "speed",
        "evaluate",
        "mt_answers",
        "mt_bench",
        "acceptance",
        "safety",
        "report",
    ]


def test_the_acceptance_pipeline_decodes_nothing() -> None:
    order = [stage.name for stage in stages_of_pipeline("acceptance", discover_stages())]
    unused = {"baseline", "decode", "speed", "evaluate", "mt_answers", "mt_bench", "safety"}
    assert not unused & set(order)
    assert order[-2:] == ["acceptance", "report"]


def test_the_safety_pipeline_ends_when_the_judge_was_asked() -> None:
    order = [stage.name for stage in stages_of_pipeline("safety", discover_stages())]
    assert order[-1] == "safety"
    assert not {"baseline", "decode", "acceptance", "report"} & set(order)


def test_an_unknown_pipeline_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="judge, court, acceptance, safety, pretrain"):
        stages_of_pipeline("train", {})


def test_a_selection_keeps_the_order_of_the_graph() -> None:
    order = ordered_stages(stages(report="mine", mine=""), "report")
    assert selected_names(["report", "mine"], order) == ["mine", "report"]
    assert selected_names(None, order) == ["mine", "report"]


@pytest.mark.parametrize("requested", [["mien"], []])
def test_a_selection_without_such_a_stage_names_those_there_are(requested: list[str]) -> None:
    order = ordered_stages(stages(report="mine", mine=""), "report")
    with pytest.raises(UserError, match="mine, report"):
        selected_names(requested, order)
