"""The stages prompts to calibrate on a tiny pair: what they write, and what they refuse."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.court.records import Answer, Prompt, write_records
from judge_lightning.court.rejects import Rejected, read_rejected, write_rejected
from judge_lightning.court.stretches import answers_file, read_stretches
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.micro.grammar import render
from judge_lightning.micro.world import problem
from judge_lightning.models.fingerprint import fingerprint
from pipelines.config import DrafterConfig, ModelConfig, PairConfig, RunConfig, SourceConfig
from pipelines.stage import QuietRecorder, Stage, StageContext
from pipelines.stages import annotate, calibrate, dataset, embed, mine, prompts, train

T = TypeVar("T")
COUNT = 40


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_llama: Callable[[int], LlamaForCausalLM],
    byte_tokenizer: PreTrainedTokenizerFast,
) -> RunConfig:
    """Forty word problems for the court, and a random pair."""
    root = tmp_path_factory.mktemp("pair")
    for name, seed in (("target", 0), ("draft", 1)):
        tiny_llama(seed).save_pretrained(root / name)
        byte_tokenizer.save_pretrained(root / name)
    config = RunConfig(exp="test")
    config.pair = PairConfig(
        "tiny", ModelConfig(str(root / "target")), ModelConfig(str(root / "draft"))
    )
    config.data.name = "test"
    config.data.shares = {"train": 0.5, "validation": 0.25, "calibration": 0.25}
    config.data.sources = {
        "word": SourceConfig("micro", "word", count=COUNT),
        "code": SourceConfig("micro", "code", split="eval", count=5),
    }
    config.mine.drafters = {"draft": DrafterConfig(model="draft", temperature=1.0)}
    config.mine.max_new_tokens, config.mine.shard_size = 3, 15
    config.annotate.name = "oracle"
    config.embed.shard_tokens = 2000
    config.judge.lr, config.judge.max_epochs = 0.01, 2
    config.engine.device = "cpu"
    return config


def run(stage: Stage, config: RunConfig, root: Path) -> QuietRecorder:
    work = root / stage.name
    work.mkdir(exist_ok=True)
    metrics = QuietRecorder()
    inputs = {name: root / name for name in stage.reads}
    stage.validate(config)
    stage.run(StageContext(config, inputs, work, metrics))
    return metrics


def both(
    prompt: Prompt, rng: random.Random, tokenizer: PreTrainedTokenizerFast
) -> Iterator[Answer]:
    """A right and a wrong answer to a word problem."""
    question = problem("word", prompt.meta["index"])
    words = render(question.answers, lambda choice: rng.randrange(len(choice.options)))
    wrong = [*words[:-2], " 7777", words[-1]]
    for author, said, right in (("target", words, True), ("draft", wrong, False)):
        text = "".join(said)
        ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        yield Answer(prompt.id, author, 0, text, ids, True, right)


@pytest.fixture(scope="module")
def court(
    config: RunConfig,
    tmp_path_factory: pytest.TempPathFactory,
    byte_tokenizer: PreTrainedTokenizerFast,
) -> Path:
    """A folder with the artifacts of prompts, and of mine as a better pair would write it."""
    root = tmp_path_factory.mktemp("court")
    run(prompts.STAGE, config, root)
    rng = random.Random(0)
    (root / "mine").mkdir()
    stretches = read_stretches(root / "prompts" / "prompts.jsonl", config.mine.shard_size)
    for stretch in stretches:
        answers = [
            answer for prompt in stretch.prompts for answer in both(prompt, rng, byte_tokenizer)
        ]
        write_records(root / "mine" / answers_file("both", stretch.number), answers)
    statistics = {"prompts": COUNT, "tuples": COUNT, "answers": {"both": 2 * COUNT}}
    statistics |= {"accuracy": {"both": 0.5}, "rejected": {}}
    (root / "mine" / "statistics.json").write_text(json.dumps(statistics))
    return root


def test_prompts_are_split_and_counted(court: Path, config: RunConfig) -> None:
    statistics = json.loads((court / "prompts" / "statistics.json").read_text())

    assert statistics["splits"]["eval"] == 5
    assert sum(statistics["splits"].values()) == COUNT + 5
    assert set(statistics["families"]) == {"word", "code"}


def test_mined_shards_survive_a_kill_and_end_the_same(
    court: Path, config: RunConfig, tmp_path: Path
) -> None:
    (tmp_path / "prompts").symlink_to(court / "prompts")
    whole = run(mine.STAGE, config, tmp_path)
    files = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    for name in ("answers-draft-00001.jsonl", "answers-target-00002.jsonl", "statistics.json"):
        (tmp_path / "mine" / name).unlink()

    again = run(mine.STAGE, config, tmp_path)

    assert {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()} == files
    assert whole.shown == [(6, 0)]
    assert again.shown == [(6, 4)]
    assert again.values["accuracy_target"] == 0.0


def test_annotated_stretches_survive_a_kill_and_end_the_same(
    court: Path, config: RunConfig, tmp_path: Path
) -> None:
    for stage in ("prompts", "mine"):
        (tmp_path / stage).symlink_to(court / stage)
    run(annotate.STAGE, config, tmp_path)
    files = {path.name: path.read_bytes() for path in (tmp_path / "annotate").iterdir()}
    assert len([name for name in files if name.endswith(".parquet")]) == 3
    kept = tmp_path / "annotate" / "tuples-00000.parquet"
    written = kept.stat().st_mtime_ns
    # Killed between a stretch's table and its facts, and before the next stretch.
    for name in ("stretch-00001.json", "stretch-00002.json", "tuples-00002.parquet"):
        (tmp_path / "annotate" / name).unlink()

    run(annotate.STAGE, config, tmp_path)

    assert {path.name: path.read_bytes() for path in (tmp_path / "annotate").iterdir()} == files
    assert kept.stat().st_mtime_ns == written


def test_guarded_continuations_are_merged_as_mistakes(
    court: Path, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in ("prompts", "mine"):
        (tmp_path / stage).symlink_to(court / stage)
    lines = [
        json.dumps(
            {"prompt": f"How do I {what}?", "continuation": "Like this.", "category": "rude"}
        )
        for what in "abcdefghijklmnopqrstuvwxyz"
    ]
    (tmp_path / "guarded.jsonl").write_text("\n".join([*lines, "{no json"]) + "\n")
    monkeypatch.setattr(config.dataset, "guarded", str(tmp_path / "guarded.jsonl"))
    run(annotate.STAGE, config, tmp_path)

    collected = run(dataset.STAGE, config, tmp_path)
    embedded = run(embed.STAGE, config, tmp_path)

    statistics = json.loads((tmp_path / "dataset" / "statistics.json").read_text())
    assert statistics["drafters"]["guarded"] == 26
    assert statistics["families"]["guarded:rude"] == 26
    assert statistics["rejected"] == {"not JSON": 1}
    assert collected.values["mistake_tokens"] >= 26 * len("Like this.")
    assert embedded.values["mistake_tokens"] == collected.values["mistake_tokens"]
    assert "guarded" in (tmp_path / "dataset" / "README.md").read_text()


def test_what_no_stage_could_use_lies_in_one_file_and_is_counted_from_it(
    court: Path, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("prompts", "mine"):
        shutil.copytree(court / name, tmp_path / name)
    run(annotate.STAGE, config, tmp_path)
    guarded = tmp_path / "guarded.jsonl"
    good = {"prompt": "How do I do this?", "continuation": "Like this.", "category": "rude"}
    guarded.write_text(json.dumps(good) + "\n{no json\n")
    monkeypatch.setattr(config.dataset, "guarded", str(guarded))
    monkeypatch.setattr(config.data, "max_rejected", 0.5)
    places = ("prompts/rejected.jsonl", "mine/rejected-log-00000.jsonl", "annotate/rejected.jsonl")
    for number, place in enumerate(places):
        write_rejected(tmp_path / place, [Rejected(f"line {number}", f"reason {number}")])

    run(dataset.STAGE, config, tmp_path)

    kept = [one.reason for one in read_rejected(tmp_path / "dataset" / "rejected.jsonl")]
    statistics = json.loads((tmp_path / "dataset" / "statistics.json").read_text())
    assert kept == ["reason 0", "reason 1", "reason 2", "not JSON"]
    assert statistics["rejected"] == dict.fromkeys(kept, 1)


def test_too_few_tuples_are_refused_with_a_remedy(
    court: Path, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompts").symlink_to(court / "prompts")
    monkeypatch.setattr(config.mine, "minimum_tuples", 10)

    with pytest.raises(UserError, match="0 were found") as error:
        run(mine.STAGE, config, tmp_path)

    assert error.value.field == "mine.minimum_tuples"


def test_the_chain_ends_in_a_judge_for_this_target(court: Path, config: RunConfig) -> None:
    annotated = run(annotate.STAGE, config, court)
    collected = run(dataset.STAGE, config, court)
    embedded = run(embed.STAGE, config, court)
    trained = run(train.STAGE, config, court)
    calibrated = run(calibrate.STAGE, config, court)

    assert annotated.values["tuples"] == collected.values["tuples"] == COUNT
    assert collected.values["tokens"] == embedded.values["tokens"]
    assert len(json.loads((court / "train" / "layers.json").read_text())) == 2
    target = fingerprint(config.pair.target.path)
    head = JudgeHead.from_pretrained(court / "calibrate" / "judge", expected_target=target)
    assert head.config.layer == trained.values["layer"] == calibrated.values["layer"]
    assert head.config.calibration["mistakes"] == calibrated.values["mistakes"] > 0
    assert len((court / "calibrate" / "operating_curve.jsonl").read_text().splitlines()) == 101


@pytest.mark.parametrize(
    ("stage", "field", "value"),
    [
        (calibrate.STAGE, "judge.layer", 2),
        (calibrate.STAGE, "judge.layer", -3),
        (train.STAGE, "judge.lr", 0.0),
        (train.STAGE, "judge.threshold", 1.5),
        (train.STAGE, "judge.processes", 0),
        (embed.STAGE, "embed.dtype", "int4"),
        (annotate.STAGE, "annotate.name", "intuition"),
        (annotate.STAGE, "annotate.after_mistake", "maybe"),
        (dataset.STAGE, "dataset.maximum_tuples", -1),
        (dataset.STAGE, "dataset.guarded", "no_such_file.jsonl"),
        (calibrate.STAGE, "calibrate.rule", "best"),
        (calibrate.STAGE, "calibrate.recall", 1.0),
        (calibrate.STAGE, "calibrate.alpha", 0.0),
        (calibrate.STAGE, "calibrate.alpha", 1.5),
        # Of forty prompts about ten are for the calibration; 149 are needed.
        (calibrate.STAGE, "calibrate.alpha", 0.02),
        (mine.STAGE, "mine.shard_size", 0),
        (mine.STAGE, "mine.drafters", {}),
        (prompts.STAGE, "data.sources", {}),
    ],
)
def test_a_wrong_value_is_refused_before_any_work(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, stage: Stage, field: str, value: Any
) -> None:
    group, name = field.split(".")
    monkeypatch.setattr(getattr(config, group), name, value)

    with pytest.raises(UserError) as error:
        stage.validate(config)

    assert error.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mine.batch_size", 7),
        ("embed.batch_size", 7),
        ("judge.processes", 2),
        ("engine.device", "cuda"),
    ],
)
def test_what_cannot_change_a_result_is_in_no_settings(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, field: str, value: Any
) -> None:
    stages = (prompts, mine, annotate, dataset, embed, train, calibrate)
    before = [module.STAGE.settings(config) for module in stages]
    group, name = field.split(".")
    monkeypatch.setattr(getattr(config, group), name, value)

    assert [module.STAGE.settings(config) for module in stages] == before


def test_a_learning_rate_changes_the_settings_of_train_alone(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = (prompts, mine, annotate, dataset, embed, train, calibrate)
    before = [module.STAGE.settings(config) for module in stages]
    monkeypatch.setattr(config.judge, "lr", 0.5)

    changed = [
        module.STAGE.name
        for module, settings in zip(stages, before, strict=True)
        if module.STAGE.settings(config) != settings
    ]

    assert changed == ["train"]


HEADS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": 4},
    "layers": {"layers": [-1, 0]},
    "autojudge": {"layer": -1},
}


@pytest.mark.parametrize("head", HEADS)
def test_the_chain_ends_in_a_judge_of_the_kind_that_is_asked_for(
    court: Path, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    for stage in ("prompts", "mine"):
        (tmp_path / stage).symlink_to(court / stage)
    monkeypatch.setattr(config.judge, "head", head)
    monkeypatch.setattr(config.judge, "options", HEADS[head])
    for module in (annotate, dataset, embed):
        run(module.STAGE, config, tmp_path)
    trained = run(train.STAGE, config, tmp_path)
    calibrated = run(calibrate.STAGE, config, tmp_path)

    judge = JudgeHead.from_pretrained(
        tmp_path / "calibrate" / "judge",
        expected_target=fingerprint(config.pair.target.path),
        expected_draft=fingerprint(config.pair.draft.path),
    )
    assert judge.config.kind == head
    assert judge.layers_read == ((0, 1) if head == "layers" else (calibrated.values["layer"],))
    assert trained.values["parameters"] == judge.parameters_count
    numbers = json.loads((tmp_path / "calibrate" / "calibration.json").read_text())
    assert (numbers["head"], numbers["parameters"]) == (head, judge.parameters_count)
    assert len(json.loads((tmp_path / "train" / "layers.json").read_text())) == (
        2 if head == "mlp" else 1
    )


@pytest.mark.parametrize(
    ("judge", "field"),
    [
        ({"head": "intuition"}, "judge.head"),
        ({"head": "mlp", "options": {"hidden": -3}}, "judge.options.hidden"),
        ({"head": "mlp", "options": {"units": 3}}, "judge.options.units"),
        ({"head": "linear", "options": {"hidden": 3}}, "judge.options.hidden"),
        ({"head": "layers", "options": {"layers": [-1, 2]}}, "judge.options.layers"),
        ({"head": "layers", "options": {"layers": [-1, 0]}, "layer": 0}, "judge.layer"),
        ({"head": "autojudge", "layer": 0}, "judge.layer"),
        ({"head": "autojudge", "options": {"layer": 2}}, "judge.options.layer"),
    ],
)
def test_a_head_that_cannot_be_is_refused_before_any_work(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, judge: dict[str, Any], field: str
) -> None:
    for name, value in judge.items():
        monkeypatch.setattr(config.judge, name, value)

    for stage in (train.STAGE, calibrate.STAGE):
        with pytest.raises(UserError) as error:
            stage.validate(config)
        assert error.value.field == field


@pytest.mark.parametrize(
    ("head", "changed"),
    [("mlp", ["train"]), ("layers", ["train"]), ("autojudge", ["embed", "train"])],
)
def test_another_kind_of_head_embeds_anew_only_where_it_reads_more(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, head: str, changed: list[str]
) -> None:
    stages = (prompts, mine, annotate, dataset, embed, train, calibrate)
    before = [module.STAGE.settings(config) for module in stages]
    assert "options" not in before[5]
    assert "draft" not in before[4]
    monkeypatch.setattr(config.judge, "head", head)

    assert changed == [
        module.STAGE.name
        for module, settings in zip(stages, before, strict=True)
        if module.STAGE.settings(config) != settings
    ]
