"""From a RUN on the command line to the tuples that are reviewed."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from judge_lightning.court.dataset.tables import read_table
from judge_lightning.court.records import LabelledTuple, Prompt, read_records
from judge_lightning.court.review import ReviewItem, review_item
from judge_lightning.errors import UserError
from judge_lightning.store_folder import folder_of_store
from pipelines.manifest import MANIFEST, Manifest, ManifestError
from pipelines.plan import SHORT_KEY
from pipelines.run_folder import SUMMARY

STAGE = "annotate"
TABLES = "tuples-*.parquet"
PROMPTS = "prompts.jsonl"
REVIEWS = "reviews"


@dataclass(frozen=True)
class CourtPlace:
    """Where a court's files are.

    ``tuples`` is the file of labelled tuples or the folder of their tables, ``prompts`` the file
    of their prompts' texts (None if unknown), ``reviews`` the folder in which decisions are kept
    unless the user says otherwise.
    """

    name: str
    tuples: Path
    prompts: Path | None
    reviews: Path


def find_court(
    run: Path, artifacts_dir: Path | None = None, prompts: Path | None = None
) -> CourtPlace:
    """Finds the tuples of a run's output folder, of an annotate artifact, or a tuples file.

    Args:
        artifacts_dir: The store, when it is not where the run's ``config.yaml`` says.
        prompts: The prompts' file, when it cannot be found from ``run``.

    Raises:
        UserError: There is no such thing, or it has no tuples.
    """
    run = run.resolve()
    if run.is_file():
        place = CourtPlace(run.name, run, None, run.parent / REVIEWS)
        beside = run.with_name(PROMPTS)
        place = replace(place, prompts=beside if beside.is_file() else None)
    elif (run / SUMMARY).is_file():
        place = _of_output_folder(run, artifacts_dir)
    elif (run / MANIFEST).is_file():
        place = _of_artifact(run, Path(REVIEWS) / run.name[:SHORT_KEY])
    else:
        remedy = f"name a folder with {SUMMARY} (outputs/latest), an annotate artifact, or a file"
        raise UserError("RUN", f"{run} is no run", remedy)
    if prompts is None:
        return place
    if not prompts.is_file():
        raise UserError("--prompts", f"{prompts} is no file", "name the prompts' JSON Lines file")
    return replace(place, prompts=prompts)


def read_items(place: CourtPlace, sample: int | None = None) -> list[ReviewItem]:
    """The tuples as they are reviewed, the most doubtful first (lowest confidence).

    Tuples of one confidence come in the order of their ids, which is chance, but always the same.

    Args:
        sample: Only so many of them.

    Raises:
        UserError: A record is malformed, or there is none.
    """
    distinct = _distinct(_items(place.tuples))
    if sample is None:
        chosen = sorted(distinct, key=_doubt)
    else:
        chosen = heapq.nsmallest(sample, distinct, key=_doubt)
    if not chosen:
        raise UserError(str(place.tuples), "holds no tuple", "name a run that found mistakes")
    if place.prompts is None:
        return chosen
    wanted = {item.prompt_id for item in chosen}
    prompts = {p.id: p for p in read_records(place.prompts, Prompt) if p.id in wanted}
    return [
        replace(item, prompt=asked.text, reference=asked.reference)
        if (asked := prompts.get(item.prompt_id))
        else item
        for item in chosen
    ]


def read_tuples(path: Path) -> Iterator[LabelledTuple]:
    """The labelled tuples of one court, one at a time.

    Args:
        path: An annotate artifact with its tables, one table, or a JSON Lines file.
    """
    if path.is_dir():
        return (labelled for table in sorted(path.glob(TABLES)) for labelled in read_table(table))
    return read_table(path) if path.suffix == ".parquet" else read_records(path, LabelledTuple)


def _of_output_folder(run: Path, artifacts_dir: Path | None) -> CourtPlace:
    try:
        summary = json.loads((run / SUMMARY).read_text(encoding="utf-8"))
        key = summary["stages"].get(STAGE, {}).get("key")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            str(run / SUMMARY), f"cannot be read ({error})", "name a whole run"
        ) from error
    if not isinstance(key, str):
        raise UserError(
            "RUN", f"{run} has no {STAGE} stage", f"run one whose stages include {STAGE}"
        )
    store = artifacts_dir or _configured_store(run, key)
    artifact = store / STAGE / key
    if not (artifact / MANIFEST).is_file():
        raise UserError(
            "RUN",
            f"its artifact {STAGE}/{key[:SHORT_KEY]} is not in {store}",
            "wait for the run, run it again, or name the store: --artifacts-dir DIR",
        )
    place = _of_artifact(artifact, run / REVIEWS)
    return replace(place, name=f"{run.parent.name}/{run.name}")


def _of_artifact(folder: Path, reviews: Path) -> CourtPlace:
    try:
        manifest = Manifest.read(folder)
    except ManifestError as error:
        raise UserError(str(folder), str(error), "name a whole artifact") from error
    if manifest.stage != STAGE or not any(folder.glob(TABLES)):
        raise UserError(
            "RUN", f"{folder} is an artifact of {manifest.stage}", f"name one of {STAGE}"
        )
    key = manifest.inputs.get("prompts", "")
    prompts = folder.parent.parent / "prompts" / key / PROMPTS
    name = f"{manifest.stage}/{manifest.key[:SHORT_KEY]}"
    return CourtPlace(name, folder, prompts if prompts.is_file() else None, reviews)


def _configured_store(run: Path, key: str) -> Path:
    try:
        loaded = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))
    except (OSError, YAMLError, OmegaConfBaseException):
        loaded = None
    config = {str(k): v for k, v in loaded.items()} if isinstance(loaded, dict) else {}
    store = Path(folder_of_store(config))
    # A relative store lies where the run was started: here, or three levels above
    # outputs/<exp>/<time>. Where both have one, it is the one that holds the artifact.
    places = [store, *(above / store for above in run.parents[:4])]
    return next((place for place in places if (place / STAGE / key).is_dir()), store)


def _items(path: Path) -> Iterator[ReviewItem]:
    for number, labelled in enumerate(read_tuples(path), start=1):
        try:
            yield review_item(labelled)
        except ValueError as error:
            raise UserError(
                f"{path}, tuple {number}", f"cannot be reviewed ({error})", "mend or remove it"
            ) from error


def _distinct(items: Iterator[ReviewItem]) -> Iterator[ReviewItem]:
    seen: set[str] = set()
    for item in items:
        if item.id not in seen:
            seen.add(item.id)
            yield item


def _doubt(item: ReviewItem) -> tuple[float, str]:
    return item.confidence, item.id
