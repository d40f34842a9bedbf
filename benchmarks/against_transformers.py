"""Our decoders beside transformers' own generation: same pair, draft length and prompts, greedy.

    python -m benchmarks.against_transformers [--judge FOLDER]

Everybody answers every prompt, in turns, in one process. transformers' assisted generation is
set to propose as many tokens as we do (a constant schedule, no confidence threshold). Texts
differ where the judge decides, so speeds are compared in tokens per second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

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
from benchmarks.standin_cost import pass_costs
from benchmarks.subjects import held_out_prompts, load_judge, pair_config, prompt_ids
from judge_lightning import AutoregressiveDecoder, JudgeHead, SpeculativeDecoder
from judge_lightning.court.checkers import check
from judge_lightning.court.prompting import answer_text
from judge_lightning.court.records import Prompt
from judge_lightning.decoding.engine import ENGINES, Engine, make_engine
from judge_lightning.decoding.trace import Trace
from judge_lightning.models.pair import Pair
from judge_lightning.verifiers import Exact, Judge, Verifier
from pipelines.pair import pair_loader
from pipelines.stand_in import describe_stand_in

PLAIN, ASSISTED = "transformers plain", "transformers assisted"
GOALS = {
    ("exact", ASSISTED): 1.8,
    ("judge", ASSISTED): 3.0,
    ("judge", PLAIN): 8.0,
}
"""Speed over another's, for the faster of our engines, where a target costs 12 drafts or more."""

WARM_UP_TOKENS = 8

Answer = Callable[[Tensor, int], tuple[Tensor, Trace | None]]
"""Prompt (1, T) and the most new tokens, to the sequence (1, T + new)."""


@dataclass
class Contender:
    """Who answers, and what came of it. ``seconds`` are the clock's, prompts included."""

    answer: Answer
    tokens: int = 0
    seconds: float = 0.0
    right: int = 0
    cycles: int = 0
    accepted: int = 0
    texts: list[list[int]] = field(default_factory=list)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds

    @property
    def accepted_per_cycle(self) -> float | None:
        return self.accepted / self.cycles if self.cycles else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    add_clock(parser)
    parser.add_argument("--pair", default="standin_cpu")
    parser.add_argument("--judge", type=Path, help="a judge's folder; else the newest trained one")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--draft-length", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=10)
    parser.add_argument("--new-tokens", type=int, default=200, help="at most, per prompt")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("overrides", nargs="*", help="pair.target.grow.num_hidden_layers=24 ...")
    given = start(parser, arguments)
    if given.quick:
        given.prompts, given.new_tokens, given.draft_length = 1, 12, 4
    config = pair_config(given.pair, given.overrides)
    head = load_judge(config, given.judge, given.artifacts)
    pair = pair_loader(config)()
    engines = {name: make_engine(name) for name in given.engines}
    contenders = make_contenders(pair, head, given.draft_length, engines)
    clock = CLOCKS[given.clock]
    questions = held_out_prompts(given.prompts)
    for engine in engines.values():
        engine.reserve(longest_prompt(pair, questions) + given.new_tokens)
    compete(pair, contenders, questions, given.new_tokens, clock)
    passes = pass_costs(pair, given.draft_length + 1, 2 if given.quick else 15, clock)
    result = {
        "pair": given.pair,
        "stand_in": describe_stand_in(config.pair) or None,
        "draft_length": given.draft_length,
        "clock": given.clock,
        "prompts": given.prompts,
        "judge_threshold": head.config.threshold,
        "eager_milliseconds": passes,
        "target_over_draft": passes["target, 1 token"] / passes["draft, 1 token"],
        "block_over_token": passes["target, block"] / passes["target, 1 token"],
        "compile_seconds": sum(engine.compile_seconds for engine in engines.values()),
        "contenders": {name: _summary(contender) for name, contender in contenders.items()},
        "ratios": ratios(contenders),
        "exact_writes_what_plain_writes": _agreement(contenders),
    }
    _print(result, contenders)
    save("against_transformers", result, given.out)


def make_contenders(
    pair: Pair, head: JudgeHead, draft_length: int, engines: dict[str, Engine]
) -> dict[str, Contender]:
    """transformers' two ways of generation, and our three with every engine."""
    target, draft = pair.target, pair.draft
    contenders = {
        PLAIN: Contender(_generate(target)),
        ASSISTED: Contender(_generate(target, assistant_model=_assistant(draft, draft_length))),
    }
    for name, engine in engines.items():
        verifiers: dict[str, Verifier] = {"exact": Exact(), "judge": Judge(head)}
        alone = AutoregressiveDecoder(target, engine)
        contenders[f"target {name}"] = Contender(_ours(alone))
        for rule, verifier in verifiers.items():
            decoder = SpeculativeDecoder(target, draft, verifier, draft_length, engine)
            contenders[f"{rule} {name}"] = Contender(_ours(decoder))
    return contenders


def compete(
    pair: Pair,
    contenders: dict[str, Contender],
    questions: Sequence[Prompt],
    new_tokens: int,
    clock: Clock,
) -> None:
    """Lets everybody answer every prompt; who goes first changes with the prompt."""
    texts = [prompt_ids(pair.tokenizer, prompt, pair.target.device) for prompt in questions]
    for contender in contenders.values():
        contender.answer(texts[0], WARM_UP_TOKENS)
    names = list(contenders)
    for number, (question, ids) in enumerate(zip(questions, texts, strict=True)):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            contender = contenders[name]
            started = clock()
            sequence, trace = contender.answer(ids, new_tokens)
            contender.seconds += clock() - started
            new = sequence[0, ids.shape[1] :].tolist()
            contender.tokens += len(new)
            contender.texts.append(new)
            contender.right += check(question, answer_text(pair.tokenizer, new))
            if trace is not None:
                contender.cycles += len(trace.cycles)
                contender.accepted += sum(cycle.accepted for cycle in trace.cycles)


def longest_prompt(pair: Pair, questions: Sequence[Prompt]) -> int:
    """Tokens of the longest question, for which static caches make room at once."""
    device = torch.device("cpu")
    return max(prompt_ids(pair.tokenizer, question, device).shape[1] for question in questions)


def ratios(contenders: dict[str, Contender]) -> list[dict[str, Any]]:
    """Speed of each of our decoders over transformers', with the goal where there is one."""
    return [
        {
            "ours": name,
            "theirs": theirs,
            "ratio": contender.tokens_per_second / contenders[theirs].tokens_per_second,
            "goal": GOALS.get((name.split()[0], theirs)),
        }
        for name, contender in contenders.items()
        if name not in (PLAIN, ASSISTED)
        for theirs in (PLAIN, ASSISTED)
    ]


def _generate(target: PreTrainedModel, **options: Any) -> Answer:
    def answer(ids: Tensor, new_tokens: int) -> tuple[Tensor, None]:
        generate: Any = target.generate
        mask = torch.ones_like(ids)
        sequence = generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=new_tokens, **options
        )
        return sequence, None

    return answer


def _assistant(draft: PreTrainedModel, draft_length: int) -> PreTrainedModel:
    """The draft, told to propose ``draft_length`` tokens always: transformers asks its config."""
    settings: Any = draft.generation_config
    settings.num_assistant_tokens = draft_length
    settings.num_assistant_tokens_schedule = "constant"
    settings.assistant_confidence_threshold = 0.0
    return draft


def _ours(decoder: AutoregressiveDecoder | SpeculativeDecoder) -> Answer:
    speculative = isinstance(decoder, SpeculativeDecoder)

    def answer(ids: Tensor, new_tokens: int) -> tuple[Tensor, Trace | None]:
        output = decoder.generate(ids, new_tokens)
        return output.sequences, output.trace if speculative else None

    return answer


def _summary(contender: Contender) -> dict[str, Any]:
    return {
        "tokens": contender.tokens,
        "seconds": contender.seconds,
        "tokens_per_second": contender.tokens_per_second,
        "accepted_per_cycle": contender.accepted_per_cycle,
        "right": contender.right,
    }


def _agreement(contenders: dict[str, Contender]) -> bool:
    """Float32 sums differ in their order between passes, so a tie may fall the other way."""
    plain = contenders[PLAIN].texts
    return all(c.texts == plain for name, c in contenders.items() if not name.startswith("judge"))


def _print(result: dict[str, Any], contenders: dict[str, Contender]) -> None:
    plain, assisted = (contenders[name].tokens_per_second for name in (PLAIN, ASSISTED))
    goals = {(row["ours"], row["theirs"]): row["goal"] for row in result["ratios"] if row["goal"]}

    def against(name: str, theirs: str, speed: float) -> str:
        goal = goals.get((name, theirs))
        return f"{speed:.2f}" + (f" (goal {goal:g})" if goal else "")

    print_table(
        f"{result['pair']}, {result['draft_length']} draft tokens, {result['prompts']} prompts",
        ["", "tokens/s", "accepted", "over plain", "over assisted", "right"],
        [
            (
                name,
                f"{c.tokens_per_second:.1f}",
                "" if c.accepted_per_cycle is None else f"{c.accepted_per_cycle:.2f}",
                against(name, PLAIN, c.tokens_per_second / plain),
                against(name, ASSISTED, c.tokens_per_second / assisted),
                f"{c.right} of {len(c.texts)}",
            )
            for name, c in contenders.items()
        ],
    )
    if result["stand_in"]:
        note(f"a stand-in: {result['stand_in']}")
    note(
        f"a target pass costs {result['target_over_draft']:.1f} draft passes, one over a block"
        f" {result['block_over_token']:.2f} over a token (eager);"
        f" compilation took {result['compile_seconds']:.0f} s, apart from these times"
    )
    if not result["exact_writes_what_plain_writes"]:
        note("some answer of an exact decoder differs from plain generation's: look for a tie")


if __name__ == "__main__":
    run_script(main)
