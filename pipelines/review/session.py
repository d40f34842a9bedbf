"""One reviewer's sitting: what is shown next, what was decided, how far others agree."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from judge_lightning.court.review import Decision, DecisionsFile, ReviewItem, latest
from judge_lightning.court.review.agreement import DECIDED, compare
from judge_lightning.court.review.decisions import now
from judge_lightning.court.review.items import characters_of, words, words_of

LONGEST_NOTE = 2000


class RequestError(Exception):
    """The page asked for something that does not exist; the message says what."""


class ReviewSession:
    """The tuples in their order, this reviewer's decisions about them, and others'.

    Safe to use from several threads. Everything that is decided goes to ``file`` first.
    """

    def __init__(
        self,
        name: str,
        items: Sequence[ReviewItem],
        reviewer: str,
        file: DecisionsFile,
        others: Sequence[Decision] = (),
    ) -> None:
        self._name = name
        self._items = items
        self._place = {item.id: place for place, item in enumerate(items)}
        self._reviewer = reviewer
        self._file = file
        self._lock = threading.Lock()
        mine = [d for d in latest(file.decisions) if d.reviewer == reviewer]
        # In the order in which they were made, so that "undo" after a restart takes back the last.
        order = {d.tuple_id: n for n, d in enumerate(file.decisions) if d.reviewer == reviewer}
        self._mine = {d.tuple_id: d for d in sorted(mine, key=lambda d: order[d.tuple_id])}
        self._others: dict[str, dict[str, Decision]] = {}
        for decision in others:
            if decision.reviewer != reviewer:
                self._others.setdefault(decision.reviewer, {})[decision.tuple_id] = decision

    def overview(self) -> dict[str, Any]:
        """Progress, counts, agreement, and the place of the first tuple that is undecided."""
        with self._lock:
            return self._overview(0)

    def item(self, place: int) -> dict[str, Any]:
        """One tuple as the page shows it, with the decision made about it, if any.

        Others' decisions are shown only after the own one, so that nobody is led.

        Raises:
            RequestError: There is no such place.
        """
        with self._lock:
            return self._item(place)

    def decide(
        self, place: int, tuple_id: str, verdict: str, marked: tuple[int, int] | None, note: str
    ) -> dict[str, Any]:
        """Saves a verdict and gives the overview; ``next`` is the next undecided place.

        Args:
            verdict: keep, reject or skip.
            marked: The first and last word of the mistake; None for where it was proposed.

        Raises:
            RequestError: The place, its tuple, the words or the verdict do not exist.
            OSError: The decision could not be written.
        """
        with self._lock:
            item = self._at(place)
            if item.id != tuple_id:
                raise RequestError("the tuple is another one: the court has changed")
            if len(note) > LONGEST_NOTE:
                raise RequestError(f"the note has more than {LONGEST_NOTE} characters")
            span = None
            if verdict == "keep":
                span = self._span(item, marked)
                verdict = "accept" if span == item.proposed else "move"
            elif verdict not in ("reject", "skip"):
                raise RequestError(f"unknown verdict {verdict!r}")
            self._save(Decision(item.id, self._reviewer, verdict, span, item.proposed, now(), note))
            return self._overview(place + 1)

    def undo(self) -> dict[str, Any]:
        """Takes the last decision back; ``next`` is its place, ``undone`` the tuple's id.

        Raises:
            RequestError: There is none.
            OSError: It could not be written.
        """
        with self._lock:
            here = [name for name in self._mine if name in self._place]
            if not here:
                raise RequestError("there is nothing to undo")
            last = self._mine[here[-1]]
            item = self._items[self._place[last.tuple_id]]
            self._save(
                Decision(item.id, self._reviewer, "undo", None, item.proposed, now(), last.note)
            )
            return {**self._overview(0), "next": self._place[item.id], "undone": item.id}

    def _save(self, decision: Decision) -> None:
        self._file.append(decision)
        self._mine.pop(decision.tuple_id, None)
        if decision.verdict != "undo":
            self._mine[decision.tuple_id] = decision

    def _at(self, place: int) -> ReviewItem:
        if not 0 <= place < len(self._items):
            raise RequestError(f"there is no tuple {place + 1}")
        return self._items[place]

    def _words(self, item: ReviewItem) -> list[tuple[int, int]]:
        mine = self._mine.get(item.id)
        marked = [item.proposed, *([mine.span] if mine and mine.span else [])]
        return words(item.wrong, marked)

    def _span(self, item: ReviewItem, marked: tuple[int, int] | None) -> tuple[int, int]:
        found = self._words(item)
        if marked is None or marked == words_of(found, item.proposed):
            return item.proposed
        first, last = marked
        if not 0 <= first <= last < len(found):
            raise RequestError("the mistake lies outside the answer")
        return characters_of(found, first, last)

    def _item(self, place: int) -> dict[str, Any]:
        item = self._at(place)
        found = self._words(item)
        mine = self._mine.get(item.id)
        pieces: list[tuple[str, bool]] = []
        end = 0
        for start, past in found[:-1]:
            if start > end:
                pieces.append((item.wrong[end:start], False))
            pieces.append((item.wrong[start:past], True))
            end = past
        pieces.append((item.wrong[end:], False))
        shown = {
            field: getattr(item, field)
            for field in ("id", "prompt_id", "drafter", "prompt", "reference", "correct")
        }
        return {
            **shown,
            "place": place,
            "pieces": pieces,
            "proposed": words_of(found, item.proposed),
            "marked": words_of(found, mine.span) if mine and mine.span else None,
            "verdict": mine.verdict if mine else None,
            "note": mine.note if mine else "",
            "confidence": item.confidence,
            "evidence": item.evidence,
            "others": self._opinions(item, mine),
        }

    def _opinions(self, item: ReviewItem, mine: Decision | None) -> list[dict[str, str]]:
        if mine is None:
            return []
        return [
            {
                "reviewer": reviewer,
                "verdict": theirs.verdict,
                "text": item.wrong[slice(*theirs.span)] if theirs.span else "",
            }
            for reviewer, decided in self._others.items()
            if (theirs := decided.get(item.id))
        ]

    def _overview(self, after: int) -> dict[str, Any]:
        mine = {name: d for name, d in self._mine.items() if name in self._place}
        judged = {name: d for name, d in mine.items() if d.verdict in DECIDED}
        return {
            "name": self._name,
            "reviewer": self._reviewer,
            "file": str(self._file.path),
            "total": len(self._items),
            "decided": len(mine),
            "counts": dict(Counter(d.verdict for d in mine.values())),
            "agreement": [
                asdict(compare(self._reviewer, name, judged, _judged(theirs)))
                for name, theirs in sorted(self._others.items())
            ],
            "next": self._next_undecided(after),
        }

    def _next_undecided(self, after: int) -> int | None:
        places = (*range(after, len(self._items)), *range(after))
        return next((p for p in places if self._items[p].id not in self._mine), None)


def _judged(decisions: dict[str, Decision]) -> dict[str, Decision]:
    return {name: d for name, d in decisions.items() if d.verdict in DECIDED}
