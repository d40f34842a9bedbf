"""Two runs on the same prompts: which answers turned, decoder by decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evals.decoders import in_usual_order
from evals.generations import Generation, read_generations
from evals.paired import PairedComparison, compare_paired
from pipelines.compare.runs import ComparedRun
from pipelines.plan import SHORT_KEY

DECODE = "decode"


@dataclass(frozen=True)
class TurnedAnswers:
    """One decoder's answers of a run against the first run's.

    Attributes:
        run: The number of the run that is compared with the first.
        prompts: How many prompts of the family both have decoded.
        same_text: In how many of them the answers are the same, token for token.
        paired: Right answers, this run minus the first.
    """

    run: int
    decoder: str
    family: str
    prompts: int
    same_text: int
    paired: PairedComparison


def turned_answers(
    runs: list[ComparedRun], folders: Mapping[int, Path], *, all_families: bool
) -> tuple[list[TurnedAnswers], list[str]]:
    """Compares every run's answers with the first run's, and says where that cannot be done.

    Prompts are joined by their name, which is a hash of their text.

    Args:
        folders: By run number, its decode artifact, where that is stored.
        all_families: Also prompts that are not of the first run's headline family.
    """
    first, *others = runs
    before = _answers(folders.get(first.number))
    if before is None:
        return [], [_missing(first)]
    headline = (first.summary.get("verdict") or {}).get("family")
    rows: list[TurnedAnswers] = []
    notes = []
    for run in others:
        folder = folders.get(run.number)
        if folder == folders[first.number]:
            notes.append(f"run {run.number} and run 1 have the same answers: they share decode")
            continue
        after = _answers(folder)
        if after is None:
            notes.append(_missing(run))
            continue
        found = list(_compare(run.number, before, after))
        if not found:
            notes.append(f"run {run.number} has no prompt and decoder in common with run 1")
        rows += [row for row in found if all_families or row.family == headline]
    return rows, notes


def _missing(run: ComparedRun) -> str:
    if run.failed is not None or DECODE not in run.keys:
        return f"run {run.number} has decoded nothing"
    artifact = f"{DECODE}/{run.keys[DECODE][:SHORT_KEY]}"
    return f"the answers of run {run.number} are not stored, or cannot be read: {artifact}"


Answers = dict[str, dict[str, Generation]]
"""By decoder, by prompt."""


def _answers(folder: Path | None) -> Answers | None:
    if folder is None:
        return None
    files = sorted(folder.glob("generations-*.jsonl"))
    names = in_usual_order(path.name.split("-")[1] for path in files)
    try:
        return {
            name: {row.prompt_id: row for row in read_generations(folder, name)} for name in names
        }
    except (OSError, ValueError, TypeError):
        return None


def _compare(number: int, before: Answers, after: Answers) -> Iterator[TurnedAnswers]:
    for decoder in (name for name in before if name in after):
        old, new = before[decoder], after[decoder]
        common = [name for name in old if name in new]
        for family in dict.fromkeys(old[name].family for name in common):
            ids = [name for name in common if old[name].family == family]
            yield TurnedAnswers(
                number,
                decoder,
                family,
                len(ids),
                sum(old[name].token_ids == new[name].token_ids for name in ids),
                compare_paired(
                    [float(new[name].right) for name in ids],
                    [float(old[name].right) for name in ids],
                ),
            )
