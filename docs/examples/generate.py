"""Judge decoding through transformers' own ``generate``: streamed text, and what it took.

Run it offline on the embedded pair, with the judge that a quickstart has trained::

    python docs/examples/generate.py artifacts/calibrate/KEY/judge
    python docs/examples/generate.py                    # no judge: standard speculative decoding
"""

from __future__ import annotations

import argparse
import sys

from transformers import PreTrainedModel, TextStreamer

from judge_lightning import judge_generate, load_pair
from judge_lightning.errors import UserError

QUESTION = "Anna has 34 stamps. She gives away 15. She sells 8 of them. How many stamps are left?"


class Passes:
    """Counts a model's forward passes: the target makes one a cycle."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.count = 0
        model.register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self.count += 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge decoding in transformers' generate.")
    parser.add_argument("judge", nargs="?", help="a judge's folder; without it the standard rule")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--draft-length", type=int, default=20)
    given = parser.parse_args()

    pair = load_pair("micro", device="cpu")
    inputs = pair.tokenizer.apply_chat_template(
        [{"role": "user", "content": given.question}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    cycles = Passes(pair.target)
    output = pair.target.generate(
        **inputs,
        custom_generate=judge_generate,
        assistant_model=pair.draft,
        judge=given.judge,
        draft_length=given.draft_length,
        max_new_tokens=200,
        do_sample=False,
        streamer=TextStreamer(pair.tokenizer, skip_prompt=True, skip_special_tokens=True),
    )
    new = output.shape[1] - inputs["input_ids"].shape[1]
    print(f"{new} tokens in {cycles.count} cycles: {new / cycles.count:.1f} tokens per cycle")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
