"""vLLM as it comes, in a process of its own: greedy answers to prompts, as JSON."""

import json
import sys
from pathlib import Path

from vllm import LLM, SamplingParams

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    engine = LLM(asked["model"], **asked["engine"])
    outputs = engine.chat(
        [[{"role": "user", "content": prompt}] for prompt in asked["prompts"]],
        SamplingParams(temperature=0.0, max_tokens=asked["max_tokens"]),
        use_tqdm=False,
    )
    Path(asked["file"]).write_text(json.dumps([list(o.outputs[0].token_ids) for o in outputs]))
