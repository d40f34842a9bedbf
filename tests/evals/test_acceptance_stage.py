"""The stage acceptance on the tiny pair and on the micro pair: scores, resuming, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from evals.acceptance import text_statistics
from evals.scored_text import ScoredAnswer, read_scores, score_files
from judge_lightning.court.prompting import answer_text, render_prompt
from judge_lightning.court.records import IGNORED, Answer, Prompt, write_records
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.micro.world import problem
from judge_lightning.models.pair import Pair
from judge_lightning.teacher_forcing import PromptedAnswer, score_answers
from pipelines.config import (
    AcceptanceConfig,
    AnnotateConfig,
    DataConfig,
    DrafterConfig,
    MineConfig,
    ModelConfig,
    PairConfig,
    RunConfig,
    SourceConfig,
    TextConfig,
)
from pipelines.stage import QuietRecorder, StageContext
from pipelines.stages import acceptance
from tests.evals.tiny_run import run, tiny_run

T = TypeVar("T")
STAGE = acceptance.STAGE
ANSWERS = ["four, because 2 + 2 = 4", "I do not know", "two\nor three"]


class KilledRecorder(QuietRecorder):
    """Ends the process, so to speak, after some shards."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def progress(
        self, items: Iterable[T], *, total: int | None, unit: str, done: int = 0
    ) -> Iterator[T]:
        for number, item in enumerate(super().progress(items, total=total, unit=unit, done=done)):
            if number == self.after:
                raise KeyboardInterrupt
            yield item


@pytest.fixture
def own_text(tmp_path: Path) -> Path:
    path = tmp_path / "own.jsonl"
    rows = [{"prompt": f"Question {i}?", "answer": text} for i, text in enumerate(ANSWERS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def config(pair_folder: Path, own_text: Path) -> RunConfig:
    """A text of the user's own, under the tiny target and its judge; one prompt a shard."""
    own = TextConfig(kind="jsonl", path=str(own_text))
    return replace(
        tiny_run(pair_folder),
        pipeline="acceptance",
        acceptance=AcceptanceConfig(name="own", texts={"own": own}, shard_size=1, draft_length=4),
    )


def scores(work: Path, text: str) -> list[ScoredAnswer]:
    return list(read_scores(score_files(work, text)))


def files(work: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}


def test_the_users_own_text_is_scored_as_the_library_does(
    config: RunConfig, pair: Pair, pair_folder: Path, tmp_path: Path
) -> None:
    run(STAGE, config, tmp_path / "work")
    eos = pair.tokenizer.eos_token_id
    readings = [
        PromptedAnswer(
            render_prompt(pair.tokenizer, f"Question {i}?"),
            [*pair.tokenizer(text, add_special_tokens=False)["input_ids"], eos],
        )
        for i, text in enumerate(ANSWERS)
    ]
    head = JudgeHead.from_pretrained(pair_folder / "judge")
    expected = score_answers(pair.target, readings, rows=2, head=head)
    found = scores(tmp_path / "work", "own")
    assert [one.prompt_id for one in found] == ["own:1", "own:2", "own:3"]
    for one, reading, score in zip(found, readings, expected, strict=True):
        assert one.token_ids == list(reading.answer_ids)
        assert one.ranks == score.ranks
        assert one.probabilities == pytest.approx(score.probabilities, abs=1e-5)
        assert one.judge == pytest.approx(score.judge, abs=1e-5)
        assert set(one.labels) == {IGNORED}, "nobody knows what is right in it"
    assert answer_text(pair.tokenizer, found[2].token_ids) == ANSWERS[2]


def test_a_killed_stage_goes_on_and_ends_in_the_same_files(
    config: RunConfig, tmp_path: Path
) -> None:
    run(STAGE, config, tmp_path / "undisturbed")
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(KeyboardInterrupt):
        STAGE.run(StageContext(config, {}, work, KilledRecorder(after=2)))
    finished = score_files(work, "own")
    assert len(finished) == 2
    before = [path.stat().st_ino for path in finished]

    context = run(STAGE, config, work)
    assert isinstance(context.recorder, QuietRecorder)
    assert context.recorder.shown == [(3, 2)]
    assert [path.stat().st_ino for path in finished] == before, "not written again"
    assert files(work) == files(tmp_path / "undisturbed")


def test_batches_and_the_length_of_drafts_are_no_part_of_the_key(config: RunConfig) -> None:
    before = STAGE.settings(config)
    config.acceptance.batch_size = 7
    config.acceptance.draft_length = 9
    assert STAGE.settings(config) == before
    config.acceptance.shard_size = 2
    assert STAGE.settings(config) != before


def test_the_key_follows_the_files_content_not_its_place(
    config: RunConfig, own_text: Path, tmp_path: Path
) -> None:
    before = STAGE.settings(config)
    moved = own_text.rename(tmp_path / "moved.jsonl")
    config.acceptance.texts["own"].path = str(moved)
    assert STAGE.settings(config) == before
    moved.write_text(moved.read_text() + '{"prompt": "More?", "answer": "yes"}\n')
    assert STAGE.settings(config) != before


def micro_prompts(folder: Path) -> Path:
    folder.mkdir(parents=True)
    prompts = [
        Prompt(
            f"word:{i}",
            problem("word", i).text,
            problem("word", i).reference,
            "word",
            "calibration",
            {"checker": "micro", "index": i, "pool": "court"},
        )
        for i in range(4)
    ]
    write_records(folder / "prompts.jsonl", prompts)
    return folder


@pytest.fixture
def micro(tmp_path: Path) -> RunConfig:
    """Paraphrases and mined answers on the micro target, labelled by the oracle."""
    texts = {
        "paraphrase": TextConfig(kind="paraphrase"),
        "mine": TextConfig(kind="drafter", author="draft"),
    }
    return RunConfig(
        exp="test",
        pipeline="acceptance",
        pair=PairConfig("micro", ModelConfig("micro:target"), ModelConfig("micro:draft")),
        data=DataConfig("micro", {"word": SourceConfig(format="micro", family="word", count=4)}),
        mine=MineConfig("micro", {"draft": DrafterConfig()}, shard_size=3),
        annotate=AnnotateConfig("oracle"),
        acceptance=AcceptanceConfig("micro", texts, judge=False, shard_size=2),
    )


@pytest.fixture
def mined(tmp_path: Path, micro: RunConfig) -> dict[str, Path]:
    """Prompts, and answers to them of which the second has a wrong number."""
    from judge_lightning.court.drafters.paraphrase import ParaphraseAuthor
    from judge_lightning.models.pair import load_tokenizer

    prompts = micro_prompts(tmp_path / "prompts")
    tokenizer = load_tokenizer("micro:target", None, None)
    rows = [Prompt(**json.loads(line)) for line in (prompts / "prompts.jsonl").open()]
    written = ParaphraseAuthor("draft", tokenizer, dialect="draft", seed=5).write(rows).written
    answers = []
    for number, draft in enumerate(written):
        text = draft.text
        if number == 1:
            at = text.index(" = ") + 3
            text = text[:at] + "9999" + text[at:]
        ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        answers.append(Answer(draft.prompt.id, "draft", 0, text, ids, True, number != 1))
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, part in enumerate((answers[:3], answers[3:])):
        write_records(folder / f"answers-draft-{number:05d}.jsonl", part)
    return {"prompts": prompts, "mine": folder}


def test_on_micro_the_oracle_says_which_tokens_are_correct(
    micro: RunConfig, mined: dict[str, Path], tmp_path: Path
) -> None:
    STAGE.validate(micro)
    context = run(STAGE, micro, tmp_path / "work", **mined)
    right = scores(tmp_path / "work", "paraphrase")
    assert len(right) == 4
    assert all(set(one.labels) == {1} for one in right), "right by construction"
    drafted = scores(tmp_path / "work", "mine")
    assert [0 in one.labels for one in drafted] == [False, True, False, False]
    statistics = text_statistics(right, draft_length=16, position_bin=10)
    assert 0.5 < statistics.standard.acceptance.value < 0.95
    assert statistics.correct_rejected is not None
    assert isinstance(context.recorder, QuietRecorder)
    recorded = context.recorder.values["paraphrase/acceptance"]
    assert recorded == pytest.approx(statistics.standard.acceptance.value)


def test_a_file_of_answers_to_the_runs_prompts_is_labelled_like_the_mined_ones(
    micro: RunConfig, mined: dict[str, Path], tmp_path: Path
) -> None:
    asked = {
        row["id"]: row["text"]
        for row in map(json.loads, (mined["prompts"] / "prompts.jsonl").open())
    }
    path = tmp_path / "log.jsonl"
    with path.open("w") as file:
        for shard in sorted(mined["mine"].glob("answers-*")):
            for row in map(json.loads, shard.open()):
                file.write(json.dumps({"q": asked[row["prompt_id"]], "a": row["text"]}) + "\n")
    micro.acceptance.texts["log"] = TextConfig(
        kind="jsonl", path=str(path), prompt_field="q", answer_field="a", prompts="run"
    )
    run(STAGE, micro, tmp_path / "work", **mined)
    mine, log = (scores(tmp_path / "work", text) for text in ("mine", "log"))
    assert [(a.token_ids, a.ranks, a.labels) for a in mine] == [
        (b.token_ids, b.ranks, b.labels) for b in log
    ]


def test_fewer_prompts_are_spread_over_all(
    micro: RunConfig, mined: dict[str, Path], tmp_path: Path
) -> None:
    micro.acceptance.prompts = 2
    run(STAGE, micro, tmp_path / "work", **mined)
    assert [one.prompt_id for one in scores(tmp_path / "work", "mine")] == ["word:0", "word:2"]


Change = Callable[[RunConfig], Any]


def own(**changes: Any) -> Change:
    def change(config: RunConfig) -> None:
        for name, value in changes.items():
            setattr(config.acceptance.texts["own"], name, value)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (own(kind="poem"), r"acceptance\.texts\.own\.kind: unknown value 'poem'; one of"),
        (own(path=None), r"acceptance\.texts\.own\.path: is missing"),
        (own(path="nowhere.jsonl"), r"nowhere\.jsonl cannot be read"),
        (own(prompts="both"), r"acceptance\.texts\.own\.prompts: unknown value 'both'"),
        (own(answer_field="reply"), r"own\.jsonl:1: field missing \('reply' among"),
        (own(kind="drafter"), r"acceptance\.texts\.own\.author: nobody is called 'own'"),
        (own(kind="paraphrase", dialect="Latin"), r"dialect: unknown value 'Latin'"),
        (lambda c: c.acceptance.texts.clear(), r"acceptance\.texts: is empty"),
        (lambda c: setattr(c.acceptance, "splits", ["tests"]), r"'tests' is no split"),
        (lambda c: setattr(c.acceptance, "batch_size", 0), r"batch_size: must be positive"),
        (lambda c: setattr(c.acceptance, "prompts", 0), r"acceptance\.prompts: is 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_work(
    config: RunConfig, change: Change, says: str
) -> None:
    change(config)
    with pytest.raises(UserError, match=says):
        STAGE.validate(config)


def test_an_empty_file_is_refused(config: RunConfig, own_text: Path) -> None:
    own_text.write_text("")
    with pytest.raises(UserError, match="is empty; name a JSON Lines file"):
        STAGE.validate(config)


def test_a_file_with_too_many_bad_lines_is_refused_with_the_firsts_number(
    config: RunConfig, own_text: Path
) -> None:
    with own_text.open("a") as file:
        file.write('{"prompt": "?"}\nno JSON\n')
    problem = r"own\.jsonl:4: field missing \('answer' among \['prompt'\]\), 2 of 5 lines"
    with pytest.raises(UserError, match=problem):
        STAGE.validate(config)


def test_one_bad_line_among_many_costs_itself(
    config: RunConfig, own_text: Path, tmp_path: Path
) -> None:
    with own_text.open("a") as file:
        file.write("no JSON\n")
        file.writelines(f'{{"prompt": "And {i}?", "answer": "yes"}}\n' for i in range(30))
    STAGE.validate(config)
    context = run(STAGE, config, tmp_path / "work")
    assert isinstance(context.recorder, QuietRecorder)
    assert context.recorder.values["own/rejected_answers"] == 1
    assert context.recorder.values["own/answers"] == 33


def test_a_file_that_answers_none_of_the_runs_prompts_is_refused(
    config: RunConfig, tmp_path: Path
) -> None:
    config.acceptance.texts["own"].prompts = "run"
    folder = micro_prompts(tmp_path / "prompts")
    with pytest.raises(UserError, match=r"answers none of the run's 4 prompts \(3 answers"):
        run(STAGE, config, tmp_path / "work", prompts=folder)


def test_splits_without_a_prompt_are_refused(micro: RunConfig, tmp_path: Path) -> None:
    micro.acceptance.splits = ["train"]
    folder = micro_prompts(tmp_path / "prompts")
    with pytest.raises(UserError, match=r"acceptance\.splits: \['train'\] hold no prompts"):
        run(STAGE, micro, tmp_path / "work", prompts=folder)


def test_held_out_prompts_have_no_mined_answers(micro: RunConfig) -> None:
    micro.acceptance.splits = ["eval"]
    with pytest.raises(UserError, match="has not answered the prompts of 'eval'"):
        STAGE.validate(micro)


def test_answers_that_do_not_fit_the_target_are_refused_as_a_whole(
    config: RunConfig, own_text: Path, tmp_path: Path
) -> None:
    own_text.write_text(json.dumps({"prompt": "Long?", "answer": "very " * 400}) + "\n")
    with pytest.raises(UserError, match="1 x longer than the context"):
        run(STAGE, config, tmp_path / "work")
