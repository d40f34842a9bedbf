"""Decoded answers to look at, token by token, beside what the target alone writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evals.example_choice import ByPrompt, choose_examples
from evals.generations import Generation
from evals.shown_tokens import Decode, ShownToken, Spell, show_tokens
from evals.token_chances import TraceChances
from judge_lightning.court.records import Prompt

if TYPE_CHECKING:
    from judge_lightning.decoding.trace import Trace

ReadTraces = Callable[[Sequence[Prompt], Sequence["Trace"]], Sequence[TraceChances]]


@dataclass(frozen=True)
class Example:
    """One prompt with the judge decoder's answer, token by token, beside the target's own.

    ``reason`` says by which rule it was chosen. ``exact_cycles`` is None where standard
    speculative decoding was not run. ``proposed`` counts each cycle's draft tokens; None, like
    the judge's ``threshold``, where an older file does not say.
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
    proposed: list[int] | None = None
    threshold: float | None = None

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(token.text for token in self.tokens)

    @property
    def changed(self) -> bool:
        """Whether it is another text than the target's own answer."""
        return self.text != self.target_text

    def by_cycle(self) -> list[list[ShownToken]]:
        """The tokens that each cycle added: the target's own token ends one."""
        cycles: list[list[ShownToken]] = [[]]
        for token in self.tokens:
            cycles[-1].append(token)
            if token.fate == "target":
                cycles.append([])
        return [cycle for cycle in cycles if cycle]


def make_examples(
    prompts: Sequence[Prompt],
    generations: Mapping[str, ByPrompt],
    headline: str,
    decode: Decode,
    *,
    read: ReadTraces | None = None,
    spell: Spell | None = None,
) -> Iterator[Example]:
    """Builds the chosen examples, in the prompts' order.

    Args:
        generations: Per decoder; the target's and the judge's at least.
        decode: Tokens to text, special tokens left out.
        read: Gives what both models think of the chosen answers' tokens.
        spell: Names a token that has no text.
    """
    from judge_lightning.decoding.trace import Trace

    target, judge, exact = generations["target"], generations["judge"], generations.get("exact")
    reasons = choose_examples(prompts, target, judge, headline)
    chosen = [prompt for prompt in prompts if prompt.id in reasons]
    traces = [Trace.from_json(judge[prompt.id].trace) for prompt in chosen]
    chances = read(chosen, traces) if read else [None] * len(chosen)
    for prompt, trace, found in zip(chosen, traces, chances, strict=True):
        judged, alone = judge[prompt.id], target[prompt.id]
        yield Example(
            reason=reasons[prompt.id],
            prompt_id=prompt.id,
            family=prompt.family,
            prompt=prompt.text,
            reference=prompt.reference,
            tokens=show_tokens(trace, decode, found, spell),
            right=judged.right,
            cycles=len(trace.cycles),
            exact_cycles=_cycle_count(exact[prompt.id]) if exact else None,
            target_text=alone.text,
            target_right=alone.right,
            proposed=[len(cycle.proposed) for cycle in trace.cycles],
            threshold=trace.threshold,
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
    return [
        Example(**{**row, "tokens": [ShownToken.from_json(t) for t in row["tokens"]]})
        for row in rows
    ]


def _cycle_count(generation: Generation) -> int:
    return len(generation.trace["cycles"])
