"""What several judges of one target keep, and what it costs in right answers.

Decodes the same held-out word problems exactly and with each judge. The first judge is the one that
the others' gains are compared with.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from benchmarks.subjects import held_out_prompts, pair_config, prompt_ids
from evals.decoders import build_decoder
from evals.statistics import paired_difference, proportion
from judge_lightning.court.checkers import check
from judge_lightning.court.prompting import answer_text
from judge_lightning.court.records import Prompt
from judge_lightning.decoding.decoder import SpeculativeDecoder
from judge_lightning.heads import JudgeHead
from judge_lightning.models.fingerprint import fingerprint
from judge_lightning.models.pair import Pair
from pipelines.pair import pair_loader

NEW_TOKENS = 200


@dataclass(frozen=True)
class Measured:
    """Draft tokens kept per cycle, shares of right answers, and the gain over the first judge's.

    ``gain`` is accepted per cycle beyond exact decoding's, over the first judge's; ``change`` the
    paired difference of right answers to exact decoding's.
    """

    name: str
    threshold: float | None
    accepted_per_cycle: float
    right: float
    right_stderr: float
    change: float
    change_stderr: float
    gain: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Decodes, prints the table and writes the result."""
    given = start(_parser(), arguments)
    config = pair_config("micro")
    pair = pair_loader(config)()
    prompts = held_out_prompts(2 if given.quick else given.prompts)
    target = fingerprint(config.pair.target.path)
    length = int(config.engine.draft_length)
    heads = [JudgeHead.from_pretrained(folder, expected_target=target) for folder in given.judges]
    exact = build_decoder("exact", pair, None, length, given.engine)
    # Decoders that share an engine share what it compiled.
    shared = exact.engine
    judges = [build_decoder("judge", pair, head, length, shared) for head in heads]
    seen = [_decode(decoder, pair, prompts) for decoder in (exact, *judges)]
    names = ["exact", *(str(folder) for folder in given.judges)]
    thresholds = [None, *(head.config.threshold for head in heads)]
    measured = [
        _measured(name, threshold, each, seen)
        for name, threshold, each in zip(names, thresholds, seen, strict=True)
    ]
    print_table(
        f"{len(prompts)} held-out word problems, {length} draft tokens a cycle",
        ["", "threshold", "accepted per cycle", "gain", "right", "against exact"],
        [_row(one) for one in measured],
    )
    note("gain: accepted per cycle beyond exact decoding's, the first judge's is 1")
    save("compare_judges", {"results": [asdict(one) for one in measured]}, given.out)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("judges", type=Path, nargs="+", help="folders of judges of micro's target")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--engine", default="eager", choices=("eager", "compiled"))
    return parser


@dataclass(frozen=True)
class _Seen:
    accepted: list[int]
    right: list[float]

    @property
    def accepted_per_cycle(self) -> float:
        return sum(self.accepted) / len(self.accepted)


def _decode(decoder: object, pair: Pair, prompts: Sequence[Prompt]) -> _Seen:
    assert isinstance(decoder, SpeculativeDecoder)
    accepted: list[int] = []
    right: list[float] = []
    for prompt in prompts:
        ids = prompt_ids(pair.tokenizer, prompt, pair.target.device)
        output = decoder.generate(ids, NEW_TOKENS)
        accepted += [cycle.accepted for cycle in output.trace.cycles]
        right.append(float(check(prompt, answer_text(pair.tokenizer, output.trace.tokens))))
    return _Seen(accepted, right)


def _measured(name: str, threshold: float | None, each: _Seen, seen: Sequence[_Seen]) -> Measured:
    exact, first = seen[0], seen[1]
    share, change = proportion(each.right), paired_difference(each.right, exact.right)
    room = first.accepted_per_cycle - exact.accepted_per_cycle
    return Measured(
        name=name,
        threshold=threshold,
        accepted_per_cycle=each.accepted_per_cycle,
        right=share.value,
        right_stderr=share.stderr,
        change=change.value,
        change_stderr=change.stderr,
        gain=(each.accepted_per_cycle - exact.accepted_per_cycle) / room if room else 0.0,
    )


def _row(one: Measured) -> list[str]:
    return [
        one.name,
        "" if one.threshold is None else f"{one.threshold:.2f}",
        f"{one.accepted_per_cycle:.2f}",
        f"{one.gain:.3f}",
        f"{100 * one.right:.1f} ± {100 * one.right_stderr:.1f} %",
        f"{100 * one.change:+.1f} ± {100 * one.change_stderr:.1f}",
    ]


if __name__ == "__main__":
    run_script(main)
