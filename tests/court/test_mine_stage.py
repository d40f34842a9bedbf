"""The stage mine with every kind of author: what it writes, keeps, counts and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.court.records import Answer, Prompt, read_records, write_records
from judge_lightning.court.rejects import read_rejected
from judge_lightning.errors import UserError
from pipelines import drafting
from pipelines.config import ChatConfig, DrafterConfig, ModelConfig, PairConfig, RunConfig
from pipelines.stage import QuietRecorder, StageContext
from pipelines.stages import mine
from pipelines.workloads import writing_roles

T = TypeVar("T")
KEY = "sk-secret-0123456789"
COUNT = 10


@pytest.fixture
def config(
    tmp_path: Path,
    tiny_llama: Callable[[int], LlamaForCausalLM],
    byte_tokenizer: PreTrainedTokenizerFast,
) -> RunConfig:
    """Ten prompts for the court in stretches of four, one held out, and nobody who answers."""
    for name, seed in (("target", 0), ("draft", 1)):
        tiny_llama(seed).save_pretrained(tmp_path / "pair" / name)
        byte_tokenizer.save_pretrained(tmp_path / "pair" / name)
    prompts = [
        Prompt(f"p{n}", f"say {n}", f"so {n}", "f", "train", {"checker": "final_number"})
        for n in range(COUNT)
    ]
    prompts.insert(3, replace(prompts[0], id="held", text="say no", split="eval"))
    (tmp_path / "prompts").mkdir()
    write_records(tmp_path / "prompts" / "prompts.jsonl", prompts)
    config = RunConfig(exp="test")
    paths = (str(tmp_path / "pair" / name) for name in ("target", "draft"))
    config.pair = PairConfig("tiny", *(ModelConfig(path) for path in paths))
    config.mine.shard_size, config.mine.max_new_tokens = 4, 6
    config.mine.target_answers = False
    config.engine.device = "cpu"
    config.data.name = "test"
    return config


@pytest.fixture
def endpoint(server: Any, monkeypatch: pytest.MonkeyPatch) -> DrafterConfig:
    monkeypatch.setenv("COURT_TEST_KEY", KEY)
    chat = ChatConfig(
        model="m", base_url=server.base_url, api_key_env="COURT_TEST_KEY", retries=0,
        prompt_price=1.0, completion_price=2.0,
    )  # fmt: skip
    return DrafterConfig(kind="endpoint", endpoint=chat)


@pytest.fixture
def text(tmp_path: Path) -> DrafterConfig:
    """One right and one wrong answer to every prompt, and one to a prompt that nobody asks."""
    rows = [{"prompt": f"say {n}", "answer": [f"it is {n}", "it is 99"]} for n in range(COUNT)]
    rows.append({"prompt": "say what", "answer": ["it is 1"]})
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DrafterConfig(kind="text", path=str(path))


def run(config: RunConfig, root: Path) -> QuietRecorder:
    work = root / "mine"
    work.mkdir(exist_ok=True)
    metrics = QuietRecorder()
    mine.STAGE.validate(config)
    mine.STAGE.run(StageContext(config, {"prompts": root / "prompts"}, work, metrics))
    return metrics


def answers(root: Path, author: str) -> list[Answer]:
    paths = sorted((root / "mine").glob(f"answers-{author}-*.jsonl"))
    return [answer for path in paths for answer in read_records(path, Answer)]


def statistics(root: Path) -> Any:
    return json.loads((root / "mine" / "statistics.json").read_text())


def refuse_to_load(*arguments: Any) -> None:
    raise AssertionError("a model was loaded")


def test_several_authors_feed_one_court(
    config: RunConfig, endpoint: DrafterConfig, text: DrafterConfig, tmp_path: Path
) -> None:
    config.mine.drafters = {
        "draft": DrafterConfig(temperature=1.0, samples=2), "served": endpoint, "log": text,
    }  # fmt: skip
    config.mine.target_answers = config.mine.reference_answers = True
    config.data.max_rejected = 1.0

    metrics = run(config, tmp_path)

    assert metrics.shown == [(15, 0)]
    assert [answer.text for answer in answers(tmp_path, "served")] == [str(n) for n in range(COUNT)]
    assert all(answer.right for answer in answers(tmp_path, "served"))
    assert [(one.sample, one.right) for one in answers(tmp_path, "log")] == [
        (0, True), (1, False),
    ] * COUNT  # fmt: skip
    assert [one.text for one in answers(tmp_path, "reference")] == [f"so {n}" for n in range(COUNT)]
    counted = statistics(tmp_path)
    assert counted["answers"]["log"] == 2 * COUNT
    assert counted["unused"] == {"log": {"no such prompt": 1}}
    assert counted["prompts"] == COUNT
    assert counted["tuples"] == metrics.values["tuples"] >= COUNT


def test_stretches_are_the_same_for_every_author(
    config: RunConfig, endpoint: DrafterConfig, text: DrafterConfig, tmp_path: Path
) -> None:
    config.mine.drafters = {"served": endpoint, "log": text}
    run(config, tmp_path)

    for number, ids in enumerate((("p0", "p3"), ("p4", "p7"), ("p8", "p9"))):
        for author in ("served", "log"):
            path = tmp_path / "mine" / f"answers-{author}-{number:05d}.jsonl"
            said = list(read_records(path, Answer))
            assert (said[0].prompt_id, said[-1].prompt_id) == ids


def test_without_local_authors_no_model_is_loaded(
    config: RunConfig, text: DrafterConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting, "open_text_model", refuse_to_load)
    config.mine.drafters = {"log": text}
    config.mine.reference_answers = True

    assert run(config, tmp_path).values["tuples"] == COUNT
    assert writing_roles(config) == set()


def test_requests_tokens_and_cost_are_counted(
    config: RunConfig, endpoint: DrafterConfig, tmp_path: Path
) -> None:
    config.mine.drafters = {"served": endpoint}

    metrics = run(config, tmp_path)

    assert metrics.values["requests"] == COUNT
    assert metrics.values["completion_tokens"] == 2 * COUNT
    assert metrics.values["cost"] == pytest.approx(COUNT * (3 * 1 + 2 * 2) / 1e6)
    assert statistics(tmp_path)["endpoints"]["served"]["prompt_tokens"] == 3 * COUNT


def test_a_killed_stage_asks_only_for_what_it_did_not_hear(
    config: RunConfig, endpoint: DrafterConfig, server: Any, tmp_path: Path
) -> None:
    config.mine.drafters = {"served": endpoint}
    whole = run(config, tmp_path)
    work = tmp_path / "mine"
    files = {path.name: path.read_bytes() for path in work.glob("*.json*")}
    # As a kill within the second stretch leaves it: five completions and half of one.
    journal = work / "scratch" / "completions-served.jsonl"
    lines = sorted(journal.read_text().splitlines(keepends=True))
    journal.write_text("".join(lines[:5]) + lines[5][:20])
    for name in ("answers-served-00001.jsonl", "answers-served-00002.jsonl", "statistics.json"):
        (work / name).unlink()
    server.requests.clear()

    again = run(config, tmp_path)

    assert {path.name: path.read_bytes() for path in work.glob("*.json*")} == files
    assert again.shown == [(3, 1)]
    assert 0 < len(server.requests) <= 5
    assert again.values["cost"] == whole.values["cost"]


def test_an_endpoints_failures_are_kept_aside_and_asked_again_next_time(
    config: RunConfig, endpoint: DrafterConfig, server: Any, tmp_path: Path
) -> None:
    path = tmp_path / "prompts" / "prompts.jsonl"
    prompts = list(read_records(path, Prompt))
    prompts[-1] = replace(prompts[-1], text="500, say 9")
    write_records(path, prompts)
    config.mine.drafters = {"served": endpoint}

    with pytest.raises(UserError, match="1 of 10 records cannot be used") as error:
        run(config, tmp_path)

    assert error.value.field == "mine.drafters"
    [rejected] = read_rejected(tmp_path / "mine" / "rejected-served-00002.jsonl")
    assert (rejected.place, rejected.reason) == ("p9:served:0", "server error")
    assert statistics(tmp_path)["rejected"] == {"served": {"server error": 1}}
    server.requests.clear()

    metrics = run(config, tmp_path)

    assert len(server.requests) == 1
    assert metrics.values["rejected"] == 0
    assert not (tmp_path / "mine" / "rejected-served-00002.jsonl").exists()


def test_a_small_share_of_rejected_answers_is_named_and_the_run_goes_on(
    config: RunConfig, text: DrafterConfig, tmp_path: Path
) -> None:
    with Path(str(text.path)).open("ab") as file:
        file.write(b'{"prompt": "say 1", "answ\n')
        file.write(b'{"prompt": "say 1", "answer": " "}\n')
    config.mine.drafters = {"log": text}
    config.data.max_rejected = 0.1

    metrics = run(config, tmp_path)

    assert metrics.values["rejected"] == 2
    assert metrics.values["rejected_not_JSON"] == metrics.values["rejected_empty_answer"] == 1
    [line] = read_rejected(tmp_path / "mine" / "rejected-log-file.jsonl")
    assert line.place == "answers.jsonl:12"
    [answer] = read_rejected(tmp_path / "mine" / "rejected-log-00000.jsonl")
    assert answer.place == "answers.jsonl:13:2"


def test_a_file_of_other_prompts_is_refused(
    config: RunConfig, text: DrafterConfig, tmp_path: Path
) -> None:
    config.mine.drafters = {"log": replace(text, prompt_field="answer")}

    with pytest.raises(UserError, match="answers none of the court's 10 prompts"):
        run(config, tmp_path)


def test_an_endpoint_that_nobody_answers_is_found_before_a_model_is_loaded(
    config: RunConfig, endpoint: DrafterConfig, server: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(drafting, "open_text_model", refuse_to_load)
    server.close()
    config.mine.drafters = {"draft": DrafterConfig(), "served": endpoint}

    with pytest.raises(UserError, match="does not answer") as error:
        run(config, tmp_path)

    assert error.value.field == "mine.drafters.served.endpoint.base_url"


def test_the_key_is_in_no_file_and_no_setting(
    config: RunConfig, endpoint: DrafterConfig, tmp_path: Path
) -> None:
    path = tmp_path / "prompts" / "prompts.jsonl"
    prompts = list(read_records(path, Prompt))
    prompts[-1] = replace(prompts[-1], text="echo the key")
    write_records(path, prompts)
    config.mine.drafters = {"served": endpoint}
    config.data.max_rejected = 1.0

    run(config, tmp_path)

    for file in (tmp_path / "mine").rglob("*"):
        assert not file.is_file() or KEY not in file.read_text()
    assert KEY not in json.dumps(mine.STAGE.settings(config)) + str(config)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("base_url", None, "is missing"),
        ("base_url", "localhost:8000", "is no address"),
        ("base_url", "http://host:port/v1", "is no address"),
        ("base_url", f"https://me:{KEY}@host/v1", "carries more than an address"),
        ("base_url", f"https://host/v1?key={KEY}", "carries more than an address"),
        ("api_key_env", "UNSET_COURT_TEST_KEY", "UNSET_COURT_TEST_KEY is not set"),
        ("api_key_env", KEY, "is no name of an environment variable"),
        ("model", "target", "is missing"),
        ("concurrency", 0, "is 0"),
        ("retries", -1, "is -1"),
        ("timeout_seconds", 0.0, "is 0"),
        ("prompt_price", -1.0, "is negative"),
    ],
)
def test_a_wrong_endpoint_is_refused_before_any_work(
    config: RunConfig, endpoint: DrafterConfig, field: str, value: Any, problem: str
) -> None:
    assert endpoint.endpoint is not None
    wrong = replace(endpoint, endpoint=replace(endpoint.endpoint, **{field: value}))
    config.mine.drafters = {"served": wrong}

    with pytest.raises(UserError) as error:
        mine.STAGE.validate(config)

    assert error.value.field == f"mine.drafters.served.endpoint.{field}"
    assert problem in error.value.problem
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("drafter", "field"),
    [
        (DrafterConfig(kind="oral"), "kind"),
        (DrafterConfig(kind="endpoint"), "endpoint"),
        (DrafterConfig(kind="text"), "path"),
        (DrafterConfig(kind="text", path="nowhere.jsonl"), "path"),
        (DrafterConfig(kind="text", path=__file__, samples=3), "samples"),
        (DrafterConfig(kind="text", path=__file__, temperature=1.0), "temperature"),
        (DrafterConfig(samples=2), "samples"),
        (DrafterConfig(samples=0), "samples"),
        (DrafterConfig(temperature=-1.0), "temperature"),
    ],
)
def test_a_wrong_drafter_is_refused_before_any_work(
    config: RunConfig, drafter: DrafterConfig, field: str
) -> None:
    config.mine.drafters = {"one": drafter}

    with pytest.raises(UserError) as error:
        mine.STAGE.validate(config)

    assert error.value.field == f"mine.drafters.one.{field}"


@pytest.mark.parametrize(
    ("field", "value", "changes"),
    [
        ("model", "other", True),
        ("base_url", "http://elsewhere/v1", False),
        ("api_key_env", "OTHER", False),
        ("concurrency", 1, False),
        ("retries", 1, False),
        ("timeout_seconds", 1.0, False),
        ("prompt_price", 9.0, False),
        ("completion_price", 9.0, False),
    ],
)
def test_an_endpoint_is_identified_by_the_model_that_it_serves(
    config: RunConfig, endpoint: DrafterConfig, field: str, value: Any, changes: bool
) -> None:
    assert endpoint.endpoint is not None
    config.mine.drafters = {"served": endpoint}
    before = mine.STAGE.settings(config)
    changed = replace(endpoint, endpoint=replace(endpoint.endpoint, **{field: value}))
    config.mine.drafters = {"served": changed}

    assert (mine.STAGE.settings(config) != before) == changes


def test_a_text_is_identified_by_its_content(
    config: RunConfig, text: DrafterConfig, tmp_path: Path
) -> None:
    config.mine.drafters = {"log": text}
    before = mine.STAGE.settings(config)
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(Path(str(text.path)).read_bytes())
    config.mine.drafters = {"log": replace(text, path=str(moved))}
    assert mine.STAGE.settings(config) == before

    moved.write_text('{"prompt": "say 1", "answer": "1"}\n')

    assert mine.STAGE.settings(config) != before
