"""The report's section on the court: whose answers the judge was made from, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pipelines.report.bars import Part, place_bars, stacked_bars
from pipelines.report.cards import Card
from pipelines.report.court import Author, Court, authors
from pipelines.report.faults import AbsentError
from pipelines.report.page import render_fragment

_ANSWERS = (Part("right", "right", "judge"), Part("wrong", "wrong", "target"))


def court_section(court: Court) -> Markup:
    """How many prompts, answers, tuples and labelled tokens, and where mistakes begin."""
    labelled = court.of("dataset")
    answered = authors(court)
    if not labelled and not answered:
        raise AbsentError
    return render_fragment(
        "court_section.html.j2",
        court=labelled,
        authors=answered,
        notes=_notes(court),
        cards=[*_answers_card(answered), *_place_card(labelled)],
    )


def _answers_card(answered: list[Author]) -> list[Card]:
    if not answered:
        return []
    rows = [{"name": a.name, "right": a.right, "wrong": a.wrong} for a in answered]
    return [
        Card(
            "Answers, right and wrong",
            "Every wrong answer with a right one beside it becomes a tuple.",
            stacked_bars("Right and wrong answers by author", rows, _ANSWERS, axis="answers"),
            [(part.style, part.label) for part in _ANSWERS],
        )
    ]


def _place_card(labelled: Mapping[str, Any]) -> list[Card]:
    deciles = labelled.get("first_mistake_deciles")
    if not deciles:
        return []
    step = 100 // len(deciles)
    counts = {
        f"{number * step} to {(number + 1) * step} %": count for number, count in enumerate(deciles)
    }
    return [
        Card(
            "Where the first mistake falls",
            "Share of the wrong answer that is written when it first goes wrong.",
            place_bars(
                "Wrong answers by the place of their first mistake",
                counts,
                "target",
                of="wrong answers",
                axis="place in the answer, from %",
            ),
        )
    ]


def _notes(court: Court) -> list[str]:
    """What was left out, and why."""
    notes = []
    for stage, key, words in (
        ("prompts", "filtered", "Prompts filtered out"),
        ("dataset", "left_out", "Tuples left out"),
        ("dataset", "rejected", "Records that could not be used"),
    ):
        reasons = court.of(stage).get(key) or {}
        if reasons:
            counted = ", ".join(f"{count:,} ({reason})" for reason, count in reasons.items())
            notes.append(f"{words}: {counted}.")
    return notes
