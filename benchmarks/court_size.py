"""How fast, and in how much memory, many mined answers become a data set.

Writes synthetic worked solutions in GSM8K's format, right and wrong ones, as the stage mine would,
and has the stages annotate (with the calculator) and dataset make Parquet of them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from benchmarks.memory import peak_bytes, reset_peak
from benchmarks.subjects import pair_config
from judge_lightning.court.records import Answer, Prompt, write_records
from judge_lightning.court.stretches import answers_file
from pipelines.config import RunConfig
from pipelines.pair import load_pair_tokenizer
from pipelines.stage import QuietRecorder, Stage, StageContext
from pipelines.stages import annotate, dataset

T = TypeVar("T")
DRAFTERS = ("draft_a", "draft_b", "draft_c")
"""Who answer wrongly; the reference answers rightly."""
_THINGS = ("eggs", "books", "coins", "tickets", "boxes", "pages", "miles", "cups")
_NAMES = ("Ana", "Ben", "Cleo", "Dan", "Eve", "Finn")


@dataclass(frozen=True)
class Measured:
    """Answers that were labelled, wall-clock seconds of both stages, and peak resident bytes."""

    answers: int
    tuples: int
    annotate_seconds: float
    dataset_seconds: float
    peak: int | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures every size and writes the result."""
    given = start(_parser(), arguments)
    sizes = [40] if given.quick else given.answers
    measured = [_measure(size, given.annotator) for size in sizes]
    print_table(
        "From mined answers to Parquet",
        ["answers", "tuples", "annotate", "dataset", "answers/s", "peak memory"],
        [_row(one) for one in measured],
    )
    note("answers/s: both stages; peak memory: this process's resident memory, libraries included")
    result = {"annotator": given.annotator, "sizes": [asdict(one) for one in measured]}
    save("court_size", result, given.out)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--answers", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--annotator", default="calculator")
    return parser


def _row(one: Measured) -> list[str]:
    seconds = one.annotate_seconds + one.dataset_seconds
    return [
        f"{one.answers:,}",
        f"{one.tuples:,}",
        f"{one.annotate_seconds:.1f} s",
        f"{one.dataset_seconds:.1f} s",
        f"{one.answers / seconds:,.0f}",
        "not known" if one.peak is None else f"{one.peak / 2**20:,.0f} MiB",
    ]


def _measure(answers: int, annotator: str) -> Measured:
    config = pair_config("micro", [f"annotate={annotator}", "mine.minimum_tuples=0"])
    with tempfile.TemporaryDirectory(prefix="court-size-") as name:
        folder = Path(name)
        _write_mined(folder, config, prompts=max(1, answers // (len(DRAFTERS) + 1)))
        reset_peak(torch.device("cpu"))
        seconds, tuples = {}, 0.0
        for stage in (annotate.STAGE, dataset.STAGE):
            recorder = QuietRecorder()
            began = time.perf_counter()
            _run(stage, config, folder, recorder)
            seconds[stage.name] = time.perf_counter() - began
            tuples = recorder.values["tuples"]
        peak = peak_bytes(torch.device("cpu"))
    return Measured(answers, int(tuples), seconds["annotate"], seconds["dataset"], peak)


def _run(stage: Stage, config: RunConfig, folder: Path, recorder: QuietRecorder) -> None:
    work = folder / stage.name
    work.mkdir()
    inputs = {name: folder / name for name in stage.reads}
    stage.run(StageContext(config, inputs, work, recorder))


def _write_mined(folder: Path, config: RunConfig, prompts: int) -> None:
    """The artifacts of the stages prompts and mine, stretch by stretch."""
    tokenizer: Any = load_pair_tokenizer(config)
    for name in ("prompts", "mine"):
        (folder / name).mkdir()
    authors = ("reference", *DRAFTERS)
    size = config.mine.shard_size
    with (folder / "prompts" / "prompts.jsonl").open("w", encoding="utf-8") as file:
        for number, first in enumerate(range(0, prompts, size)):
            written: dict[str, list[Answer]] = {author: [] for author in authors}
            for index in range(first, min(first + size, prompts)):
                prompt, texts = worked_problem(index, len(DRAFTERS))
                file.write(json.dumps(vars(prompt)) + "\n")
                for place, (author, text) in enumerate(zip(authors, texts, strict=True)):
                    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
                    ids.append(tokenizer.eos_token_id)
                    answer = Answer(prompt.id, author, 0, text, ids, True, right=place == 0)
                    written[author].append(answer)
            for author in authors:
                write_records(folder / "mine" / answers_file(author, number), written[author])
    statistics = {
        "prompts": prompts,
        "tuples": prompts * len(DRAFTERS),
        "answers": dict.fromkeys(authors, prompts),
        "accuracy": {author: float(author == "reference") for author in authors},
        "rejected": {},
    }
    about = {"url": "", "licence": ""}
    found = {"sources": {"synthetic": {"taken": prompts, "about": about}}, "filtered": {}}
    for name, counts in (("prompts", found | {"rejected": {}}), ("mine", statistics)):
        (folder / name / "statistics.json").write_text(json.dumps(counts), encoding="utf-8")


def worked_problem(index: int, wrong: int) -> tuple[Prompt, list[str]]:
    """A question in GSM8K's manner, its worked answer, and ``wrong`` answers with a slip each."""
    rng = random.Random(index)
    name, thing = rng.choice(_NAMES), rng.choice(_THINGS)
    steps: list[tuple[str, int, int, int]] = []
    total = first = rng.randrange(3, 60)
    said = [f"{name} starts with {first} {thing}."]
    for _ in range(rng.randrange(3, 7)):
        sign, other = rng.choice("+-*"), rng.randrange(2, 9)
        if sign == "-" and other >= total:
            sign = "+"
        result = {"+": total + other, "-": total - other, "*": total * other}[sign]
        steps.append((sign, total, other, result))
        said.append(f"Then the number changes by {sign}{other}.")
        total = result
    question = " ".join([*said, f"How many {thing} does {name} have?"])
    reference = _worked(name, thing, steps, slip=None, rng=rng)
    answers = [
        _worked(name, thing, steps, slip=rng.randrange(len(steps)), rng=rng) for _ in range(wrong)
    ]
    splits = ("train", "train", "train", "validation", "calibration")
    prompt = Prompt(
        f"synthetic-{index}",
        question,
        reference,
        "synthetic",
        splits[index % len(splits)],
        {"source": "synthetic", "checker": "final_number"},
    )
    return prompt, [reference, *answers]


def _worked(
    name: str,
    thing: str,
    steps: Sequence[tuple[str, int, int, int]],
    slip: int | None,
    rng: random.Random,
) -> str:
    """The steps one by one; from the step ``slip`` on, everything is off."""
    lines, off = [], 0
    for place, (sign, before, other, result) in enumerate(steps):
        given = before + off
        true = {"+": given + other, "-": given - other, "*": given * other}[sign]
        stated = true + (rng.choice((-10, -2, -1, 1, 2, 10)) if place == slip else 0)
        off = stated - result
        lines.append(
            f"Now {name} has {given}{sign}{other}=<<{given}{sign}{other}={stated}>>{stated} {thing}"
        )
    return "\n".join([*lines, f"#### {steps[-1][3] + off}"])


if __name__ == "__main__":
    run_script(main)
