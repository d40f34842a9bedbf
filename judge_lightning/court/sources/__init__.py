"""Where prompts come from: a *place* (files here, or a data set of the Hub) read in a *format*.

Every format can be read from every place. A format is one file in ``formats/``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from judge_lightning.court.checkers import CHECKERS, can_check
from judge_lightning.court.records import SPLITS, Prompt
from judge_lightning.court.rejects import Rejected
from judge_lightning.court.sources.formats import (
    Item,
    RowError,
    format_names,
    load_format,
    own_data,
)
from judge_lightning.court.sources.places import Row, check_files, read_files, read_hub
from judge_lightning.court.splits import identity
from judge_lightning.errors import UserError


@dataclass(frozen=True)
class SourcedPrompt:
    """A prompt as its source has it, still without a split.

    ``content`` is what the prompt asks without the format's fixed instructions: the filters look
    at it. ``place`` says where the prompt stands.
    """

    prompt: Prompt
    content: str
    place: str


@dataclass(frozen=True)
class Source:
    """One source of prompts.

    ``count`` new prompts are taken (0: all; the micro world is endless and needs a count).
    ``split`` forces all of them into one split. ``path`` names a file, or several by a pattern;
    ``hub`` a data set of the Hub (or a folder of that layout) with ``subset``, ``hub_split`` and
    ``revision``. ``checker`` overrules the format's own. The fields' names are for the format
    ``jsonl``, ``licence`` for the dataset card.
    """

    name: str
    format: str
    family: str
    checker: str | None = None
    split: str | None = None
    count: int = 0
    path: str | None = None
    hub: str | None = None
    subset: str | None = None
    hub_split: str = "train"
    revision: str | None = None
    prompt_field: str = "prompt"
    reference_field: str = "reference"
    licence: str | None = None

    def validate(self) -> None:
        """Raises UserError for everything that is wrong before a prompt is taken."""
        self._one_of("format", self.format, format_names())
        if self.split is not None:
            self._one_of("split", self.split, SPLITS)
        if self.count < 0:
            raise UserError(self._field("count"), f"{self.count} is negative", "0 takes all")
        if self.endless:
            load_format(self.format).validate(self)
            return
        if self.checker is not None:
            self._one_of("checker", self.checker, checker_names())
        if self.checker == "none" and self.split != "eval":
            raise UserError(
                self._field("checker"),
                "is none, but the court needs answers that are right or wrong",
                f"choose a checker, or hold the source out with {self._field('split')}: eval",
            )
        if bool(self.path) == bool(self.hub):
            raise UserError(
                self._field("path"),
                "is named together with a Hub data set" if self.hub else "is missing",
                f"name either {self._field('path')} (a file) or {self._field('hub')} (a name)",
            )
        if self.path:
            check_files(self.path, self._field("path"))

    @property
    def endless(self) -> bool:
        """Whether the format makes prompts up, instead of reading them from a place."""
        return hasattr(load_format(self.format), "generate")

    def read(self) -> Iterator[SourcedPrompt | Rejected]:
        """Yields the source's prompts in their own order, and the rows that hold none.

        Raises:
            UserError: The place cannot be read, or has no rows.
        """
        module = load_format(self.format)
        if self.endless:
            for number, item in enumerate(module.generate(self)):
                yield self._reading(item, f"{self.name}:{number}")
            return
        rows = 0
        for row in self._rows(module):
            rows += 1
            yield row if isinstance(row, Rejected) else self._read_row(module, row)
        if rows == 0:
            raise UserError(
                self._field("path" if self.path else "hub"),
                f"{self.path or self.hub} is empty",
                "one prompt at least is needed",
            )

    def prompts(self) -> Iterator[Prompt]:
        """The prompts of ``read`` alone, for sources that hold nothing but sound rows."""
        for found in self.read():
            if isinstance(found, SourcedPrompt):
                yield found.prompt

    def about(self) -> dict[str, str | None]:
        """Name, address and licence of the data and where it was read, for the dataset card."""
        about = getattr(load_format(self.format), "ABOUT", None) or own_data(self.family)
        # A file by its name alone: in which folder of which machine it lay says nothing.
        place = Path(self.path).name if self.path else self.format
        if self.hub:
            place = "/".join(part for part in (self.hub, self.subset, self.hub_split) if part)
        return {
            "name": about.name,
            "url": about.url,
            "licence": self.licence or about.licence,
            "place": place,
        }

    def _rows(self, module: ModuleType) -> Iterator[Row | Rejected]:
        if self.path:
            return read_files(self.path, self._field("path"), getattr(module, "COLUMNS", None))
        return read_hub(
            self.hub or "",
            self._field("hub"),
            subset=self.subset,
            split=self.hub_split,
            revision=self.revision,
            # What is not taken need not be fetched; all of it is fetched once and kept.
            streaming=self.count > 0,
        )

    def _read_row(self, module: ModuleType, row: Row) -> SourcedPrompt | Rejected:
        try:
            reading = self._reading(module.read_row(row.values, self), row.place)
            _refuse_broken_text(reading.prompt)
            self._refuse_unread_reference(reading.prompt)
        except RowError as error:
            record = json.dumps(row.values, default=str, sort_keys=True)
            return Rejected(row.place, error.reason, error.detail, record)
        return reading

    def _reading(self, item: Item, place: str) -> SourcedPrompt:
        digest = hashlib.sha256(identity(item.text).encode(errors="replace")).hexdigest()
        checker = item.checker if self.endless else self.checker or item.checker
        prompt = Prompt(
            id=f"{self.family}-{digest[:12]}",
            text=item.text,
            reference=item.reference,
            family=self.family,
            split="",
            meta={"source": self.name, "checker": checker, **item.meta},
        )
        return SourcedPrompt(prompt, item.content or item.text, place)

    def _refuse_unread_reference(self, prompt: Prompt) -> None:
        checker = prompt.meta["checker"]
        if not can_check(prompt):
            raise RowError("reference unreadable", f"the checker {checker} finds no result in it")

    def _one_of(self, name: str, value: str, known: tuple[str, ...]) -> None:
        if value not in known:
            raise UserError(self._field(name), f"unknown value {value!r}", f"one of {list(known)}")

    def _field(self, name: str) -> str:
        return f"data.sources.{self.name}.{name}"


def checker_names() -> tuple[str, ...]:
    """The checkers that a source may name; ``none``: its answers are never checked."""
    return tuple(sorted({*CHECKERS} - {"micro"}))


def _refuse_broken_text(prompt: Prompt) -> None:
    # JSON can spell half a surrogate pair; nothing could write it down again.
    everything: list[Any] = [prompt.text, prompt.reference, prompt.meta]
    try:
        json.dumps(everything, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RowError("not Unicode", str(error)) from error
