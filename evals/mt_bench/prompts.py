"""What a grader is asked, and how its verdict is read.

The two ways of grading, the reference beside the answer and the verdict in double square brackets
are those of Zheng et al., "Judging LLM-as-a-judge with MT-Bench and Chatbot Arena"
(arXiv 2306.05685, section 3.1); the words are our own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from evals.mt_bench.questions import BenchQuestion
from judge_lightning.court.chat import Message

LOWEST, HIGHEST = 1.0, 10.0

FIRST, SECOND, NEITHER = "A", "B", "C"
"""Which of two conversations a grader prefers."""

_WHAT_COUNTS = """\
What counts is whether the answer is correct, does what the user asked for, leaves nothing out \
that matters, and is clear. Length alone is worth nothing, and neither is a confident tone."""

_SINGLE = f"""\
You grade the answer of an AI assistant. {_WHAT_COUNTS}
Say in a few sentences what is good and what is wrong with it. Then give your grade on a line of \
its own: a number from 1 (worthless) to 10 (nothing could be better) in double square brackets, \
for example [[6]]."""

_PAIR = f"""\
You compare the answers of two AI assistants, A and B, to the same user. {_WHAT_COUNTS} Which of \
the two is shown first means nothing.
Say in a few sentences where they differ and which difference matters. Then give your verdict on a \
line of its own: [[A]] if assistant A is better, [[B]] if assistant B is better, [[C]] if they are \
equally good."""

_SECOND_TURN = """\
The conversation has two turns. Decide about the answer in turn 2 alone; turn 1 is there to be \
understood."""

_REFERENCE = """\
A reference is shown too. Find out first whether the result agrees with it. Another way to the \
same result is as good."""

SINGLE_REMINDER = """\
There is no grade in that reply. Reply with the grade alone, a number from 1 to 10 in double \
square brackets, such as [[6]]."""

PAIR_REMINDER = """\
There is no verdict in that reply. Reply with the verdict alone: [[A]], [[B]] or [[C]]."""

_SCORE = re.compile(r"\[\[\s*(?:rating\s*:\s*)?(\d+(?:\.\d+)?)\s*(?:/\s*10)?\s*\]\]", re.IGNORECASE)
_PREFERENCE = re.compile(r"\[\[\s*([ABC])\s*\]\]", re.IGNORECASE)


def ask_for_score(question: BenchQuestion, answers: Sequence[str]) -> tuple[Message, ...]:
    """Asks for a grade of the last of ``answers``, one or both turns of one assistant."""
    parts = [
        *_reference(question, len(answers)),
        *_conversation(question, answers, "The assistant"),
    ]
    return _messages(_SINGLE, question, len(answers), parts)


def ask_for_preference(
    question: BenchQuestion, first: Sequence[str], second: Sequence[str]
) -> tuple[Message, ...]:
    """Asks which of two conversations is better in its last turn; ``first`` is shown as A."""
    parts = _reference(question, len(first))
    for name, answers in ((FIRST, first), (SECOND, second)):
        parts.append(f"===== The conversation with assistant {name} =====")
        parts += _conversation(question, answers, f"Assistant {name}")
    return _messages(_PAIR, question, len(first), parts)


def read_score(reply: str) -> float | None:
    """The last grade in a reply; None where there is none from 1 to 10.

    The last, because a reply may quote the form of a grade before it gives one.
    """
    found = _SCORE.findall(reply)
    score = float(found[-1]) if found else 0.0
    return score if LOWEST <= score <= HIGHEST else None


def read_preference(reply: str) -> str | None:
    """The last verdict in a reply: ``A``, ``B`` or ``C``; None where there is none."""
    found = _PREFERENCE.findall(reply)
    return str(found[-1]).upper() if found else None


def _messages(
    instructions: str, question: BenchQuestion, turn: int, parts: Sequence[str]
) -> tuple[Message, ...]:
    system = [instructions]
    if turn > 1:
        system.append(_SECOND_TURN)
    if _reference(question, turn):
        system.append(_REFERENCE)
    return Message("system", "\n".join(system)), Message("user", "\n\n".join(parts))


def _reference(question: BenchQuestion, turn: int) -> list[str]:
    references = [(number, question.reference(number)) for number in range(1, turn + 1)]
    return [
        f"===== Reference for turn {number} =====\n{text}" for number, text in references if text
    ]


def _conversation(question: BenchQuestion, answers: Sequence[str], name: str) -> list[str]:
    parts = []
    for number, answer in enumerate(answers, start=1):
        asked = question.turns[number - 1]
        parts += [
            f"===== The user, turn {number} =====\n{asked}",
            f"===== {name}, turn {number} =====\n{answer or '(an empty answer)'}",
        ]
    return parts
