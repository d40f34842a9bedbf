"""Grammars of right answers: every way of saying an answer, and a test of membership.

A problem's right answers form a finite language: sentences with choice points. The same
grammar renders training texts (a dialect weighs the choices), counts the ways of saying
an answer, and marks the first word of any answer that no right answer has there.

Templates are plain text with choices in brackets and variables in braces::

    "[Then|Next], {name} has {total} {things}[| in all]."

A choice is identified by its template text, so that a dialect can prefer one option at
one kind of place, whatever the numbers are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

WORD = re.compile(r"\n| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]|\s")
"""One word of an answer: letters, digits or one sign, with the blank before it."""

_PLACEHOLDER = re.compile(r" ?\{\w+\}|" + WORD.pattern)


@dataclass(frozen=True)
class Choice:
    """A place where an answer can go on in several ways."""

    key: str
    options: tuple[Grammar, ...]


Grammar = tuple["str | Choice", ...]
"""Words and choices in the order in which they are said."""

Chooser = Callable[[Choice], int]
"""Says which option of a choice is taken."""


@lru_cache(maxsize=4096)
def parse(template: str) -> Grammar:
    """Parses a template into a grammar whose words may still hold ``{variables}``.

    Raises:
        ValueError: A bracket is left open or closed twice.
    """
    grammar, end = _parse_sequence(template, 0, depth=0)
    if end != len(template):
        raise ValueError(f"unmatched ']' at {end} in {template!r}")
    return grammar


def fill(grammar: Grammar, variables: Mapping[str, str | int]) -> Grammar:
    """Puts values into the ``{variables}`` of a grammar's words."""
    return tuple(_fill_part(part, variables) for part in grammar)


def _fill_part(part: str | Choice, variables: Mapping[str, str | int]) -> str | Choice:
    if isinstance(part, str):
        return part.format_map(variables) if "{" in part else part
    if "{" not in part.key:
        return part
    return Choice(part.key, tuple(fill(option, variables) for option in part.options))


def render(grammar: Grammar, choose: Chooser) -> list[str]:
    """Says the answer once, taking the option that ``choose`` names at every choice."""
    words: list[str] = []
    for part in grammar:
        if isinstance(part, Choice):
            words.extend(render(part.options[choose(part)], choose))
        else:
            words.append(part)
    return words


def count_sayings(grammar: Grammar) -> int:
    """Number of paths through the grammar: the ways in which the answer can be said."""
    ways = 1
    for part in grammar:
        if isinstance(part, Choice):
            ways *= sum(count_sayings(option) for option in part.options)
    return ways


def split_words(text: str) -> list[str]:
    """Splits a text into the words that grammars and the tokenizer agree on."""
    return WORD.findall(text)


def first_mistake(grammar: Grammar, text: str) -> tuple[int, int] | None:
    """Characters of the first word that no right answer has in its place.

    Returns:
        A half-open character range, ``(len(text), len(text))`` when the answer stops too
        early, or None when ``text`` is a right answer.
    """
    states = Position.start(grammar)
    for match in WORD.finditer(text):
        states = states.after(match.group())
        if not states.alive:
            return match.span()
    return None if states.complete else (len(text), len(text))


_Continuation = tuple["Grammar", int, "_Continuation | None"]


@dataclass(frozen=True)
class Position:
    """Where one may stand in a grammar after the words said so far."""

    expected: tuple[tuple[str, _Continuation], ...]
    complete: bool

    @classmethod
    def start(cls, grammar: Grammar) -> Position:
        return cls._reach([(grammar, 0, None)])

    @classmethod
    def _reach(cls, continuations: list[_Continuation]) -> Position:
        expected: list[tuple[str, _Continuation]] = []
        complete = False
        for step in _expand(continuations):
            if step is None:
                complete = True
            else:
                expected.append(step)
        return cls(tuple(expected), complete)

    @property
    def alive(self) -> bool:
        """Whether the words so far begin a right answer."""
        return self.complete or bool(self.expected)

    def allows(self, word: str) -> bool:
        return any(word == candidate for candidate, _ in self.expected)

    def after(self, word: str) -> Position:
        return self._reach([rest for candidate, rest in self.expected if candidate == word])


def _expand(
    continuations: list[_Continuation],
) -> Iterator[tuple[str, _Continuation] | None]:
    """Next words with what follows each, and None where the answer may end."""
    stack = list(continuations)
    while stack:
        grammar, index, parent = stack.pop()
        if index == len(grammar):
            if parent is None:
                yield None
            else:
                stack.append(parent)
            continue
        part = grammar[index]
        rest: _Continuation = (grammar, index + 1, parent)
        if isinstance(part, Choice):
            stack.extend((option, 0, rest) for option in part.options)
        else:
            yield part, rest


def _parse_sequence(template: str, start: int, depth: int) -> tuple[Grammar, int]:
    parts: list[str | Choice] = []
    literal_from = position = start
    while position < len(template):
        sign = template[position]
        if sign == "[":
            literal = template[literal_from:position]
            blank = literal.endswith(" ")
            parts.extend(_words(literal.removesuffix(" ") if blank else literal))
            choice, position = _parse_choice(template, position, depth, " " if blank else "")
            parts.append(choice)
            literal_from = position
        elif depth and sign in "|]":
            break
        elif sign == "]":
            raise ValueError(f"unmatched ']' at {position} in {template!r}")
        else:
            position += 1
    parts.extend(_words(template[literal_from:position]))
    return tuple(parts), position


def _parse_choice(template: str, start: int, depth: int, blank: str) -> tuple[Choice, int]:
    options: list[Grammar] = []
    position = start
    while template[position : position + 1] != "]":
        option, position = _parse_sequence(template, position + 1, depth + 1)
        if position >= len(template):
            raise ValueError(f"unmatched '[' at {start} in {template!r}")
        options.append(_with_blank(option, blank))
    return Choice(template[start : position + 1], tuple(options)), position + 1


def _with_blank(option: Grammar, blank: str) -> Grammar:
    """Moves the blank before a choice into its options, where the words carry it."""
    if not blank or not option:
        return option
    head, *tail = option
    if isinstance(head, Choice):
        return (Choice(head.key, tuple(_with_blank(o, blank) for o in head.options)), *tail)
    return (blank + head, *tail)


def _words(literal: str) -> list[str]:
    return _PLACEHOLDER.findall(literal)
