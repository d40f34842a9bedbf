"""Whether the answered prompts are like those that the judge was calibrated on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.stage import StageContext

if TYPE_CHECKING:
    from evals.generations import Generation

SHIFT = "shift.json"


def record_shift(
    context: StageContext, judge: Path, generations: Mapping[str, Sequence[Generation]]
) -> None:
    """Writes ``shift.json`` and the metrics, and warns, in a line for each family that is shifted.

    Writes nothing where no decoder has watched.

    Args:
        judge: The judge's folder.
        generations: By decoder.
    """
    from judge_lightning.shift import ShiftReference, ShiftScore, family_shift

    reference = ShiftReference.load(judge)
    if reference is None:
        return
    found: dict[str, dict[str, Any]] = {}
    for decoder, rows in generations.items():
        for family in dict.fromkeys(row.family for row in rows if row.shift is not None):
            scores = [
                ShiftScore(row.shift, row.draft_shift or 0.0)
                for row in rows
                if row.family == family and row.shift is not None
            ]
            shift = family_shift(reference, scores)
            found.setdefault(decoder, {})[family] = {**asdict(shift), "shifted": shift.shifted}
            context.recorder.metric(f"{decoder}/{family}/shift_flagged", shift.flagged)
            context.recorder.metric(f"{decoder}/{family}/shift_chance", shift.chance)
            if shift.shifted:
                print(f"warning: {shift_line(decoder, family, asdict(shift))}", flush=True)
    if found:
        text = json.dumps(found, indent=1, sort_keys=True)
        (context.work / SHIFT).write_text(text + "\n", encoding="utf-8")


def read_shift(folder: Path) -> dict[str, dict[str, Any]]:
    """What ``record_shift`` wrote, by decoder and family; empty where it wrote nothing."""
    path = folder / SHIFT
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def shift_line(decoder: str, family: str, shift: Mapping[str, Any]) -> str:
    """A shifted family in one line."""
    by_drafts = shift.get("by_drafts", 0)
    what = "drafts for the " if 2 * by_drafts > shift["flagged"] else ""
    why = f", {by_drafts} for tokens that the target finds unlikely" if by_drafts else ""
    return (
        f"{decoder}: the {what}{family} prompts are unlike those that the"
        f" judge was calibrated on ({shift['flagged']} of {shift['answers']} answers"
        f" flagged{why}); its threshold promises nothing for them"
    )
