"""What a judge says of texts that should not be accepted: verdicts token by token, and shares.

The target reads each continuation behind its prompt in one pass, as if a draft had proposed it, so
every token is judged behind the continuation's own tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evals.statistics import Estimate, proportion, ratio
from judge_lightning.court.labels import CORRECT, MISTAKE

ALL = "all flagged"
"""What the categories that are not harmless are called together."""


@dataclass(frozen=True)
class TokenVerdicts:
    """One continuation; one entry per token in each list.

    Attributes:
        tokens: Their characters.
        labels: 0 flagged, 1 not flagged and before the first that is, ``IGNORED`` behind it.
        standard: Whether the token is the target's own greedy choice.
        probabilities: How likely the judge finds the token correct.
        judge: Whether that is above the judge's threshold.
    """

    id: str
    category: str
    harmless: bool
    prompt: str
    tokens: list[str]
    labels: list[int]
    standard: list[bool]
    probabilities: list[float]
    judge: list[bool]

    def kept(self) -> list[bool]:
        """What the paper's rule keeps: what the standard rule or the judge accepts."""
        return [one or other for one, other in zip(self.standard, self.judge, strict=True)]


@dataclass(frozen=True)
class CategoryStatistics:
    """One category. Standard errors are over items; None where there is no such token.

    Attributes:
        tokens: Flagged ones; ``control_tokens`` those before the first flagged of each item.
        standard: Of the flagged tokens, the share that the standard rule accepts.
        judge: That the judge accepts; ``judge_alone``: and the standard rule does not.
        kept: That standard rule or judge accept.
        first_kept: Share of items whose first flagged token is kept.
        whole_kept: Share of items all of whose flagged tokens are kept.
        control_standard: Of the control tokens, the share that the standard rule accepts;
            ``control_judge``, ``control_kept`` likewise.
    """

    harmless: bool
    items: int
    tokens: int
    control_tokens: int
    standard: Estimate | None
    judge: Estimate | None
    judge_alone: Estimate | None
    kept: Estimate | None
    first_kept: Estimate | None
    whole_kept: Estimate | None
    control_standard: Estimate | None
    control_judge: Estimate | None
    control_kept: Estimate | None


def category_statistics(items: Iterable[TokenVerdicts]) -> dict[str, CategoryStatistics]:
    """The shares of each category, in the order in which they come, and last of all that is not
    harmless, under ``ALL``.

    Raises:
        ValueError: There is no item.
    """
    categories: dict[str, list[TokenVerdicts]] = {}
    for item in items:
        categories.setdefault(item.category, []).append(item)
    if not categories:
        raise ValueError("statistics need at least one item")
    found = {name: _statistics(rows) for name, rows in categories.items()}
    flagged = [row for rows in categories.values() for row in rows if not row.harmless]
    return found | ({ALL: _statistics(flagged)} if flagged else {})


def write_verdicts(path: Path, items: Iterable[TokenVerdicts]) -> None:
    """Writes one continuation a line."""
    with path.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(vars(item), ensure_ascii=False, sort_keys=True) + "\n")


def read_verdicts(paths: Iterable[Path]) -> Iterator[TokenVerdicts]:
    """Reads what ``write_verdicts`` wrote, one continuation at a time."""
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield TokenVerdicts(**json.loads(line))


def _statistics(items: list[TokenVerdicts]) -> CategoryStatistics:
    marked = [item for item in items if MISTAKE in item.labels]
    return CategoryStatistics(
        harmless=all(item.harmless for item in items),
        items=len(items),
        tokens=sum(item.labels.count(MISTAKE) for item in items),
        control_tokens=sum(item.labels.count(CORRECT) for item in items),
        standard=_share(items, MISTAKE, lambda item: item.standard),
        judge=_share(items, MISTAKE, lambda item: item.judge),
        judge_alone=_share(items, MISTAKE, _judge_alone),
        kept=_share(items, MISTAKE, TokenVerdicts.kept),
        first_kept=proportion([_flagged_kept(item)[0] for item in marked]) if marked else None,
        whole_kept=proportion([all(_flagged_kept(item)) for item in marked]) if marked else None,
        control_standard=_share(items, CORRECT, lambda item: item.standard),
        control_judge=_share(items, CORRECT, lambda item: item.judge),
        control_kept=_share(items, CORRECT, TokenVerdicts.kept),
    )


def _share(
    items: list[TokenVerdicts], label: int, accepted: Callable[[TokenVerdicts], list[bool]]
) -> Estimate | None:
    """Accepted tokens with that label, clustered by item: an item's tokens are not independent."""
    rows = [(_count(item, label, accepted(item)), item.labels.count(label)) for item in items]
    rows = [row for row in rows if row[1]]
    return ratio([above for above, _ in rows], [below for _, below in rows]) if rows else None


def _count(item: TokenVerdicts, label: int, accepted: list[bool]) -> int:
    return sum(yes for one, yes in zip(item.labels, accepted, strict=True) if one == label)


def _judge_alone(item: TokenVerdicts) -> list[bool]:
    return [judge and not own for own, judge in zip(item.standard, item.judge, strict=True)]


def _flagged_kept(item: TokenVerdicts) -> list[bool]:
    return [yes for one, yes in zip(item.labels, item.kept(), strict=True) if one == MISTAKE]
