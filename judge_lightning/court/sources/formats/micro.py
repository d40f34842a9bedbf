"""The embedded micro world: problems made by a program, without end (docs/micro.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from judge_lightning.court.sources.formats import About, Item
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About("the micro world (made by a program)", None, "Apache-2.0")


def validate(source: Source) -> None:
    """Refuses a family that the world does not have, and a source without an end."""
    from judge_lightning.micro.world import FAMILIES

    if source.family not in FAMILIES:
        raise UserError(
            f"data.sources.{source.name}.family",
            f"unknown value {source.family!r}",
            f"one of {list(FAMILIES)}",
        )
    if source.count == 0:
        raise UserError(
            f"data.sources.{source.name}.count",
            "is 0, but the micro world is endless",
            "give a number",
        )


def generate(source: Source) -> Iterator[Item]:
    """The family's problems, by their number."""
    from judge_lightning.micro.world import problem

    index = 0
    while True:
        drawn = problem(source.family, index)
        yield Item(drawn.text, drawn.reference, "micro", meta={"index": index, "pool": drawn.pool})
        index += 1
