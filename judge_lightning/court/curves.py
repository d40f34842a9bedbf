"""Searching a recovery curve for the place where it falls.

The curve says, for every beginning of an answer, in which share of tries a right result is
still reached from there. A beginning without a mistake keeps it high, a mistake lets it fall,
and the search finds the fall by bisection: it asks for shares and is sent them, so that whoever
makes them can do so for many answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Curve:
    """What was found out about one curve.

    ``shares`` are those that were asked for, by place: the number of units that the beginning
    has. The curve falls below the threshold between ``before`` and ``before + 1``; None: it
    does not fall. ``monotone`` says whether every share fits a curve that falls at most once;
    ``confidence`` is how deep it falls, times the share of places that fit.
    """

    shares: dict[int, float]
    before: int | None
    monotone: bool
    confidence: float


Search = Generator[list[int], list[float], Curve]
"""Yields the places whose shares it wants to know, is sent them in order, returns a curve."""


def search_fall(
    units: int, whole: float | None, *, threshold: float = 0.5, checks: int = 2
) -> Search:
    """Searches the first fall of a curve over places 0 to ``units``.

    Bisection finds a fall in ``ceil(log2(units))`` questions. It cannot see whether there are
    others: ``checks`` more questions go to the middles of the widest stretches that it has not
    looked into, and if one of them lies below the threshold before the fall, that earlier fall
    is searched instead. A curve that ends high is first asked at ``ceil(log2(units))`` places,
    spread evenly. Altogether there are at most ``3 * ceil(log2(units)) + checks + 2`` questions,
    and without surprises ``ceil(log2(units)) + checks + 1``.

    Args:
        units: The last place, 1 or more.
        whole: The share at the last place where it is known (the answer is finished).
        threshold: The least share of a place from where the result is within reach.
        checks: Further questions, to see whether the curve falls once.
    """
    known = _Known(threshold)
    # The beginning of everything is taken for high, and asked only where it decides.
    known.shares[0] = 1.0
    if whole is None:
        yield from known.ask([units])
    else:
        known.shares[units] = whole
    if not known.low(units):
        halves = (units - 1).bit_length()
        yield from known.ask(sorted({units * n // (halves + 1) for n in range(1, halves + 1)}))
        if known.first_low() is None:
            return Curve(known.asked(), None, True, min(known.shares.values()))
    yield from known.bisect()
    yield from known.ask(known.middles(checks))
    before = yield from known.bisect()
    if before == 0:
        del known.shares[0]
        yield from known.ask([0])
    fits = [known.low(place) == (place > before) for place in known.shares]
    depth = max(0.0, known.shares[before] - known.shares[before + 1])
    return Curve(known.asked(), before, all(fits), depth * sum(fits) / len(fits))


class _Known:
    """The shares that are known so far, and which of them were asked for."""

    def __init__(self, threshold: float) -> None:
        self.shares: dict[int, float] = {}
        self._threshold = threshold
        self._asked: set[int] = set()

    def ask(self, places: Sequence[int]) -> Generator[list[int], list[float], None]:
        """Asks for the places that are not known yet."""
        missing = [place for place in places if place not in self.shares]
        if missing:
            self.shares.update(zip(missing, (yield missing), strict=True))
            self._asked.update(missing)

    def bisect(self) -> Generator[list[int], list[float], int]:
        """Narrows the first fall down and returns the last place in front of it."""
        while True:
            after = self.first_low()
            assert after is not None
            before = max((place for place in self.shares if place < after), default=0)
            if after - before <= 1:
                return before
            yield from self.ask([(before + after) // 2])

    def low(self, place: int) -> bool:
        return self.shares[place] < self._threshold

    def first_low(self) -> int | None:
        return min((place for place in self.shares if self.low(place)), default=None)

    def middles(self, count: int) -> list[int]:
        """Up to ``count`` places, each the middle of the widest stretch without one."""
        places = sorted(self.shares)
        chosen: list[int] = []
        for _ in range(count):
            width, start = max((end - start, -start) for start, end in pairwise(places))
            if width < 2:
                break
            chosen.append(-start + width // 2)
            places = sorted([*places, chosen[-1]])
        return chosen

    def asked(self) -> dict[int, float]:
        return {place: self.shares[place] for place in sorted(self._asked)}


def run_searches(
    searches: Sequence[Search], shares_of: Callable[[list[tuple[int, int]]], list[float]]
) -> list[Curve]:
    """Runs searches side by side, so that what all of them ask is answered in one go.

    Args:
        searches: Fresh searches.
        shares_of: Is given (number of the search, place) and answers in that order.
    """
    curves: dict[int, Curve] = {}
    answers: dict[int, list[float] | None] = dict.fromkeys(range(len(searches)))
    while answers:
        asked: dict[int, list[int]] = {}
        for number, shares in answers.items():
            try:
                search = searches[number]
                asked[number] = next(search) if shares is None else search.send(shares)
            except StopIteration as end:
                curves[number] = end.value
        flat = [(number, place) for number, places in asked.items() for place in places]
        told = iter(shares_of(flat) if flat else [])
        answers = {number: [next(told) for _ in places] for number, places in asked.items()}
    return [curves[number] for number in range(len(searches))]
