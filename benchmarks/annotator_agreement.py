"""Where annotators see the first mistake, beside the oracle, on the micro world's answers.

The drafts' own wrong answers, and their and the target's right ones, are annotated by every
annotator: ``python -m benchmarks.annotator_agreement``. The oracle knows every right way to
answer, so what it marks is the truth. Right answers that hold a mistake (a lucky result) are
counted apart from clean ones.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from statistics import fmean
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from benchmarks.subjects import held_out_prompts, pair_config
from judge_lightning.court.annotators import Case, Finding, Tools, load_annotator
from judge_lightning.court.checkers import check
from judge_lightning.court.drafters import Drafter, generate_answers
from judge_lightning.court.labels import mark_mistake, token_spans
from judge_lightning.court.tuples import distinct_answers
from pipelines.config import ModelConfig, RunConfig
from pipelines.pair import load_pair_model, load_pair_tokenizer

NEAR = 3
"""Tokens by which a place may miss the oracle's and still be called near."""


@dataclass(frozen=True)
class Contender:
    """One annotator with its options."""

    label: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)


CONTENDERS = (
    Contender("oracle", "oracle"),
    Contender("rollout", "rollout"),
    Contender("rollout, 4 tries", "rollout", {"k": 4, "temperature": 0.7}),
    Contender("rollout, steps", "rollout", {"granularity": "steps"}),
    Contender("rollout, retractions count", "rollout", {"retractions": []}),
    Contender("swap", "swap"),
    Contender("swap, retractions count", "swap", {"retractions": []}),
    Contender("calculator", "calculator"),
)


@dataclass(frozen=True)
class Agreement:
    """What one annotator said about the wrong and the right answers.

    ``exact`` and ``near`` are shares of all wrong answers whose mistake lies in a token;
    ``decided`` of all wrong answers. ``false_alarms`` is of clean right answers, ``lucky`` of
    right answers that hold a mistake after all. Generations are per answer.
    """

    label: str
    decided: float
    exact: float
    near: float
    covered: float
    false_alarms: float
    lucky: float
    generations_wrong: float
    generations_right: float
    confidence_exact: float
    confidence_else: float
    notes: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class Court:
    """Distinct answers of the drafts and the target, with what the oracle says of them.

    ``truth`` is the half-open token range of each answer's mistake, None where it has none.
    """

    wrong: list[Case]
    right: list[Case]
    truth: dict[int, tuple[int, int] | None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    parser.add_argument("--wrong", type=int, default=300, help="wrong answers looked at")
    parser.add_argument("--right", type=int, default=200, help="right answers looked at")
    labels = [contender.label for contender in CONTENDERS]
    parser.add_argument("--annotators", nargs="+", default=labels, choices=labels)
    parser.add_argument("--seed", type=int, default=0)
    given = start(parser, arguments)
    if given.quick:
        given.wrong, given.right = 4, 4
    config = pair_config("micro")
    tokenizer = load_pair_tokenizer(config)
    load = cache(lambda path: load_pair_model(config, ModelConfig(path=path)))
    court = mine(config, tokenizer, load, given.wrong, given.right)
    rows = []
    for contender in CONTENDERS:
        if contender.label in given.annotators:
            tools = Tools(
                tokenizer=tokenizer,
                check=check,
                load_target=lambda: load(config.pair.target.path),
                load_chat=_no_chat,
                options=contender.options,
                seed=given.seed,
                batch_size=64,
            )
            rows.append(compare(contender, tools, court))
    _print(rows, court)
    result = {
        "wrong": len(court.wrong),
        "right": len(court.right),
        "lucky": sum(court.truth[id(case)] is not None for case in court.right),
        "results": [asdict(row) for row in rows],
    }
    save("annotator_agreement", result, given.out)


def mine(
    config: RunConfig,
    tokenizer: PreTrainedTokenizerBase,
    load: Callable[[str], PreTrainedModel],
    wrong: int,
    right: int,
) -> Court:
    """Writes the answers of the quickstart's authors to as many prompts as are needed."""
    prompts = held_out_prompts(max(wrong, right) // 2 + 2)
    authors = {"target": (config.pair.target.path, Drafter("target"))}
    for name, drafter in config.mine.drafters.items():
        path = config.pair.draft.path if drafter.model == "draft" else drafter.model
        authors[name] = (path, Drafter(name, drafter.temperature, drafter.samples))
    cases: dict[bool, list[Case]] = {False: [], True: []}
    answers = [
        generate_answers(
            load(path),
            tokenizer,
            prompts,
            drafter,
            max_new_tokens=config.mine.max_new_tokens,
            batch_size=64,
        )
        for path, drafter in authors.values()
    ]
    for prompt, *of_prompt in zip(prompts, *answers, strict=True):
        for is_right in cases:
            distinct = distinct_answers(of_prompt, right=is_right)
            cases[is_right] += [Case(prompt, answer) for answer in distinct]
    for of_kind in cases.values():
        random.Random(0).shuffle(of_kind)
    court = Court(cases[False][:wrong], cases[True][:right], {})
    everything = [*court.wrong, *court.right]
    for case, found in zip(everything, load_annotator("oracle")(everything), strict=True):
        court.truth[id(case)] = _tokens(case, found, tokenizer)
    return court


def compare(contender: Contender, tools: Tools, court: Court) -> Agreement:
    """Annotates the whole court and counts."""
    annotate = load_annotator(contender.name, tools)
    began = time.perf_counter()
    wrong, right = annotate(court.wrong), annotate(court.right)
    seconds = time.perf_counter() - began
    exact, near, covered = [], [], []
    confidence: dict[bool, list[float]] = {True: [], False: []}
    for case, found in zip(court.wrong, wrong, strict=True):
        truth = court.truth[id(case)]
        said = _tokens(case, found, tools.tokenizer)
        if truth is None:  # Cut off before a mistake: nothing to agree on.
            continue
        exact.append(said is not None and said[0] == truth[0])
        near.append(said is not None and abs(said[0] - truth[0]) <= NEAR)
        covered.append(said is not None and said[0] <= truth[0] < said[1])
        if found.mistake is not None:
            confidence[exact[-1]].append(found.mistake.confidence)
    flagged: dict[bool, list[bool]] = {True: [], False: []}
    for case, found in zip(court.right, right, strict=True):
        flagged[court.truth[id(case)] is None].append(found.mistake is not None)
    notes = [found.note for found in (*wrong, *right) if found.note]
    return Agreement(
        label=contender.label,
        decided=fmean(found.decided for found in wrong),
        exact=fmean(exact),
        near=fmean(near),
        covered=fmean(covered),
        false_alarms=_mean(flagged[True]),
        lucky=_mean(flagged[False]),
        generations_wrong=fmean(found.generations for found in wrong),
        generations_right=fmean(found.generations for found in right),
        confidence_exact=_mean(confidence[True]),
        confidence_else=_mean(confidence[False]),
        notes={note: notes.count(note) for note in sorted(set(notes))},
        seconds=seconds,
    )


def _tokens(
    case: Case, found: Finding, tokenizer: PreTrainedTokenizerBase
) -> tuple[int, int] | None:
    if found.mistake is None:
        return None
    characters = (found.mistake.start, found.mistake.end)
    spans = token_spans(tokenizer, case.answer.token_ids)
    marked = mark_mistake(spans, characters, finished=case.answer.finished)
    return None if marked is None else marked.mistake


def _no_chat() -> Any:
    raise AssertionError("no contender asks a chat model")


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _print(rows: Sequence[Agreement], court: Court) -> None:
    columns = "annotator|decided|exact|near|covered|false|lucky|tries|right|sure|unsure"
    print_table(
        f"the first mistake of {len(court.wrong)} wrong answers, by annotator",
        columns.split("|"),
        [
            (
                row.label,
                *(
                    f"{100 * share:.1f} %"
                    for share in (
                        row.decided,
                        row.exact,
                        row.near,
                        row.covered,
                        row.false_alarms,
                        row.lucky,
                    )
                ),
                f"{row.generations_wrong:.1f}",
                f"{row.generations_right:.1f}",
                f"{row.confidence_exact:.2f}",
                f"{row.confidence_else:.2f}",
            )
            for row in rows
        ],
    )
    note("false: alarms in clean right answers; lucky: right ones with a mistake, found")
    note("tries: generations per wrong answer, right: per right one")
    note("sure, unsure: mean confidence where the token is the oracle's, and elsewhere")
    lucky = sum(court.truth[id(case)] is not None for case in court.right)
    note(f"{len(court.right)} right answers, {lucky} of them lucky: they hold a mistake")
    for row in rows:
        if row.notes:
            note(f"{row.label}: " + ", ".join(f"{n} x {what}" for what, n in row.notes.items()))


if __name__ == "__main__":
    run_script(main)
