"""A few decoded answers to look at, chosen by rule: as they come, and where it went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evals.generations import Generation
from evals.shown_tokens import Decode, ShownToken, show_tokens
from judge_lightning.court.records import Prompt

AS_IT_COMES = "as it comes"
GUARDED = "the judge at work"
COST = "what it cost"
ELSEWHERE = "outside the training domain"

ByPrompt = Mapping[str, Generation]


@dataclass(frozen=True)
class Example:
    """One prompt with the judge decoder's answer, token by token, beside the target's own.

    ``reason`` says by which rule it was chosen. ``exact_cycles`` is None where standard
    speculative decoding was not run.
    """

    reason: str
    prompt_id: str
    family: str
    prompt: str
    reference: str
    tokens: list[ShownToken]
    right: bool
    cycles: int
    exact_cycles: int | None
    target_text: str
    target_right: bool


def choose_examples(
    prompts: Sequence[Prompt], target: ByPrompt, judge: ByPrompt, headline: str
) -> dict[str, str]:
    """Maps the ids of the chosen prompts to the rule that chose each.

    The first two of the headline family as they come; the one whose refused draft token the
    judge was surest about; up to two that the judge got wrong and the target did not; and
    the first of every other family.
    """
    home = [prompt.id for prompt in prompts if prompt.family == headline]
    families = dict.fromkeys(prompt.family for prompt in prompts if prompt.family != headline)
    firsts = [next(p.id for p in prompts if p.family == family) for family in families]
    refusing = [i for i in home if judge[i].right and _surest_refusal(judge[i]) is not None]
    refusing.sort(key=lambda i: _surest_refusal(judge[i]) or 0.0)
    failures = [i for i in home if target[i].right and not judge[i].right]
    chosen = dict.fromkeys(home[:2], AS_IT_COMES)
    for reason, ids in ((COST, failures[:2]), (ELSEWHERE, firsts)):
        for prompt_id in ids:
            chosen.setdefault(prompt_id, reason)
    for prompt_id in [i for i in refusing if i not in chosen][:1]:
        chosen[prompt_id] = GUARDED
    return chosen


def make_examples(
    prompts: Sequence[Prompt],
    generations: Mapping[str, ByPrompt],
    headline: str,
    decode: Decode,
) -> Iterator[Example]:
    """Builds the chosen examples, in the prompts' order; ``generations`` is per decoder."""
    from judge_lightning.decoding.trace import Trace

    target, judge, exact = generations["target"], generations["judge"], generations.get("exact")
    chosen = choose_examples(prompts, target, judge, headline)
    for prompt in prompts:
        if prompt.id not in chosen:
            continue
        judged, alone = judge[prompt.id], target[prompt.id]
        trace = Trace.from_json(judged.trace)
        yield Example(
            reason=chosen[prompt.id],
            prompt_id=prompt.id,
            family=prompt.family,
            prompt=prompt.text,
            reference=prompt.reference,
            tokens=show_tokens(trace, decode),
            right=judged.right,
            cycles=len(trace.cycles),
            exact_cycles=_cycle_count(exact[prompt.id]) if exact else None,
            target_text=alone.text,
            target_right=alone.right,
        )


def write_examples(path: Path, examples: Iterator[Example]) -> None:
    """Writes one example a line."""
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(asdict(example), ensure_ascii=False, sort_keys=True) + "\n")


def read_examples(path: Path) -> list[Example]:
    """Reads what ``write_examples`` wrote; none when the judge was not among the decoders."""
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Example(**{**row, "tokens": [ShownToken(**t) for t in row["tokens"]]}) for row in rows]


def _surest_refusal(judged: Generation) -> float | None:
    """The lowest probability that the judge gave to a draft token that ended a cycle."""
    refusals = [
        cycle["judge"][cycle["accepted"]]
        for cycle in judged.trace["cycles"]
        if cycle["judge"] and cycle["accepted"] < len(cycle["proposed"])
    ]
    return min(refusals, default=None)


def _cycle_count(generation: Generation) -> int:
    return len(generation.trace["cycles"])
