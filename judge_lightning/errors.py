"""Errors that are part of the interface: worded for the person who can act on them."""

from __future__ import annotations


class UserError(Exception):
    """The user's mistake: reported as one line on stderr with exit status 2.

    Args:
        field: The configuration field, file or argument that is wrong, e.g. ``judge.layer``.
        problem: What is wrong with it, with the value that was given.
        remedy: What would be right.
    """

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        self.field = field
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{field}: {problem}; {remedy}")

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str, str]]:
        return (type(self), (self.field, self.problem, self.remedy))
