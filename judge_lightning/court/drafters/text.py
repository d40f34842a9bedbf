"""Answers that exist already: people's, logs, another project's, in a JSON Lines file.

The file is read twice: once to find out which line answers which prompt, and then, a stretch of
prompts at a time, the lines themselves. So its size is no matter of memory.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.drafters.drafts import Bench, Drafts
from judge_lightning.court.records import Prompt
from judge_lightning.court.rejects import Rejected
from judge_lightning.court.splits import identity

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_SUCH_PROMPT = "no such prompt"
EVERY = "*"
"""In a path, it stands for every field of an object or every entry of a list."""


class TextAuthor:
    """Hands in the answers of a JSON Lines file to the prompts that it has answers to.

    A line names its prompt by the prompt's text, which is compared as the sources compare texts.
    All answers to one prompt count as its samples, in the file's order. What the file may say
    about right and wrong is not read.

    Args:
        prompt_field: A field's name, or a dotted path (``input.question``).
        answer_field: Likewise; ``*.solution`` takes ``solution`` of every object in the line, and
            a list gives all its entries.

    Attributes:
        unused: Answers that no prompt was found for, by reason. They cost nothing.
    """

    def __init__(
        self,
        author: str,
        path: Path,
        tokenizer: PreTrainedTokenizerBase,
        *,
        prompt_field: str = "prompt",
        answer_field: str = "answer",
        longest: int = 0,
    ) -> None:
        self._bench = Bench(author, tokenizer, longest)
        self._path = path
        self._prompt_field = prompt_field
        self._answer_field = answer_field
        self._lines_of: dict[bytes, list[_Line]] = {}
        self.unused: Counter[str] = Counter()
        self.matched = 0

    def index(self, asked: Collection[bytes]) -> Iterator[Rejected]:
        """Finds the lines that answer prompts; yields those that cannot be read.

        Args:
            asked: The prompts' ``prompt_digest``.
        """
        self._lines_of.clear()
        self.unused.clear()
        self.matched = 0
        with self._path.open("rb") as file:
            start = 0
            for number, raw in enumerate(file, start=1):
                line, start = _Line(number, start), start + len(raw)
                try:
                    prompt, answers = self._read(raw)
                except UnreadableLineError as error:
                    place = f"{self._path.name}:{number}"
                    shown = raw[:2000].decode("utf-8", errors="backslashreplace")
                    yield Rejected(place, error.reason, error.detail, shown)
                    continue
                digest = prompt_digest(prompt)
                if digest in asked:
                    self._lines_of.setdefault(digest, []).append(line)
                    self.matched += len(answers)
                else:
                    self.unused[NO_SUCH_PROMPT] += len(answers)

    def write(self, prompts: Sequence[Prompt]) -> Drafts:
        """The answers to these prompts; none to prompts that the file does not name."""
        drafts = Drafts()
        with self._path.open("rb") as file:
            for prompt in prompts:
                lines = self._lines_of.get(prompt_digest(prompt.text), ())
                room, sample = (self._bench.room(prompt) if lines else None), 0
                for line in lines:
                    file.seek(line.start)
                    for text in self._read(file.readline())[1]:
                        place = f"{self._path.name}:{line.number}:{sample}"
                        draft = self._bench.read(prompt, sample, text, place=place, room=room)
                        sample += 1
                        if isinstance(draft, Rejected):
                            drafts.rejected.append(draft)
                        else:
                            drafts.written.append(draft)
        return drafts

    def _read(self, raw: bytes) -> tuple[str, list[str]]:
        return read_line(raw, self._prompt_field, self._answer_field)


def read_line(raw: bytes, prompt_field: str, answer_field: str) -> tuple[str, list[str]]:
    """The prompt's text that a line is about, and the answers in it.

    Raises:
        UnreadableLineError: It is malformed.
    """
    try:
        row = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UnreadableLineError("not UTF-8", str(error)) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableLineError("not JSON", str(error)) from None
    if not isinstance(row, dict):
        raise UnreadableLineError("not JSON", "no JSON object")
    prompts = texts_at(row, prompt_field)
    if not prompts or not prompts[0].strip():
        raise UnreadableLineError("field missing", f"{prompt_field!r} among {sorted(row)}")
    answers = texts_at(row, answer_field)
    if not answers:
        raise UnreadableLineError("field missing", f"{answer_field!r} among {sorted(row)}")
    return prompts[0], answers


def prompt_digest(text: str) -> bytes:
    """16 bytes that prompts with the same text have in common."""
    return hashlib.sha256(identity(text).encode("utf-8", "surrogatepass")).digest()[:16]


def texts_at(row: Mapping[str, Any], path: str) -> list[str]:
    """The texts that a field name or a dotted path leads to, in order; numbers count as texts.

    Fields on the way that are no objects or lists lead nowhere, without complaint.
    """
    found = [row[path]] if path in row else _follow(row, path.split("."))
    texts: list[str] = []
    for value in found:
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str):
                texts.append(entry)
            elif isinstance(entry, (int, float)) and not isinstance(entry, bool):
                texts.append(str(entry))
    return texts


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    start: int


@dataclass
class UnreadableLineError(Exception):
    """A line that answers nothing: a short phrase that can be counted, and the particulars."""

    reason: str
    detail: str = field(default="")


def _follow(value: Any, steps: Sequence[str]) -> list[Any]:
    if not steps:
        return [value]
    step, *others = steps
    if step == EVERY:
        entries = value.values() if isinstance(value, Mapping) else value
        within = list(entries) if isinstance(value, (Mapping, list)) else []
    else:
        within = [value[step]] if isinstance(value, Mapping) and step in value else []
    return [found for entry in within for found in _follow(entry, others)]
