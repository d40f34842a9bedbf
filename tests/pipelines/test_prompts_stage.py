"""The prompts stage: its files, its metrics, and what is in its key."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hydra import compose, initialize_config_dir

from judge_lightning.court.records import Prompt, read_records
from judge_lightning.court.rejects import read_rejected
from judge_lightning.court.sources import Source
from judge_lightning.errors import UserError
from pipelines.composition import typed_config
from pipelines.config import FilterConfig, RunConfig, SourceConfig, register_schemas
from pipelines.stage import QuietRecorder, StageContext
from pipelines.stages.prompts import STAGE

T = TypeVar("T")
CONF = Path(__file__).parents[2] / "conf"
GROUPS = sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
LONG = " ".join(f"word{n}" for n in range(20))


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """Five questions of the user's, one line that is none, and a held-out question."""
    texts = ["How many?", "how many", f"So {LONG}", f"{LONG}, and so on", "Why?", "What if?"]
    lines = [json.dumps({"prompt": text, "reference": "1"}) for text in texts]
    (tmp_path / "own.jsonl").write_text("\n".join([*lines, "{broken"]))
    (tmp_path / "test.jsonl").write_text(
        json.dumps({"prompt": "How much is it then?", "reference": "1"})
    )
    config = RunConfig(exp="test")
    config.data.name = "test"
    config.data.sources = {
        "own": SourceConfig("jsonl", "own", path=str(tmp_path / "own.jsonl")),
        "test": SourceConfig("jsonl", "own", path=str(tmp_path / "test.jsonl"), split="eval"),
    }
    config.data.shares = {"train": 0.5, "validation": 0.5}
    config.data.filters = FilterConfig(near_duplicates=0.6, minimum_characters=5)
    config.data.max_rejected = 0.2
    return config


def test_the_stage_writes_prompts_and_what_was_left_out_with_its_reason(
    config: RunConfig, tmp_path: Path
) -> None:
    work, metrics = tmp_path / "work", QuietRecorder()
    work.mkdir()
    STAGE.validate(config)

    STAGE.run(StageContext(config, {}, work, metrics))

    prompts = list(read_records(work / "prompts.jsonl", Prompt))
    statistics = json.loads((work / "statistics.json").read_text())
    assert [prompt.text for prompt in prompts if prompt.split != "eval"] == [
        "How many?",
        f"So {LONG}",
        "What if?",
    ]
    assert [each.reason for each in read_rejected(work / "rejected.jsonl")] == ["not JSON"]
    assert [each.reason for each in read_rejected(work / "filtered.jsonl")] == [
        "duplicate",
        "near duplicate",
        "too short",
    ]
    assert statistics["prompts"] == metrics.values["prompts"] == 4
    assert metrics.values["eval_prompts"] == 1
    assert metrics.values["filtered"] == 3
    assert metrics.values["filtered_near_duplicate"] == 1
    assert metrics.values["filtered_near_duplicate_own"] == 1
    assert metrics.values["rejected_not_json_own"] == 1


def test_too_many_unusable_lines_end_the_stage_and_stay_readable(
    config: RunConfig, tmp_path: Path
) -> None:
    config.data.max_rejected = 0.1
    work = tmp_path / "work"
    work.mkdir()

    with pytest.raises(UserError, match="1 of 7 records"):
        STAGE.run(StageContext(config, {}, work, QuietRecorder()))

    assert len(list(read_rejected(work / "rejected.jsonl"))) == 1


def test_filters_and_the_content_of_files_are_in_the_key_but_not_their_folder(
    config: RunConfig, tmp_path: Path
) -> None:
    def key() -> str:
        return json.dumps(STAGE.settings(config), sort_keys=True)

    before = key()
    own = Path(config.data.sources["own"].path or "")
    (tmp_path / "elsewhere").mkdir()
    moved = own.rename(tmp_path / "elsewhere" / own.name)
    config.data.sources["own"].path = str(moved)
    assert key() == before

    config.data.max_rejected = 0.5
    assert key() == before

    config.data.filters.near_duplicates = 0.7
    filtered = key()
    assert filtered != before

    moved.write_text(moved.read_text().replace("Why?", "Who?"))
    assert key() != filtered


def test_a_folder_read_like_a_data_set_of_the_hub_counts_with_its_content(
    config: RunConfig, tmp_path: Path
) -> None:
    own = config.data.sources["own"]
    own.path, own.hub = None, str(tmp_path)
    before = STAGE.settings(config)

    (tmp_path / "test.jsonl").write_text("{}")

    assert STAGE.settings(config) != before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data.max_rejected", 1.5),
        ("data.sources", {}),
        ("data.shares", {"train": 0.5}),
        ("data.filters.ngram", 0),
        ("data.filters.decontaminate", ["own"]),
    ],
)
def test_a_wrong_value_is_refused_before_any_work(
    config: RunConfig, field: str, value: Any
) -> None:
    *group, name = field.split(".")
    holder: Any = config
    for each in group:
        holder = getattr(holder, each)
    setattr(holder, name, value)

    with pytest.raises(UserError) as error:
        STAGE.validate(config)

    assert error.value.field == field


@pytest.mark.parametrize("group", GROUPS)
def test_every_data_group_composes_and_names_a_place_for_every_source(
    group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("gsm8k_train", "gsm8k_test", "mt_bench_questions", "spec_bench_sample")
    for name in names:
        (tmp_path / f"{name}.jsonl").write_text("{}\n")
    (tmp_path / "HumanEval.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))
    monkeypatch.setenv("JUDGE_DATA_DIR", str(tmp_path))
    overrides = [f"data.sources.own.path={tmp_path}/gsm8k_test.jsonl"] if group == "jsonl" else []
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = typed_config(compose("config", ["+exp=quickstart", f"data={group}", *overrides]))

    STAGE.validate(config)

    assert config.data.name == group
    assert STAGE.settings(config)


def test_a_source_has_a_setting_for_all_that_a_user_may_choose() -> None:
    assert set(Source.__dataclass_fields__) - {"name"} == set(SourceConfig.__dataclass_fields__)
