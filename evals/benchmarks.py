"""The public benchmarks: where their documents come from, the Hub or files of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge_lightning.court.rejects import Rejected
from judge_lightning.court.sources.places import check_files, read_files, read_hub
from judge_lightning.errors import UserError

FIELD = "eval.data_dir"
ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".parquet")
"""What the name of a benchmark's file may end in; the first that is there is read."""


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        hub: The data set's name on the Hub.
        subset: Its configuration there.
        files: The name of the file, without its ending, that takes the place of each split. The
            rows have the Hub's columns.
        optional: Splits that are only needed for examples in the prompt (few-shot).
    """

    hub: str
    subset: str | None
    files: Mapping[str, str]
    optional: tuple[str, ...] = ()


BENCHMARKS = {
    "gsm8k": Benchmark("openai/gsm8k", "main", {"test": "gsm8k_test"}),
    "humaneval": Benchmark("openai/openai_humaneval", None, {"test": "HumanEval"}),
    "mbpp": Benchmark(
        "google-research-datasets/mbpp",
        "full",
        {"test": "mbpp_test", "prompt": "mbpp_prompt"},
        ("prompt",),
    ),
    "arc": Benchmark("allenai/ai2_arc", "ARC-Challenge", {"test": "arc_challenge_test"}),
    "mmlu": Benchmark("cais/mmlu", "all", {"test": "mmlu_test", "dev": "mmlu_dev"}, ("dev",)),
    "ifeval": Benchmark("google/IFEval", None, {"train": "ifeval"}),
}


def split_rows(name: str, split: str, data_dir: str | None) -> list[dict[str, Any]]:
    """All rows of a benchmark's split.

    Args:
        name: One of ``BENCHMARKS``.
        split: As the Hub calls it.
        data_dir: The folder with the benchmark's files; None takes the Hub.

    Raises:
        UserError: A file is missing or has a line that cannot be read, or the Hub cannot be
            reached.
    """
    benchmark = BENCHMARKS[name]
    if data_dir is None:
        return _hub_rows(benchmark, split)
    found = []
    for row in read_files(str(local_file(name, split, data_dir)), FIELD):
        if isinstance(row, Rejected):
            raise UserError(row.place, f"cannot be read ({row.reason})", "mend this line")
        found.append(dict(row.values))
    return found


def _hub_rows(benchmark: Benchmark, split: str) -> list[dict[str, Any]]:
    found = read_hub(
        benchmark.hub,
        "eval.tasks",
        subset=benchmark.subset,
        split=split,
        revision=None,
        streaming=False,
    )
    try:
        rows = list(found)
    except UserError as error:
        remedy = f"check the network, or name a folder with the benchmark's files in {FIELD}"
        raise UserError(error.field, error.problem, remedy) from error
    return [dict(row.values) for row in rows]


def local_file(name: str, split: str, data_dir: str) -> Path:
    """The file that takes the place of a split.

    Raises:
        UserError: There is none, or it is empty.
    """
    folder, stem = Path(data_dir).expanduser(), BENCHMARKS[name].files[split]
    files = [folder / f"{stem}{ending}" for ending in ENDINGS]
    file = next((file for file in files if file.exists()), None)
    if file is None:
        raise UserError(
            FIELD,
            f"{folder} has no file {files[0].name} (also read: {', '.join(ENDINGS[1:])})",
            f"put the {split} split of {BENCHMARKS[name].hub} there, or leave {FIELD} out",
        )
    check_files(str(file), FIELD)
    return file


def local_files(name: str, data_dir: str, *, examples: bool) -> list[Path]:
    """The files that a benchmark is read from; ``examples`` asks for the optional ones, too.

    Raises:
        UserError: One is missing.
    """
    benchmark = BENCHMARKS[name]
    wanted = [split for split in benchmark.files if examples or split not in benchmark.optional]
    return [local_file(name, split, data_dir) for split in wanted]
