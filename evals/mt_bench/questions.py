"""MT-Bench's questions: two turns each, in eight categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evals.speed import spread_evenly
from judge_lightning.court.rejects import Rejected
from judge_lightning.court.sources.formats import RowError
from judge_lightning.court.sources.formats.mt_bench import references_of, turns_of
from judge_lightning.court.sources.places import Row
from judge_lightning.errors import UserError

TURNS = 2

GREEDY, BY_CATEGORY = "greedy", "category"
SAMPLINGS = (GREEDY, BY_CATEGORY)

TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}
"""At which MT-Bench's own answers are sampled (``temperature_config`` of FastChat's llm_judge)."""

_OTHER_TEMPERATURE = 0.7
"""FastChat's, for a category that it does not know."""

WITH_REFERENCE = frozenset({"math", "reasoning", "coding"})
"""Where a grader is shown a reference, because it is led astray by wrong answers without one
(arXiv 2306.05685, section 3.3)."""

_ID_FIELDS = ("question_id", "prompt_id", "id")


@dataclass(frozen=True)
class BenchQuestion:
    """``references`` are those of the two turns, empty texts where there is none."""

    id: str
    category: str
    turns: tuple[str, str]
    references: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        # JSON makes lists of them.
        object.__setattr__(self, "turns", tuple(self.turns))
        object.__setattr__(self, "references", tuple(self.references))

    def reference(self, turn: int) -> str:
        """What the grader is shown beside the answer to that turn (1 or 2); may be empty."""
        return self.references[turn - 1].strip() if self.category in WITH_REFERENCE else ""


def read_questions(rows: Iterable[Row | Rejected]) -> list[BenchQuestion]:
    """The questions of a file or of a data set of the Hub (``judge_lightning.court.sources``).

    Raises:
        UserError: A row is no question of two turns, or its id stands twice. A benchmark with a
            hole is none, so nothing is left out.
    """
    questions = [_question(row, number) for number, row in enumerate(rows, start=1)]
    twice = [name for name, count in Counter(q.id for q in questions).items() if count > 1]
    if twice:
        raise UserError(
            "mt_bench.path", f"the question {twice[0]!r} stands twice", "give every one its own id"
        )
    return questions


def choose_questions(
    questions: Sequence[BenchQuestion],
    categories: Sequence[str] | None = None,
    count: int | None = None,
) -> list[BenchQuestion]:
    """Those of some categories, and of them ``count``, spread evenly over the file's order.

    Raises:
        UserError: There is no such category, or no question.
    """
    known = list(dict.fromkeys(question.category for question in questions))
    for category in categories or ():
        if category not in known:
            raise UserError(
                "mt_bench.categories",
                f"there is no category {category!r}",
                f"use some of {', '.join(known)}",
            )
    chosen = [
        question for question in questions if not categories or question.category in categories
    ]
    if not chosen:
        raise UserError("mt_bench.path", "holds no question", "name a file of MT-Bench's questions")
    return chosen if count is None else spread_evenly(chosen, count)


def temperature_of(question: BenchQuestion, sampling: str) -> float:
    """At which a question is answered: 0 (greedy), or its category's."""
    if sampling == GREEDY:
        return 0.0
    return TEMPERATURES.get(question.category, _OTHER_TEMPERATURE)


def _question(row: Row | Rejected, number: int) -> BenchQuestion:
    if isinstance(row, Rejected):
        raise UserError(row.place, f"{row.reason} ({row.detail})", "mend or remove that line")
    try:
        turns, references = turns_of(row.values), references_of(row.values)
    except RowError as error:
        raise UserError(row.place, str(error), "give a list of two turns") from None
    if len(turns) != TURNS or not turns[1].strip():
        filled = sum(1 for turn in turns if turn.strip())
        raise UserError(row.place, f"has {filled} of two turns", "MT-Bench's questions have two")
    named = next((row.values[name] for name in _ID_FIELDS if name in row.values), number)
    padded = [*references, "", ""]
    return BenchQuestion(
        id=str(named),
        category=str(row.values.get("category") or "other"),
        turns=(turns[0], turns[1]),
        references=(padded[0], padded[1]),
    )
