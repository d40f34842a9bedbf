"""How fast prompts are read and filtered, and the memory that takes.

    python -m benchmarks.prompt_sources --prompts 200000 --near-duplicates 0.8

The prompts are random words, all different: for near duplicates the worst case, because every one
is kept and compared with all after it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from judge_lightning.court.collection import Collection
from judge_lightning.court.filters import Filters
from judge_lightning.court.sources import Source

_WORDS = 45
"""As many as a question of GSM8K has."""


def main() -> None:
    """Prints one line: prompts, seconds, prompts a second and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=20_000)
    parser.add_argument("--near-duplicates", type=float, default=0.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prompts.jsonl"
        write_random_prompts(path, arguments.prompts)
        collection = Collection(
            [Source("random", "jsonl", "random", path=str(path))],
            {"train": 1.0},
            seed=0,
            filters=Filters(near_duplicates=arguments.near_duplicates),
        )
        started = time.perf_counter()
        count = sum(1 for _ in collection)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} prompts, near duplicates {arguments.near_duplicates:g}: {seconds:.1f} s, "
        f"{count / seconds:.0f} prompts/s, at most {peak:.0f} MB of memory"
    )


def write_random_prompts(path: Path, count: int) -> None:
    """Writes ``count`` different prompts, the same ones every time."""
    rng = random.Random(0)
    vocabulary = [f"w{number}" for number in range(5000)]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = f"{' '.join(rng.choices(vocabulary, k=_WORDS))} {number}?"
            file.write(json.dumps({"prompt": text, "reference": str(number)}) + "\n")


if __name__ == "__main__":
    main()
