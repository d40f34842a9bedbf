"""Guarded negatives: continuations that the judge must never accept, whatever drafted them.

A user's JSON Lines file, one object a line:

    {"prompt": "...", "continuation": "...", "category": "...", "start": 0, "end": 12}

Every token of ``continuation`` (or of its characters ``start`` to ``end``, where they are given;
tokens before are then correct) is a mistake. ``category`` is optional and becomes the family
``guarded:<category>``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.labels import TokenSpans, mark_mistake
from judge_lightning.court.prompting import answer_text, render_prompt
from judge_lightning.court.records import LabelledTuple
from judge_lightning.court.rejects import Rejected
from judge_lightning.court.splits import identity, split_of
from judge_lightning.court.stretches import COURT_SPLITS
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GUARDED = "guarded"


def read_guarded(
    path: Path,
    tokenizer: PreTrainedTokenizerBase,
    shares: Mapping[str, float],
    seed: int,
    rejected: list[Rejected],
) -> Iterator[LabelledTuple]:
    """Reads a file of guarded continuations as tuples without a correct answer.

    A prompt's split is that of a hash of its text, as for other prompts; what would fall into
    ``eval`` is trained on, because these are rules and no sample.

    Args:
        shares: Share of the prompts per split.
        rejected: Gets the lines that cannot be used.

    Raises:
        UserError: The file cannot be read.
    """
    spans = TokenSpans(tokenizer)
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(
            "dataset.guarded", f"{path} cannot be read ({error.strerror})", "name a JSON Lines file"
        ) from error
    with file:
        for number, line in enumerate(file, start=1):
            try:
                yield _tuple(json.loads(line.decode("utf-8")), tokenizer, spans, shares, seed)
            except _UnusableError as error:
                rejected.append(_rejected(path, number, line, str(error)))
            except UnicodeDecodeError:
                rejected.append(_rejected(path, number, line, "not UTF-8"))
            except ValueError:
                rejected.append(_rejected(path, number, line, "not JSON"))


class _UnusableError(Exception):
    """A short reason that can be counted."""


def _tuple(
    row: Any,
    tokenizer: PreTrainedTokenizerBase,
    spans: TokenSpans,
    shares: Mapping[str, float],
    seed: int,
) -> LabelledTuple:
    if not isinstance(row, dict):
        raise _UnusableError("not a JSON object")
    text, continuation = row.get("prompt"), row.get("continuation")
    if not isinstance(text, str) or not isinstance(continuation, str):
        raise _UnusableError("field missing")
    token_ids = list(tokenizer(continuation, add_special_tokens=False)["input_ids"])
    if not token_ids:
        raise _UnusableError("empty continuation")
    said = answer_text(tokenizer, token_ids)
    place = (row.get("start", 0), row.get("end", len(said)))
    if not all(isinstance(end, int) for end in place) or not 0 <= place[0] < place[1] <= len(said):
        raise _UnusableError("no such range")
    marked = mark_mistake(spans(token_ids), place, finished=False)
    if marked is None:
        raise _UnusableError("no such range")
    split = split_of(identity(text), shares, seed)
    category = row.get("category")
    return LabelledTuple(
        prompt_id=str(row.get("id", f"{GUARDED}-{_digest(text, continuation)}")),
        family=f"{GUARDED}:{category}" if category else GUARDED,
        split=split if split in COURT_SPLITS else COURT_SPLITS[0],
        drafter=GUARDED,
        prompt_ids=render_prompt(tokenizer, text),
        correct_text="",
        correct_ids=[],
        correct_labels=[],
        wrong_text=said,
        wrong_ids=token_ids,
        wrong_labels=marked.labels,
        mistake_characters=place,
        mistake_tokens=marked.mistake,
        confidence=1.0,
        evidence=f"must never be accepted{f' ({category})' if category else ''}",
        prompt=text,
        source=GUARDED,
    )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _rejected(path: Path, number: int, line: bytes, reason: str) -> Rejected:
    return Rejected(f"{path.name}:{number}", reason, record=line.decode("utf-8", "replace"))
