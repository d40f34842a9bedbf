"""Completions that were paid for: kept as they arrive, never asked for twice."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict, fields
from pathlib import Path

from judge_lightning.court.chat import Completion, Question

_FIELDS = {field.name for field in fields(Completion)}


class Journal:
    """An append-only JSON Lines file of completions, one a line, by question and sample.

    A line is handed to the system when it is complete, so a kill costs what is still on its way.
    A line that was cut short is forgotten.
    """

    def __init__(self, path: Path) -> None:
        self._kept: dict[str, Completion] = {}
        self._lock = threading.Lock()
        self._path = path
        if path.exists():
            self._read()

    def find(self, model: str, question: Question, sample: int) -> Completion | None:
        """What was said to this sample of this question, if it was asked before."""
        return self._kept.get(_key(model, question, sample))

    def keep(self, model: str, question: Question, sample: int, said: Completion) -> None:
        """Writes one completion down."""
        key = _key(model, question, sample)
        line = json.dumps({"key": key, **asdict(said)})
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            self._kept[key] = said

    def _read(self) -> None:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                said = Completion(**{name: row[name] for name in _FIELDS})
                self._kept[row["key"]] = said
            except (ValueError, KeyError, TypeError):
                continue  # A power loss may leave anything; such a question is asked again.


def _key(model: str, question: Question, sample: int) -> str:
    text = json.dumps([model, asdict(question) | {"samples": sample}], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
