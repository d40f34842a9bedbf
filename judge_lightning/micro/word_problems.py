"""Word problems with several steps: the domain on which the judge is trained."""

from __future__ import annotations

import random
import re

from judge_lightning.micro.arithmetic import Step, chain
from judge_lightning.micro.grammar import Grammar, fill, parse

NAMES = {
    "Tom": "he", "Ben": "he", "Max": "he", "Leo": "he", "Sam": "he", "Jack": "he",
    "Anna": "she", "Mia": "she", "Lucy": "she", "Emma": "she", "Nora": "she", "Ida": "she",
}  # fmt: skip
THINGS = (
    "apples", "books", "coins", "marbles", "pencils", "stamps",
    "shells", "cards", "stones", "buttons", "tickets", "beads",
)  # fmt: skip

_QUESTION_STEPS = {
    "add": ("{Pro} buys {a} more.", "Then {pro} finds {a} more.", "{Pro} gets {a} as a gift."),
    "subtract": ("{Pro} gives away {a}.", "Then {pro} loses {a}.", "{Pro} sells {a} of them."),
    "multiply": ("The number then grows {a} times.", "{Pro} then has {a} times as many."),
    "divide": (
        "{Pro} keeps one of {a} equal shares.",
        "Then {pro} splits them into {a} equal shares and keeps one.",
    ),
    "pack": ("{Pro} buys {g} bags of {a} each.", "Then {pro} finds {g} boxes with {a} each."),
}

_OPENING = (
    "[To begin|At first|Initially|At the start], {name} [has|owns|holds|possesses] "
    "{v} {things}[ to work with| in hand| in store| at home]."
)

_STEP = (
    " [Then|Next|After that|Afterwards], [{pro}|{name}] {event}, "
    "[which gives|so we get|and this makes|that is] {calculation}. "
    "[Now|At this point|By now|So far] {name} [has|owns|holds|keeps] {w} {things}"
    "[ in total| altogether| overall| in all]."
)

_EVENTS = {
    "add": "[gains|adds|receives|gets] {a} [more|extra|additional|further] {things}",
    "subtract": "[loses|drops|removes|spends] {a} of [the|these|those|all] {things}",
    "multiply": "[multiplies|scales|increases|grows] [the|this|that|the whole] amount by {a}",
    "divide": "[divides|splits|cuts|breaks] [the|this|that|the whole] amount by {a}",
    "pack": (
        "[gains|adds|receives|gets] {g} [groups|lots|sets|batches] of {a}, "
        "[meaning|thus|hence|namely] {g} * {a} = {p} {things}"
    ),
}

_CALCULATIONS = {
    "add": "{v} + {a} = {w}",
    "subtract": "{v} - {a} = {w}",
    "multiply": "{v} * {a} = {w}",
    "divide": "{v} / {a} = {w}",
    "pack": "{v} + {p} = {w}",
}

_CLOSING = " [So|Therefore|Hence|Thus] the[ final| overall| correct|] answer is {w}."


def word_problem(rng: random.Random) -> tuple[str, str, Grammar]:
    """Draws a problem: the question, the final number, and the grammar of right answers."""
    name = rng.choice(list(NAMES))
    things = rng.choice(THINGS)
    steps = chain(rng, rng.randint(2, 4), packs=True)
    question = _question(rng, name, things, steps)
    return question, str(steps[-1].after), _answers(name, things, steps)


def final_number(answer: str) -> str | None:
    """The number that an answer ends in, or None: what ``is_right`` compares."""
    found = re.findall(r"answer is (?:-?\d+ — no, )*(-?\d+)", answer)
    return found[-1] if found else None


def _question(rng: random.Random, name: str, things: str, steps: list[Step]) -> str:
    pro = NAMES[name]
    sentences = [f"{name} has {steps[0].before} {things}."]
    sentences += [
        rng.choice(_QUESTION_STEPS[step.kind]).format(
            Pro=pro.capitalize(), pro=pro, a=step.amount, g=step.groups
        )
        for step in steps
    ]
    sentences.append(f"How many {things} does {name} have now?")
    return " ".join(sentences)


def _answers(name: str, things: str, steps: list[Step]) -> Grammar:
    said = {"name": name, "pro": NAMES[name], "things": things}
    grammar = fill(parse(_OPENING), {**said, "v": steps[0].before})
    for step in steps:
        template = _STEP.replace("{event}", _EVENTS[step.kind])
        template = template.replace("{calculation}", _CALCULATIONS[step.kind])
        numbers = {
            "v": step.before,
            "w": step.after,
            "a": step.amount,
            "g": step.groups,
            "p": step.groups * step.amount,
        }
        grammar += fill(parse(template), {**said, **numbers})
    return grammar + fill(parse(_CLOSING), {"w": steps[-1].after})
