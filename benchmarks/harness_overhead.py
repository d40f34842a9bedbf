"""What lm-eval adds to decoding: ``python -m benchmarks.harness_overhead --clock cpu``.

Each decoder answers micro's held-out word problems as in an evaluation: the task is loaded, prompts
are rendered, answers go through lm-eval's cache, are scored and logged. The decoder's own time is
what passes within its ``generate``; the rest is the harness's. Importing lm-eval, once a process,
is reported apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import (
    CLOCKS,
    Clock,
    add_clock,
    note,
    parser_for,
    print_table,
    run_script,
    save,
    start,
)
from benchmarks.subjects import held_out_prompts, load_judge, pair_config
from evals.decoders import DECODERS
from judge_lightning.heads import JudgeHead
from judge_lightning.models.pair import Pair
from pipelines.pair import pair_loader

GOAL = 0.05
"""The harness's time over the decoder's own, at most."""
TASK = "micro_word"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    add_clock(parser)
    parser.add_argument("--pair", default="micro")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--max-new-tokens", type=int, default=200)
    parser.add_argument("--judge", type=Path, help="a judge's folder; else the newest one")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--decoders", nargs="+", default=list(DECODERS), choices=DECODERS)
    given = start(parser, arguments)
    if given.quick:
        given.prompts, given.max_new_tokens = 2, 8
    config = pair_config(given.pair)
    head = load_judge(config, given.judge, given.artifacts) if "judge" in given.decoders else None
    clock = CLOCKS[given.clock]
    began = clock()
    import evals.harness
    import evals.lm.model
    import evals.tasks.documents  # noqa: F401

    importing = clock() - began
    pair = pair_loader(config)()
    rows = [
        measure(
            decoder,
            pair,
            head,
            prompts=given.prompts,
            max_new_tokens=given.max_new_tokens,
            clock=clock,
        )
        for decoder in given.decoders
    ]
    together = {
        key: sum(row[key] for row in rows) for key in ("answers", "tokens", "own", "harness")
    }
    rows.append({"decoder": "together", **together, "share": together["harness"] / together["own"]})
    result = {
        "pair": given.pair,
        "clock": given.clock,
        "goal": GOAL,
        "import_seconds": importing,
        "results": rows,
        "reached": rows[-1]["share"] < GOAL,
    }
    _print(result)
    save("harness_overhead", result, given.out)


class Timed:
    """A decoder that notes what passes within its ``generate``."""

    def __init__(self, decoder: Any, clock: Clock) -> None:
        self.decoder = decoder
        self.clock = clock
        self.seconds = 0.0
        self.tokens = 0

    def generate(self, *given: Any, **settings: Any) -> Any:
        """The decoder's own answer."""
        began = self.clock()
        output = self.decoder.generate(*given, **settings)
        self.seconds += self.clock() - began
        self.tokens += len(output.trace.tokens)
        return output


def measure(
    decoder: str,
    pair: Pair,
    head: JudgeHead | None,
    *,
    prompts: int,
    max_new_tokens: int,
    clock: Clock,
) -> dict[str, Any]:
    """Seconds of one decoder's evaluation, within the decoder and around it."""
    from evals.harness import HarnessSettings, evaluate_decoder
    from evals.lm.model import JudgeDecodingLM
    from evals.tasks.documents import write_documents

    lm = JudgeDecodingLM(
        lambda: pair, verifier=decoder, judge=head, max_gen_toks=max_new_tokens, temperature=0.0
    )
    timed = Timed(lm._generator, clock)
    lm.__dict__["_generator"] = timed  # Where the model class keeps it.
    with tempfile.TemporaryDirectory() as folder:
        files = write_documents(held_out_prompts(prompts), Path(folder))
        began = clock()
        scores = evaluate_decoder(lm, [TASK], HarnessSettings(documents=files), Path(folder))
        seconds = clock() - began
    harness = seconds - timed.seconds
    return {
        "decoder": decoder,
        "answers": len(scores[TASK].scores),
        "tokens": timed.tokens,
        "own": timed.seconds,
        "harness": harness,
        "share": harness / timed.seconds,
    }


def _print(result: dict[str, Any]) -> None:
    columns = ["decoder", "answers", "tokens", "decoder's own s", "harness s", "share"]
    rows = [
        [
            row["decoder"],
            f"{row['answers']}",
            f"{row['tokens']}",
            f"{row['own']:.2f}",
            f"{row['harness']:.2f}",
            f"{row['share']:.1%}",
        ]
        for row in result["results"]
    ]
    print_table(f"{TASK} on {result['pair']}, {result['clock']} time", columns, rows)
    verdict = "reached" if result["reached"] else "missed"
    note(f"goal: below {GOAL:.0%} together, {verdict}")
    note(f"importing lm-eval, once a process: {result['import_seconds']:.1f} s")


if __name__ == "__main__":
    run_script(main)
