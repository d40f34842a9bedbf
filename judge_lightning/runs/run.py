"""``load_run``: a run's folder and artifacts behind one small object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.records import LabelledTuple, Prompt, read_records
from judge_lightning.errors import UserError
from judge_lightning.layer_scores import LayerScore
from judge_lightning.runs.artifacts import RunArtifact, RunArtifacts, find_store
from judge_lightning.runs.files import read_json_object, read_yaml_object, reading
from judge_lightning.store_folder import folder_of_store

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from judge_lightning.calibration import HeldOut, OperatingPoint
    from judge_lightning.heads import JudgeHead
    from judge_lightning.models.pair import ModelSource, Pair
    from judge_lightning.runs.answers import DecodedAnswer
    from judge_lightning.runs.token_states import TokenStates

DEFAULT_RUN = "outputs/latest"
SUMMARY = "summary.json"
CONFIG = "config.yaml"


def load_run(path: str | Path = DEFAULT_RUN) -> Run:
    """Opens a run's folder; nothing large is read before it is asked for.

    Args:
        path: ``outputs/<experiment>/<time>``, or ``outputs/latest``. A relative path is looked
            for in the working directory, then in the folders above it, so that a notebook finds
            it from its own folder too.

    Raises:
        UserError: There is no such folder, it holds no run, or one of its files is damaged.
    """
    folder = _find_folder(Path(path).expanduser())
    for name in (SUMMARY, CONFIG):
        if not (folder / name).is_file():
            jobs = sorted(file.parent.name for file in folder.glob(f"*/{CONFIG}"))
            raise UserError(
                str(folder),
                f"is the folder of a sweep of {len(jobs)} runs" if jobs else f"holds no {name}",
                f"give one of its runs, {folder / jobs[0]} say"
                if jobs
                else "give a run's folder, outputs/EXPERIMENT/TIME",
            )
    return Run(folder, read_json_object(folder / SUMMARY), read_yaml_object(folder / CONFIG))


class Run:
    """What one run was asked, what it found, and everything that its stages left.

    A run that is not finished, or was stopped, is read as far as it came: what a missing stage
    would have written raises a ``UserError`` that names the stage.

    Attributes:
        path: The run's folder, links resolved.
        summary: ``summary.json``: the numbers of the report.
        config: ``config.yaml``: the composed configuration, as nested mappings.
    """

    def __init__(self, path: Path, summary: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self.path = path
        self.summary = summary
        self.config = config
        with reading(path / SUMMARY):
            keys = {name: str(stage["key"]) for name, stage in summary["stages"].items()}
        store = find_store(folder_of_store(config), path, keys.items())
        self._artifacts = RunArtifacts(store, keys)

    def __repr__(self) -> str:
        stages = ", ".join(self.stages) or "none"
        return (
            f"Run({str(self.path)!r}, pair {self.summary.get('pair')}, finished stages: {stages})"
        )

    @property
    def name(self) -> str:
        """The experiment and when it was started: ``quickstart/2026-11-30_13-17-29``."""
        return "/".join(self.path.parts[-2:])

    @property
    def stages(self) -> list[str]:
        """The stages that have left an artifact, in the order of the run."""
        return self._artifacts.stages()

    def artifact(self, stage: str) -> RunArtifact:
        """What a stage left: its folder, key, settings, inputs and metrics.

        Raises:
            UserError: The run has no such stage, or has not finished it.
        """
        return self._artifacts.get(stage)

    @cached_property
    def prompts(self) -> dict[str, Prompt]:
        """Every prompt of all splits, by its id, in the order of the sources."""
        path = self.artifact("prompts").file("prompts.jsonl")
        return {prompt.id: prompt for prompt in read_records(path, Prompt)}

    def tuples(self, split: str | None = None) -> Iterator[LabelledTuple]:
        """The court: right and wrong answers with a label for every token, read as a stream.

        Args:
            split: One of ``SPLITS``; None gives all, in the order that ``TokenStates.tuples``
                counts in.
        """
        from judge_lightning.court.dataset.tables import read_dataset

        rows = read_dataset(self.artifact("dataset").folder)
        return (row for row in rows if split in (None, row.split))

    def embeddings(self, split: str = "calibration", layer: int | None = None) -> TokenStates:
        """The frozen target's embeddings of a split's labelled tokens.

        Args:
            split: ``train``, ``validation`` or ``calibration``.
            layer: 0-based, or negative from the last one on; None takes the judge's.
        """
        from judge_lightning.runs.token_states import read_token_states

        wanted = self.judge.config.layer if layer is None else layer
        return read_token_states(self.artifact("embed").folder, split, wanted)

    @cached_property
    def layers(self) -> list[LayerScore]:
        """How well every layer's head did on the validation prompts."""
        path = self.artifact("train").file("layers.json")
        with reading(path):
            return [LayerScore(**row) for row in json.loads(path.read_text(encoding="utf-8"))]

    @cached_property
    def operating_curve(self) -> list[OperatingPoint]:
        """Mistakes rejected and correct tokens kept on the calibration prompts, by threshold."""
        from judge_lightning.calibration import OperatingPoint
        from judge_lightning.generations import read_rows

        path = self._calibrated.file("operating_curve.jsonl")
        with reading(path):
            return list(read_rows(path, OperatingPoint))

    @property
    def judge_folder(self) -> Path:
        """The judge to deploy: the one that was calibrated here, at its chosen threshold."""
        return self._calibrated.file("judge")

    @cached_property
    def judge(self) -> JudgeHead:
        """The judge in ``judge_folder``."""
        from judge_lightning.heads import JudgeHead

        return JudgeHead.from_pretrained(self.judge_folder)

    def held_out(self, split: str = "calibration") -> HeldOut:
        """What the judge says of every labelled token of a split, and the tokens' labels."""
        from judge_lightning.calibration import held_out

        return held_out(self.judge, self.artifact("embed").folder, split)

    @property
    def decoders(self) -> list[str]:
        """The decoders that answered the held-out prompts, in the order of the configuration."""
        from judge_lightning.generations import decoders_in

        found = decoders_in(self.artifact("decode").folder)
        asked = self.config.get("verifier", {}).get("decoders", [])
        return sorted(found, key=lambda name: asked.index(name) if name in asked else len(asked))

    def answers(self, decoder: str, stage: str = "decode") -> list[DecodedAnswer]:
        """A decoder's answers to the held-out prompts, each with its trace and its seconds.

        Args:
            decoder: One of ``decoders``.
            stage: ``decode``, or ``speed`` for the answers that were timed on a stand-in.

        Raises:
            UserError: Nobody of that name has answered.
        """
        from judge_lightning.generations import decoders_in
        from judge_lightning.runs.answers import read_answers

        folder = self.artifact(stage).folder
        if decoder not in decoders_in(folder):
            known = ", ".join(decoders_in(folder)) or "nobody"
            raise UserError(
                "decoder", f"{decoder!r} has answered nothing in {stage}", f"it has {known}"
            )
        return list(read_answers(folder, decoder))

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The pair's tokenizer alone, which is the target's."""
        from judge_lightning.models.pair import load_tokenizer

        with reading(self.path / CONFIG):
            pair = self.config["pair"]
            target = pair["target"]
            path, revision = str(target["path"]), target.get("revision")
        return load_tokenizer(path, revision, pair.get("chat_template"))

    def pair(self, device: str = "auto") -> Pair:
        """Loads target, draft and tokenizer as the run's configuration says.

        Raises:
            UserError: A model cannot be found or loaded.
        """
        from judge_lightning.models.pair import load_pair

        with reading(self.path / CONFIG):
            pair = self.config["pair"]
            target, draft = _source(pair["target"]), _source(pair["draft"])
        template = pair.get("chat_template")
        return load_pair(target, draft, device=device, chat_template=template)

    @property
    def _calibrated(self) -> RunArtifact:
        """Where the judge's threshold was chosen: certify, in a run that has it."""
        return self.artifact("certify" if "certify" in self.stages else "calibrate")


def _find_folder(path: Path) -> Path:
    places = [Path.cwd(), *Path.cwd().parents]
    for place in [path] if path.is_absolute() else [above / path for above in places]:
        if place.is_dir():
            return place.resolve()
    raise UserError(
        str(path),
        "is no folder",
        "give a run's folder, or make a run first: python -m pipelines.run +exp=quickstart",
    )


def _source(model: Mapping[str, Any]) -> ModelSource:
    from dataclasses import fields

    from judge_lightning.models.pair import ModelSource
    from judge_lightning.models.shape import Growth

    known = {field.name for field in fields(ModelSource)}
    settings = {name: value for name, value in model.items() if name in known}
    if settings.get("grow") is not None:
        settings["grow"] = Growth(**settings["grow"])
    return ModelSource(**settings)
