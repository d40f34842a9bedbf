"""dataset: the annotated tuples, chosen, reviewed and described, as Parquet with a card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.dataset_card import card_facts, dataset_table
from pipelines.durable import sha256_of_file
from pipelines.pair import load_pair_tokenizer
from pipelines.run_folder import SUMMARY, TERMINAL
from pipelines.stage import Stage, StageContext

if TYPE_CHECKING:
    from judge_lightning.court.dataset.assembly import Assembled, Review
    from judge_lightning.court.records import LabelledTuple
    from judge_lightning.court.rejects import Rejected


class Dataset(Stage):
    """Writes ``data/*.parquet``, the card ``README.md``, statistics and ``rejected.jsonl``.

    ``datasets.load_dataset`` reads the folder as it is.
    """

    name = "dataset"
    reads = ("prompts", "mine", "annotate")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """What chooses and changes tuples: the draw, people's decisions, guarded texts."""
        return {
            "maximum_tuples": config.dataset.maximum_tuples,
            "reviews": [_digest("dataset.reviews", path) for path in config.dataset.reviews],
            "guarded": _digest("dataset.guarded", _guarded_path(config)),
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses impossible limits and files that are not there."""
        if config.dataset.maximum_tuples < 0:
            raise UserError("dataset.maximum_tuples", "is negative", "0 keeps all")
        for path in config.dataset.reviews:
            _digest("dataset.reviews", path)
        guarded = _guarded_path(config)
        if guarded is not None:
            from judge_lightning.court.sources.places import check_files

            _digest("dataset.guarded", guarded)
            check_files(str(guarded), "dataset.guarded")

    def run(self, context: StageContext) -> None:
        """Streams the tuples into the data set and writes its card from the numbers."""
        from judge_lightning.court.dataset.assembly import assemble
        from judge_lightning.court.dataset.card import write_card
        from judge_lightning.court.rejects import REJECTED_FILE, write_rejected

        config = context.config
        rejected: list[Rejected] = []
        guarded = _guarded(config, rejected)
        tables = sorted(context.inputs["annotate"].glob("tuples-*.parquet"))
        assembled = assemble(
            tables,
            guarded,
            context.work,
            review=_review(config),
            maximum=config.dataset.maximum_tuples,
            written=lambda read: context.recorder.progress(read, total=len(tables), unit="table"),
        )
        reasons: Counter[str] = Counter()
        everything = (*_rejected_before(context.inputs), rejected)
        write_rejected(context.work / REJECTED_FILE, _counted(everything, reasons))
        facts = card_facts(config, context.inputs, assembled, reasons)
        # It names the experiment and where the models lie, which the key does not.
        context.volatile.add("README.md")
        (context.work / "README.md").write_text(write_card(facts), encoding="utf-8")
        _write_numbers(context, assembled, facts.left_out, facts.rejected)


def _review(config: RunConfig) -> Review | None:
    from judge_lightning.court.review import apply_decisions, read_reviews

    if not config.dataset.reviews:
        return None
    decisions = read_reviews([Path(path) for path in config.dataset.reviews])
    tokenizer = load_pair_tokenizer(config)

    def review(tuples: Iterable[LabelledTuple], counts: Counter[str]) -> Iterator[LabelledTuple]:
        after = config.annotate.after_mistake
        return apply_decisions(tuples, decisions, tokenizer, after_mistake=after, counts=counts)

    return review


def _guarded(config: RunConfig, rejected: list[Rejected]) -> list[LabelledTuple]:
    from judge_lightning.court.guarded import read_guarded
    from judge_lightning.court.rejects import count_reasons, refuse_too_many

    path = _guarded_path(config)
    if path is None:
        return []
    tokenizer = load_pair_tokenizer(config)
    tuples = list(read_guarded(path, tokenizer, config.data.shares, config.data.seed, rejected))
    total = len(tuples) + len(rejected)
    refuse_too_many("dataset.guarded", count_reasons(rejected), total, config.data.max_rejected)
    if not tuples:
        raise UserError("dataset.guarded", f"{path} holds no continuation", "see docs/dataset.md")
    return tuples


def _guarded_path(config: RunConfig) -> Path | None:
    from judge_lightning.court.flagged import flagged_file

    guarded = config.dataset.guarded
    return None if guarded is None else flagged_file(guarded, "dataset.guarded")


def _rejected_before(inputs: Mapping[str, Path]) -> Iterator[Iterable[Rejected]]:
    """What the stages before could not use, a file at a time."""
    from judge_lightning.court.rejects import REJECTED_FILE, read_rejected

    yield read_rejected(inputs["prompts"] / REJECTED_FILE)
    for path in sorted(inputs["mine"].glob("rejected-*.jsonl")):
        yield read_rejected(path)
    yield read_rejected(inputs["annotate"] / REJECTED_FILE)


def _counted(files: Iterable[Iterable[Rejected]], reasons: Counter[str]) -> Iterator[Rejected]:
    for file in files:
        for one in file:
            reasons[one.reason] += 1
            yield one


def _write_numbers(
    context: StageContext,
    assembled: Assembled,
    left_out: Any,
    rejected: Any,
) -> None:
    statistics = {
        **assembled.statistics.as_json(),
        "left_out": dict(left_out),
        "rejected": dict(rejected),
    }
    text = json.dumps(statistics, indent=1, sort_keys=True) + "\n"
    (context.work / "statistics.json").write_text(text, encoding="utf-8")
    (context.work / SUMMARY).write_text(
        json.dumps({"court": statistics}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    (context.work / TERMINAL).write_text(dataset_table(statistics) + "\n", encoding="utf-8")
    for name, value in statistics.items():
        if isinstance(value, (int, float)):
            context.recorder.metric(name, value)
    context.recorder.metric("rejected", sum(rejected.values()))


def _digest(field: str, path: str | Path | None) -> str | None:
    """What the key holds of a file: its content."""
    if path is None:
        return None
    try:
        return sha256_of_file(Path(path))
    except OSError as error:
        raise UserError(
            field, f"{path} cannot be read ({error.strerror})", "name a file that is there"
        ) from error


STAGE = Dataset()
