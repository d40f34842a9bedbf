"""What vLLM as it comes, without the plugin, makes of sampled requests, with a draft and without.

    .venv-vllm/bin/python -m benchmarks.vllm_sampling [--draft]

Prints how many of the embedded target's answers are right at temperature 1. A draft must not change
that but by chance (arXiv 2211.17192, theorem 1).
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from judge_lightning.micro.paths import asset_path
from judge_lightning.micro.world import is_right, problem

FIRST = 5_000_000
"""Of the problems' numbers: none that a model was trained on."""


def main() -> None:
    """Asks and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--draft", action="store_true", help="decode speculatively")
    parser.add_argument("--prompts", type=int, default=16)
    options = parser.parse_args()
    os.environ.update(VLLM_PLUGINS="", VLLM_ENABLE_V1_MULTIPROCESSING="0")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm import LLM, SamplingParams

    speculation: dict[str, Any] = {
        "method": "draft_model",
        "model": str(asset_path("draft")),
        "num_speculative_tokens": 16,
    }
    engine = LLM(
        str(asset_path("target")),
        dtype="float32",
        enforce_eager=True,
        gpu_memory_utilization=0.1,
        max_model_len=512,
        distributed_executor_backend="uni",
        speculative_config=speculation if options.draft else None,
    )
    problems = [problem("word", FIRST + number) for number in range(options.prompts)]
    outputs = engine.chat(
        [[{"role": "user", "content": one.text}] for one in problems],
        SamplingParams(temperature=1.0, seed=7, max_tokens=200),
        use_tqdm=False,
    )
    texts = [output.outputs[0].text for output in outputs]
    right = sum(is_right(one, text) for one, text in zip(problems, texts, strict=True))
    print(f"{'with' if options.draft else 'without'} a draft: {right} of {len(problems)} right")
    print(f"  {texts[0][:100]!r}")


if __name__ == "__main__":
    main()
