"""How many tokens a cycle proposes: always as many, or as long as it is worth going on.

``Adaptive`` ends a block where one more token is expected to add less than the time that it takes
could earn elsewhere. With c the cost of one more proposed token in units of a target pass, a cycle
that proposes k tokens costs 1 + k c and adds 1 + S_1 + ... + S_k, where S_j is the chance that the
first j are all kept. Over a long answer the most is earned at the best rate r of tokens per cost by
going on while S_k (1 - h) >= r c: h is how often a token is rejected whatever the draft thinks of
it, because the next one's confidence is known only once it has been drafted. S falls with every
token, so the first block end that the rule finds is the best one.

S is a product over the block's tokens of the chance that each is kept. How often a draft's doubt
comes true depends on the rule: a judge keeps the synonyms that standard decoding rejects, at the
same confidence. So the chance is learnt from the answer's own verdicts, at two levels: a factor
between doubt (1 - confidence) and rejection for all tokens, and rejections by tenth of
confidence, which the factor is the prior of. Verdicts behind a rejection count too. What they say
about the text is void, but they are as good a sample of how this rule meets that confidence (on the
micro pair they are worth 3 % of standard decoding's speed).

**Determinism.** Nothing but the answer's own proposals and verdicts moves a pace: no clock, no
other answer. So an answer does not depend on which prompts came before it or on the engine.

**Losslessness** when sampling under the standard rule: whether position j is proposed is decided
before token j is drawn, from the tokens before it and from verdicts on earlier cycles. Given those,
token j is drawn from q_j and tested, which leaves exactly the target's p_j (arXiv 2211.17192,
appendix A.1); where the block has ended the target's own token is drawn from p_j itself. Both are
p_j, so when to stop changes nothing; and stopping because of token j itself only concerns what is
proposed behind it, not its own test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from judge_lightning.errors import UserError

AUTO = "auto"
LONGEST = 32
DRAFT_COST = 0.1

_BINS = 10
_BIN_WEIGHT = 2.0
"""How many tests of its own outweigh what all tokens together say about a bin."""
_FACTOR, _FACTOR_WEIGHT = 1.25, 2.0
"""Before anything is known a doubt comes true a little more often than it says; that counts as
much as two rejections."""
_HAZARD, _HAZARD_WEIGHT = 0.15, 2.0
"""Share of proposed tokens that are rejected, and how many tests that counts as."""


class Pace(Protocol):
    """Ends the blocks of one answer."""

    every: int
    """Confidences are wanted after every so many tokens of a block."""

    def watch(self, confidences: Sequence[float]) -> int | None:
        """Takes the draft's probabilities of the next tokens of a block.

        Returns the number of tokens at which the block ends, counted from its start, or None
        to go on. A block may end before the last of the tokens.
        """

    def learn(self, kept: Sequence[bool]) -> None:
        """Takes the verdicts on a block's tokens, those after a rejection included; the next
        token watched begins a new block. Tokens without a verdict are forgotten."""


class DraftLength(Protocol):
    """How many tokens a decoder's cycles propose."""

    @property
    def longest(self) -> int:
        """M, the most tokens of a block."""

    @property
    def adaptive(self) -> bool:
        """Whether blocks may end early, which takes a look at the draft's confidence."""

    def start(self) -> Pace | None:
        """The pace of one answer; None proposes ``longest`` tokens always."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Proposes M tokens always.

    Raises:
        UserError: M is below 1.
    """

    longest: int

    def __post_init__(self) -> None:
        _at_least_one("engine.draft_length", self.longest)

    @property
    def adaptive(self) -> bool:
        """Never."""
        return False

    def start(self) -> None:
        """There is no pace to keep."""


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Proposes tokens as long as it is worth it.

    Args:
        longest: M, the most tokens of a block.
        draft_cost: What one more proposed token costs, drafting it and having the target read
            it, in units of a target pass over one token. A fixed number, since a measured one
            would make answers depend on the machine: ``benchmarks.adaptive_length`` measures it.
        every: The block may end after every so many tokens. On a GPU each look at the draft's
            confidence waits for the device.

    Raises:
        UserError: A value that makes no sense.
    """

    longest: int = LONGEST
    draft_cost: float = DRAFT_COST
    every: int = 1

    def __post_init__(self) -> None:
        _at_least_one("engine.longest_draft", self.longest)
        _at_least_one("engine.look_every", self.every)
        if not 0 < self.draft_cost < float("inf"):
            raise UserError(
                "engine.draft_cost",
                f"is {self.draft_cost}",
                "give the cost of a draft token in target passes, above 0",
            )

    @property
    def adaptive(self) -> bool:
        """Always."""
        return True

    def start(self) -> AdaptivePace:
        """Knows nothing but the priors."""
        return AdaptivePace(self)


def as_draft_length(value: int | str | DraftLength) -> DraftLength:
    """A number of tokens, ``auto`` (``Adaptive`` as it comes), or what is one already.

    Raises:
        UserError: It is neither a whole number of at least 1 nor ``auto``.
    """
    if isinstance(value, str):
        if value == AUTO:
            return Adaptive()
        if value.isascii() and value.isdecimal():  # From a command line.
            return Fixed(int(value))
        raise _no_length(repr(value))
    if isinstance(value, bool | float):
        raise _no_length(str(value))
    return Fixed(value) if isinstance(value, int) else value


class AdaptivePace:
    """The pace of one answer under ``Adaptive``; the module's text derives its rule."""

    def __init__(self, policy: Adaptive) -> None:
        self.every = policy.every
        self._policy = policy
        self._confidences: list[float] = []
        self._tests = 0
        self._rejections = 0
        self._doubt = 0.0
        self._bin_tests = [0] * _BINS
        self._bin_rejections = [0] * _BINS
        self._begin()

    def watch(self, confidences: Sequence[float]) -> int | None:
        """Ends the block at the first multiple of ``every`` that is not worth going on from."""
        for confidence in confidences:
            self._confidences.append(confidence)
            self._survival *= 1 - self._rejection(confidence)
            count = len(self._confidences)
            if count % self.every == 0 and self._survival < self._least:
                return count
        return None

    def learn(self, kept: Sequence[bool]) -> None:
        """Counts."""
        for confidence, was_kept in zip(self._confidences, kept, strict=False):
            place = _bin(confidence)
            self._tests += 1
            self._bin_tests[place] += 1
            self._doubt += 1 - confidence
            if not was_kept:
                self._rejections += 1
                self._bin_rejections[place] += 1
        self._begin()

    def _begin(self) -> None:
        """A new block; nothing is learnt within one, so its numbers are taken once."""
        self._confidences.clear()
        self._survival = 1.0
        self._factor = (self._rejections + _FACTOR * _FACTOR_WEIGHT) / (
            self._doubt + _FACTOR_WEIGHT
        )
        hazard = (self._rejections + _HAZARD * _HAZARD_WEIGHT) / (self._tests + _HAZARD_WEIGHT)
        cost = self._policy.draft_cost
        rate = _best_rate(hazard, cost, self._policy.longest)
        self._least = rate * cost / (1 - hazard)

    def _rejection(self, confidence: float) -> float:
        """The chance that a token is rejected."""
        place = _bin(confidence)
        expected = min(1.0, self._factor * (1 - confidence))
        return (self._bin_rejections[place] + _BIN_WEIGHT * expected) / (
            self._bin_tests[place] + _BIN_WEIGHT
        )


def _best_rate(hazard: float, cost: float, longest: int) -> float:
    """Tokens per cost of a target pass at the best length, if each is rejected as often."""
    survival, tokens, best = 1.0, 1.0, 1.0
    for count in range(1, longest + 1):
        survival *= 1 - hazard
        tokens += survival
        best = max(best, tokens / (1 + count * cost))
    return best


def _bin(confidence: float) -> int:
    return min(_BINS - 1, int(confidence * _BINS))


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise UserError(name, f"is {value}", "give at least 1")


def _no_length(shown: str) -> UserError:
    return UserError(
        "engine.draft_length", f"is {shown}", f"give a whole number of at least 1, or {AUTO}"
    )
