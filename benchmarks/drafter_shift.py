"""Does the shift warning fire where a judge meets a draft that its court has not?

Each judge decodes the same held-out prompts of micro with each draft. Beside the share of
right answers stands how many answers the warning flags, and the chance of so many if the drafts
were the court's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from benchmarks.subjects import held_out_prompts, pair_config, prompt_ids
from evals.decoders import build_decoder
from evals.statistics import proportion
from judge_lightning.court.checkers import check
from judge_lightning.court.prompting import answer_text
from judge_lightning.court.records import Prompt
from judge_lightning.decoding.decoder import SpeculativeDecoder
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.models.fingerprint import fingerprint
from judge_lightning.models.pair import Pair
from judge_lightning.shift import ShiftReference, ShiftScore, ShiftWatch, family_shift
from pipelines.pair import pair_loader

NEW_TOKENS = 200
PAIRS = ("micro", "micro_small")


@dataclass(frozen=True)
class Meeting:
    """A judge with a pair: its right answers, and what the warning says.

    ``right_flagged`` of the ``flagged`` answers are right; ``by_drafts`` are flagged for their
    tokens' surprisal.
    """

    judge: str
    pair: str
    right: float
    right_stderr: float
    accepted_per_cycle: float
    answers: int
    flagged: int
    right_flagged: int
    by_drafts: int
    chance: float
    shifted: bool


def main(arguments: Sequence[str] | None = None) -> None:
    """Decodes, prints the table and writes the result."""
    given = start(_parser(), arguments)
    prompts = held_out_prompts(2 if given.quick else given.prompts, given.family)
    meetings = []
    for name in given.pairs:
        config = pair_config(name)
        pair, target = pair_loader(config)(), fingerprint(config.pair.target.path)
        for folder in given.judges:
            head = JudgeHead.from_pretrained(folder, expected_target=target)
            reference = ShiftReference.load(folder)
            if reference is None:
                raise UserError(str(folder), "has no shift.safetensors", "run calibrate again")
            decoder = build_decoder("judge", pair, head, int(config.engine.draft_length))
            assert isinstance(decoder, SpeculativeDecoder)
            decoder.watch = ShiftWatch(reference)
            seen = _decode(decoder, pair, prompts)
            meetings.append(_meeting(str(folder), name, reference, seen))
    print_table(
        f"{len(prompts)} held-out prompts of the family {given.family}",
        ["judge", "pair", "right", "accepted", "flagged", "of them right", "by drafts", "chance"],
        [_row(meeting) for meeting in meetings],
    )
    note("chance: of so many flags, were prompts and drafts like the court's; warned of from 1 %")
    save("drafter_shift", {"results": [asdict(one) for one in meetings]}, given.out)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("judges", type=Path, nargs="+", help="folders of judges of micro's target")
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), help="of micro's target")
    parser.add_argument("--prompts", type=int, default=60)
    parser.add_argument("--family", default="word", choices=("word", "code", "choice"))
    return parser


@dataclass(frozen=True)
class _Seen:
    right: list[float]
    accepted: list[int]
    scores: list[ShiftScore | None]


def _decode(decoder: SpeculativeDecoder, pair: Pair, prompts: Sequence[Prompt]) -> _Seen:
    seen = _Seen([], [], [])
    for prompt in prompts:
        ids = prompt_ids(pair.tokenizer, prompt, pair.target.device)
        trace = decoder.generate(ids, NEW_TOKENS).trace
        seen.scores.append(trace.shift)
        seen.right.append(float(check(prompt, answer_text(pair.tokenizer, trace.tokens))))
        seen.accepted.extend(cycle.accepted for cycle in trace.cycles)
    return seen


def _meeting(judge: str, pair: str, reference: ShiftReference, seen: _Seen) -> Meeting:
    share = proportion(seen.right)
    shift = family_shift(reference, [score for score in seen.scores if score is not None])
    right_flagged = sum(
        score is not None and score.value > reference.cut
        for score, right in zip(seen.scores, seen.right, strict=True)
        if right
    )
    return Meeting(
        judge=judge,
        pair=pair,
        right=share.value,
        right_stderr=share.stderr,
        accepted_per_cycle=sum(seen.accepted) / len(seen.accepted),
        answers=shift.answers,
        flagged=shift.flagged,
        right_flagged=right_flagged,
        by_drafts=shift.by_drafts,
        chance=shift.chance,
        shifted=shift.shifted,
    )


def _row(one: Meeting) -> list[str]:
    return [
        one.judge if len(one.judge) < 32 else f"...{one.judge[-29:]}",
        one.pair,
        f"{100 * one.right:.1f} ± {100 * one.right_stderr:.1f} %",
        f"{one.accepted_per_cycle:.2f}",
        f"{one.flagged} of {one.answers}",
        str(one.right_flagged),
        str(one.by_drafts),
        f"{one.chance:.2g}{' shifted' if one.shifted else ''}",
    ]


if __name__ == "__main__":
    run_script(main)
