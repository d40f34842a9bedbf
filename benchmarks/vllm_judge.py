"""What the judge is worth inside vLLM: the same requests exact and judged, in turns, in one engine.

    .venv-vllm/bin/python -m benchmarks.vllm_judge artifacts/calibrate/KEY/judge

Prints seconds, accepted draft tokens a cycle and right answers of each mode, and their ratio. Needs
vLLM (docs/serving.md). Of so small a pair's time on a CPU, Python is the most.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge_lightning.micro.paths import asset_path
from judge_lightning.micro.world import Problem, is_right, problem

FIRST = 6_000_000
"""Of the problems' numbers: none that a model or a judge was trained on."""
METHODS: dict[str, dict[str, Any]] = {
    "draft_model": {"model": str(asset_path("draft"))},
    "ngram": {"prompt_lookup_max": 4, "prompt_lookup_min": 2},
}
MODES: dict[str, dict[str, Any]] = {"exact": {"exact": True}, "judge": {}}


@dataclass
class Tally:
    """What one mode took and gave, over all rounds."""

    seconds: list[float] = field(default_factory=list)
    drafts: float = 0.0
    accepted: float = 0.0
    right: int = 0
    answers: int = 0


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("judge", type=Path, help="the folder of a judge of the embedded target")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draft-length", type=int, default=16)
    parser.add_argument("--method", choices=sorted(METHODS), default="draft_model")
    options = parser.parse_args()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    tallies = measured(options)
    print(f"{options.prompts} word problems, {options.draft_length} draft tokens a cycle, greedy")
    print(f"{'':8}{'seconds, best':>16}{'accepted/cycle':>16}{'right':>10}")
    for name, tally in tallies.items():
        share = 100 * tally.right / tally.answers
        mean = tally.accepted / tally.drafts
        print(f"{name:8}{min(tally.seconds):>16.2f}{mean:>16.2f}{share:>9.1f}%")
    exact, judge = (min(tallies[name].seconds) for name in MODES)
    print(f"judged requests take {judge / exact:.2f} times as long as exact ones")


def measured(options: argparse.Namespace) -> dict[str, Tally]:
    """Every mode in every round, one after the other, on all prompts at once."""
    from vllm import LLM

    engine = LLM(
        str(asset_path("target")),
        dtype="float32",
        enforce_eager=True,
        gpu_memory_utilization=0.1,
        max_model_len=512,
        max_num_seqs=32,
        disable_log_stats=False,
        distributed_executor_backend="uni",
        speculative_config={
            "method": options.method,
            "num_speculative_tokens": options.draft_length,
            **METHODS[options.method],
        },
        additional_config={"judge": str(options.judge.absolute())},
    )
    problems = [problem("word", FIRST + number) for number in range(options.prompts)]
    ask(engine, problems[:4], {})  # Warms up.
    tallies = {name: Tally() for name in MODES}
    for _ in range(options.rounds):
        for name, extra in MODES.items():
            tally, before = tallies[name], counters(engine)
            started = time.perf_counter()
            texts = ask(engine, problems, extra)
            tally.seconds.append(time.perf_counter() - started)
            drafts, accepted = (a - b for a, b in zip(counters(engine), before, strict=True))
            tally.drafts += drafts
            tally.accepted += accepted
            tally.right += sum(is_right(p, text) for p, text in zip(problems, texts, strict=True))
            tally.answers += len(texts)
    return tallies


def ask(engine: Any, problems: list[Problem], extra: dict[str, Any]) -> list[str]:
    """Answers to all problems, in one batch."""
    from vllm import SamplingParams

    outputs = engine.chat(
        [[{"role": "user", "content": one.text}] for one in problems],
        SamplingParams(temperature=0.0, max_tokens=200, extra_args=extra),
        use_tqdm=False,
    )
    return [output.outputs[0].text for output in outputs]


def counters(engine: Any) -> tuple[float, float]:
    """vLLM's cycles and accepted draft tokens so far."""
    values = {metric.name: getattr(metric, "value", 0.0) for metric in engine.get_metrics()}
    return (
        values["vllm:spec_decode_num_drafts"],
        values["vllm:spec_decode_num_accepted_tokens"],
    )


if __name__ == "__main__":
    main()
