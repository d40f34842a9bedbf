"""The first wrong step as a prompted model names it; what it says has to stand in the answer.

The model is shown the question, the reference and the answer with its steps numbered, and replies
with the number of the first wrong step and the words in it that are wrong. A reply that is no
such thing, that names a step which does not exist, or words which do not stand in it, decides
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from json import JSONDecodeError, JSONDecoder
from typing import Any

from judge_lightning.court.annotators import Annotator, Case, Finding, Mistake, Tools, read_options
from judge_lightning.court.chat import Completion, Failure, Message, Question
from judge_lightning.court.steps import step_spans
from judge_lightning.errors import UserError

INSTRUCTIONS = """\
You check worked answers. Read the question, the reference and the numbered steps of the answer. \
Find the first step that contains a mistake: a wrong calculation, a wrong number, a wrong use of \
an earlier result, or a statement that does not follow. A step that is only said another way than \
in the reference is no mistake.
Reply with one JSON object and nothing else: {"step": N, "quote": "..."}. N is the number of the \
first wrong step; the quote is the shortest part of that step that is wrong, copied letter by \
letter. If no step is wrong, reply {"step": 0, "quote": ""}."""

UNREADABLE, NO_STEP, NO_QUOTE, UNFINISHED = (
    "reply is not JSON",
    "reply names no step",
    "reply quotes what is not there",
    "reply is cut off",
)


@dataclass(frozen=True)
class OPTIONS:
    """How the model is asked, and how sure it is taken to be.

    ``votes`` replies at ``temperature``: the step that most of them name counts, the earliest of
    several, with its share of votes as confidence, of all where there is one.
    """

    votes: int = 1
    temperature: float = 0.0
    max_new_tokens: int = 200
    confidence: float = 0.8

    def __post_init__(self) -> None:
        for name in ("votes", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise UserError(f"annotate.options.{name}", "must be positive", "give 1 or more")
        if self.votes > 1 and self.temperature <= 0:
            raise UserError(
                "annotate.options.votes",
                f"{self.votes} greedy replies are all the same",
                "give votes=1 or a temperature above 0",
            )
        if not 0 <= self.confidence <= 1:
            raise UserError("annotate.options.confidence", "is no share", "give 0 to 1")


def build(tools: Tools) -> Annotator:
    """The annotator; the model is loaded, or its endpoint looked for, with the first answers."""
    options = read_options(tools.options, OPTIONS)
    load_chat = cache(tools.load_chat)

    def annotate(cases: Sequence[Case]) -> list[Finding]:
        questions = [ask_about(case, options) for case in cases]
        replies = load_chat().ask(questions)
        return [
            judge_replies(case.answer.text, reply, options)
            for case, reply in zip(cases, replies, strict=True)
        ]

    return annotate


def ask_about(case: Case, options: OPTIONS) -> Question:
    """The question put to the model about one answer."""
    text = case.answer.text
    steps = "\n".join(
        f"{number}. {text[start:end]}"
        for number, (start, end) in enumerate(step_spans(text), start=1)
    )
    asked = (
        f"Question:\n{case.prompt.text}\n\nReference:\n{case.prompt.reference}\n\n"
        f"Answer:\n{steps}\n\nWhich step is the first wrong one?"
    )
    return Question(
        id=f"annotate:{case.prompt.id}:{case.answer.author}:{case.answer.sample}",
        messages=(Message("system", INSTRUCTIONS), Message("user", asked)),
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        samples=options.votes,
    )


def judge_replies(text: str, replies: Sequence[Completion | Failure], options: OPTIONS) -> Finding:
    """What the replies about one answer come to."""
    findings = [read_reply(text, reply, options.confidence) for reply in replies]
    decided = [found for found in findings if found.decided]
    count = len(replies)
    if not decided:
        return Finding(None, False, count, findings[0].note)
    places = [None if f.mistake is None else f.mistake.start for f in decided]
    # Of places with as many votes the earliest, and one before none.
    chosen = min(
        range(len(decided)),
        key=lambda n: (-places.count(places[n]), places[n] is None, places[n] or 0),
    )
    mistake = decided[chosen].mistake
    if mistake is not None and count > 1:
        share = places.count(places[chosen]) / count
        evidence = f"{mistake.evidence} ({places.count(places[chosen])} of {count} replies)"
        mistake = Mistake(mistake.start, mistake.end, share, evidence)
    return Finding(mistake, True, count)


def read_reply(text: str, reply: Completion | Failure, confidence: float) -> Finding:
    """One reply, held against the answer's text."""
    if isinstance(reply, Failure):
        return _undecided(reply.reason)
    said = _first_object(reply.text)
    if said is None:
        return _undecided(UNREADABLE if reply.finished else UNFINISHED)
    step, quote = said.get("step"), said.get("quote")
    steps = step_spans(text)
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step <= len(steps):
        return _undecided(NO_STEP)
    if step == 0:
        return Finding(None)
    start, end = steps[step - 1]
    place = text.find(quote.strip(), start, end) if isinstance(quote, str) and quote.strip() else -1
    if place < 0:
        return _undecided(NO_QUOTE)
    assert isinstance(quote, str)
    evidence = f"the model names step {step}: {quote.strip()}"
    return Finding(Mistake(place, place + len(quote.strip()), confidence, evidence))


def _first_object(reply: str) -> dict[str, Any] | None:
    """The first JSON object in a reply, whatever is said around it."""
    decoder = JSONDecoder()
    start = reply.find("{")
    while start >= 0:
        try:
            said, _ = decoder.raw_decode(reply, start)
        except (JSONDecodeError, RecursionError):
            said = None
        if isinstance(said, dict) and "step" in said:
            return said
        start = reply.find("{", start + 1)
    return None


def _undecided(note: str) -> Finding:
    return Finding(None, False, 1, note)
