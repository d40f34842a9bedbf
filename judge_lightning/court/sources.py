"""Where prompts come from, and which split each of them belongs to.

A prompt's split is decided by a hash of its own text, so it never moves when other prompts
are added. A source may force all of its prompts into one split instead; such a source is
read first, so that what is held out for evaluation can never be drawn for the court.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge_lightning.court.checkers import CHECKERS, check
from judge_lightning.court.records import SPLITS, Prompt
from judge_lightning.errors import UserError

KINDS = ("micro", "jsonl", "hub")
_PATIENCE = 20
"""An endless source is given up after this many draws per prompt that was asked for."""


@dataclass(frozen=True)
class Source:
    """One source of prompts.

    ``count`` new prompts are taken (0: all; the micro world is endless and needs a count).
    ``split`` forces all of them into one split. ``path`` is a file or a Hub data set.
    """

    name: str
    kind: str
    family: str
    checker: str = "final_number"
    split: str | None = None
    count: int = 0
    path: str | None = None
    subset: str | None = None
    hub_split: str = "train"
    prompt_field: str = "prompt"
    reference_field: str = "reference"

    def validate(self) -> None:
        """Raises UserError for everything that is wrong before a prompt is taken.

        A JSON Lines file is read to its end, so that a malformed line is known at once.
        """
        self._one_of("kind", self.kind, KINDS)
        if self.split is not None:
            self._one_of("split", self.split, SPLITS)
        if self.count < 0:
            raise UserError(self._field("count"), f"{self.count} is negative", "0 takes all")
        if self.kind == "micro":
            self._validate_micro()
            return
        self._one_of("checker", self.checker, tuple(sorted(set(CHECKERS) - {"micro"})))
        if not self.path:
            raise UserError(
                self._field("path"), "is missing", f"name the {self.kind} source to read"
            )
        if self.kind == "jsonl":
            for _ in _read_jsonl(self):
                pass

    def read(self) -> Iterator[Prompt]:
        """Yields the source's prompts in their own order, without split and endless for micro."""
        readers = {"micro": _read_micro, "jsonl": _read_jsonl, "hub": _read_hub}
        return readers[self.kind](self)

    def _validate_micro(self) -> None:
        from judge_lightning.micro.world import FAMILIES

        self._one_of("family", self.family, FAMILIES)
        if self.count == 0:
            raise UserError(
                self._field("count"), "is 0, but the micro world is endless", "give a number"
            )

    def _one_of(self, name: str, value: str, known: tuple[str, ...]) -> None:
        if value not in known:
            raise UserError(self._field(name), f"unknown value {value!r}", f"one of {list(known)}")

    def _field(self, name: str) -> str:
        return f"data.sources.{self.name}.{name}"


@dataclass
class Collection:
    """The prompts of all sources and how many were left out, per source."""

    prompts: list[Prompt]
    duplicates: dict[str, int] = field(default_factory=dict)

    def count(self, split: str) -> int:
        """How many prompts the split has."""
        return sum(prompt.split == split for prompt in self.prompts)

    def statistics(self) -> dict[str, Any]:
        """Counts per split, per family and split, and the duplicates dropped per source."""
        families: dict[str, dict[str, int]] = {}
        for (family, split), count in sorted(
            Counter((prompt.family, prompt.split) for prompt in self.prompts).items()
        ):
            families.setdefault(family, {})[split] = count
        return {
            "prompts": len(self.prompts),
            "splits": {split: self.count(split) for split in SPLITS},
            "families": families,
            "duplicates": self.duplicates,
        }


def collect_prompts(sources: list[Source], shares: Mapping[str, float], seed: int) -> Collection:
    """Reads all sources, drops duplicates and gives each prompt its split.

    Two prompts are the same when they differ in case, spacing and punctuation only. The
    prompt that stays is the one of a source with a forced split, else the first one.

    Args:
        shares: Share of the prompts per split, in order; they add up to 1.
        seed: Changes which prompts go into which split.

    Raises:
        UserError: A source is malformed, or runs dry before ``count`` micro prompts.
    """
    validate_shares(shares)
    taken: set[str] = set()
    collection = Collection(prompts=[])
    for source in sorted(sources, key=lambda source: source.split is None):
        source.validate()
        count = duplicates = 0
        for drawn, prompt in enumerate(source.read(), start=1):
            identity = prompt_identity(prompt.text)
            if identity in taken:
                duplicates += 1
            else:
                taken.add(identity)
                split = source.split or split_of(identity, shares, seed)
                collection.prompts.append(_with_split(prompt, split))
                count += 1
            if source.count and count == source.count:
                break
            if source.kind == "micro" and drawn > _PATIENCE * source.count:
                raise UserError(
                    f"data.sources.{source.name}.count",
                    f"the micro world has no {source.count} different {source.family} problems",
                    f"ask for {count} at most",
                )
        collection.duplicates[source.name] = duplicates
    return collection


def validate_shares(shares: Mapping[str, float]) -> None:
    """Raises UserError when the splits' shares are no shares of one whole."""
    for split, share in shares.items():
        if split not in SPLITS:
            raise UserError(f"data.shares.{split}", "is no split", f"the splits are {list(SPLITS)}")
        if not 0.0 <= share <= 1.0:
            raise UserError(f"data.shares.{split}", f"{share} is no share", "give 0 to 1")
    total = sum(shares.values())
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise UserError("data.shares", f"add up to {total:g}", "they must add up to 1")


def split_of(identity: str, shares: Mapping[str, float], seed: int) -> str:
    """The split of a text: a point in [0, 1) from its hash, placed among the shares."""
    digest = hashlib.sha256(f"split:{seed}:{identity}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    reached = 0.0
    for split in SPLITS:
        reached += shares.get(split, 0.0)
        if point < reached:
            return split
    return next(split for split in reversed(SPLITS) if shares.get(split))


def prompt_identity(text: str) -> str:
    # Digits and operators stay: two problems may differ in one sign only.
    return re.sub(r"[\s.,;:!?\"'’“”]+", " ", text.casefold()).strip()


def _with_split(prompt: Prompt, split: str) -> Prompt:
    return Prompt(prompt.id, prompt.text, prompt.reference, prompt.family, split, dict(prompt.meta))


def _prompt(source: Source, text: str, reference: str, **meta: Any) -> Prompt:
    digest = hashlib.sha256(prompt_identity(text).encode()).hexdigest()
    return Prompt(
        id=f"{source.family}-{digest[:12]}",
        text=text,
        reference=reference,
        family=source.family,
        split="",
        meta={"source": source.name, **meta},
    )


def _read_micro(source: Source) -> Iterator[Prompt]:
    from judge_lightning.micro.world import problem

    index = 0
    while True:
        drawn = problem(source.family, index)
        yield _prompt(
            source, drawn.text, drawn.reference, checker="micro", index=index, pool=drawn.pool
        )
        index += 1


def _read_jsonl(source: Source) -> Iterator[Prompt]:
    path = Path(source.path or "").expanduser()
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(
            str(path),
            f"cannot be read ({error.strerror})",
            f"point data.sources.{source.name}.path at a JSON Lines file",
        ) from error
    with file:
        number = 0
        for number, line in enumerate(file, start=1):
            yield _jsonl_prompt(source, f"{path}:{number}", line)
    if number == 0:
        raise UserError(
            str(path), "is empty", "a JSON Lines file has one JSON object on every line"
        )


def _jsonl_prompt(source: Source, place: str, line: bytes) -> Prompt:
    try:
        row = json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise UserError(place, f"is no JSON ({error})", "mend or remove that line") from error
    if not isinstance(row, dict):
        raise UserError(place, "is no JSON object", 'write {"prompt": ..., "reference": ...}')
    return _row_prompt(source, place, row)


def _read_hub(source: Source) -> Iterator[Prompt]:
    from datasets import load_dataset

    try:
        rows = load_dataset(source.path, source.subset, split=source.hub_split)
    except (OSError, ValueError) as error:
        raise UserError(
            f"data.sources.{source.name}.path",
            f"{source.path} cannot be loaded from the Hub ({_first_line(error)})",
            "check the name and the network, or download it and read it with kind: jsonl",
        ) from error
    for number, row in enumerate(rows):
        yield _row_prompt(source, f"{source.path}[{source.hub_split}][{number}]", row)


def _row_prompt(source: Source, place: str, row: Mapping[str, Any]) -> Prompt:
    text = _text_field(place, row, source.prompt_field)
    reference = _text_field(place, row, source.reference_field)
    prompt = _prompt(source, text, reference, checker=source.checker)
    if not check(prompt, prompt.reference):
        raise UserError(
            place,
            f"the checker {source.checker} cannot read a result from the reference",
            f"mend field {source.reference_field!r} or choose another checker",
        )
    return prompt


def _text_field(place: str, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        problem = f"field {name!r} is {'missing' if name not in row else 'no text'}"
        remedy = f"its fields are {sorted(row)}; set prompt_field and reference_field"
        raise UserError(place, problem, remedy)
    return value


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
